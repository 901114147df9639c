//! Numbers and times at their ends, and entries that are refused half-way.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::money::{Credits, CreditsPerUnit};
use rad_core::revenue::{
    AccountState, Body, Bucket, BurnOrder, ChargeTerms, Expiry, Grant, Hold, RevenueBasis, Snapshot,
    Violation,
};

use super::super::laws::{ACCOUNT, bought, capture, hold, key, post, refund};
use super::{UNIT, account, adjustment, credits, debit, refused, reversal, start, terms};

#[test]
fn numbers_stop_at_their_limits_without_wrapping() {
    let most = i64::MAX / 2;
    let overflow = |what| Violation::Overflow { what };
    let volume = overflow("all that was ever granted and debited");
    for (first, second, expected) in [
        (bought(most, 0), bought(1, 0), volume.clone()),
        (bought(1, 0), bought(i64::MAX, 0), volume.clone()),
        (bought(most, 0), debit(1), volume),
        (bought(1, i64::MAX), bought(1, 1), overflow("a sum")),
        (bought(1, 0), adjustment(Bucket::Awarded, i64::MIN), overflow("a negative number")),
    ] {
        let mut state = AccountState::new(ACCOUNT);
        post(&mut state, first).unwrap();
        refused(&state, |entry| entry.body = second.clone(), &expected);
    }
    // Everything up to the limit works: one lot of all there can be, at all it can cost, spent and taken back.
    let mut state = AccountState::new(ACCOUNT);
    post(&mut state, bought(most, i64::MAX)).unwrap();
    post(&mut state, hold(credits(most), BurnOrder::AwardedFirst)).unwrap();
    refused(
        &state,
        |entry| entry.body = capture(2, most, &at_lowest_price()),
        &overflow("the worth of credits"),
    );
    let effect = post(&mut state, capture(2, most / 3, &Arc::new(terms()))).unwrap();
    let third = i128::from(i64::MAX) * i128::from(most / 3) / i128::from(most);
    assert_eq!(i128::from(effect.parts[0].cost.micros()), third, "products of 128 bits");
    post(&mut state, refund(3, most / 3)).unwrap();
    post(&mut state, hold(credits(most), BurnOrder::AwardedFirst)).unwrap();
    let effect = post(&mut state, capture(5, most, &Arc::new(terms()))).unwrap();
    assert_eq!(effect.lines[0].gross, i64::MAX / 10_000);
    let effect = post(&mut state, reversal(1, most)).unwrap();
    assert_eq!((effect.lines[0].gross, effect.balance_after.debt), (-i64::MAX / 10_000, credits(most)));
    refused(&state, |entry| entry.body = bought(1, 1), &overflow("a sum"));

    let last = Snapshot { seq: u64::MAX, ..account().snapshot() };
    let full = AccountState::try_from(last).unwrap();
    let expected = Violation::OutOfSequence { expected: u64::MAX, actual: u64::MAX };
    refused(&full, |entry| entry.body = bought(1, 0), &expected);
}

#[test]
fn a_charge_refused_half_way_leaves_nothing_behind() {
    let mut state = AccountState::new(ACCOUNT);
    for body in [bought(UNIT, 1), bought(i64::MAX / 2 - UNIT, 1)] {
        post(&mut state, body).unwrap();
    }
    post(&mut state, hold(credits(i64::MAX / 2), BurnOrder::AwardedFirst)).unwrap();
    let mut tried = state.clone();
    // The part of the first lot has a worth, that of the second is beyond all numbers.
    let charge = tried.draft(start(), key(b"charge"), None, capture(3, i64::MAX / 2, &at_lowest_price()));
    assert_eq!(tried.apply(&charge), Err(Violation::Overflow { what: "the worth of credits" }));
    let charge = capture(3, i64::MAX / 2, &Arc::new(terms()));
    assert_eq!(post(&mut tried, charge.clone()), post(&mut state, charge));
    assert_eq!(tried.snapshot(), state.snapshot());
}

#[test]
fn a_repayment_refused_half_way_leaves_nothing_behind() {
    let mut state = AccountState::new(ACCOUNT);
    let half = 60_000_000_000_000_000;
    // Each lot has a worth of its own at the lowest price; that of both together is beyond all numbers.
    for body in [bought(half, 1), bought(half, 1)] {
        post(&mut state, body).unwrap();
    }
    post(&mut state, hold(credits(2 * half), BurnOrder::AwardedFirst)).unwrap();
    post(&mut state, capture(3, 2 * half, &at_lowest_price())).unwrap();
    for lot in [1, 2] {
        post(&mut state, reversal(lot, half)).unwrap();
    }
    refused(&state, |entry| entry.body = bought(2 * half, 1), &Violation::Overflow { what: "a sum" });
    post(&mut state, bought(half, 1)).unwrap();
    assert_eq!(state.debts().len(), 1, "in smaller lots it is repaid");
}

#[test]
fn the_ends_of_the_calendar_are_times_like_others() {
    let last = DateTime::<Utc>::MAX_UTC - TimeDelta::nanoseconds(999);
    let (mut state, body) = (AccountState::new(ACCOUNT), bought(UNIT, 0));
    let first = state.draft(DateTime::<Utc>::MIN_UTC, key(b"first"), None, body.clone());
    state.apply(&first).unwrap();
    assert_eq!(
        state.balance(DateTime::<Utc>::MAX_UTC).purchased,
        credits(UNIT),
        "what never runs out never does"
    );
    let Body::Grant(grant) = body else { unreachable!() };
    post(&mut state, Body::Grant(Grant { expires: Some(last), ..grant.clone() })).unwrap();
    let Body::Hold(body) = hold(credits(2 * UNIT), BurnOrder::AwardedFirst) else { unreachable!() };
    post(&mut state, Body::Hold(Hold { expires: Some(last), ..body })).unwrap();
    let before = last - TimeDelta::microseconds(1);
    assert_eq!(
        (state.balance(before).held(), state.balance(before).spendable()),
        (credits(2 * UNIT), Credits::ZERO)
    );
    assert_eq!((state.balance(last).held(), state.balance(last).spendable()), (Credits::ZERO, credits(UNIT)));
    let end = state.draft(DateTime::<Utc>::MAX_UTC, key(b"end"), None, Body::Expiry(Expiry { lot: 2 }));
    assert_eq!(state.apply(&end).unwrap().balance_after.purchased, credits(UNIT));
    let late = Body::Grant(Grant { expires: Some(last), ..grant });
    refused(&state, |entry| entry.body = late.clone(), &Violation::AlreadyExpired { expires: last });
}

fn at_lowest_price() -> Arc<ChargeTerms> {
    let price: CreditsPerUnit = "0.01".parse().unwrap();
    Arc::new(ChargeTerms { basis: RevenueBasis::CreditsPerUnit(price), ..terms() })
}
