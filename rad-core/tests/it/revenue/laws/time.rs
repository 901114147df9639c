//! What runs out does so at its time, whenever somebody asks or posts.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{
    AccountState, Balance, Body, Bucket, DebtOf, Effect, Entry, Expiry, Grant, LotSource, Part, RevenueLine,
};
use rad_core::strategies::{cases, histories, scripts};

use super::{CASES, after, key, replay};

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn the_balance_of_a_later_time_is_what_an_entry_then_finds(script in scripts(1..50), wait in 0..400_000_i64) {
        let mut state = after(&script);
        let at = state.last().unwrap_or_default() + TimeDelta::seconds(wait);
        let expected = state.balance(at);
        let debit = Body::Grant(Grant {
            source: LotSource::Signup,
            bucket: Bucket::Awarded,
            credits: Credits::from_micros(1),
            cost: Amount::ZERO,
            paid: None,
            expires: None,
            reference: None,
        });
        let Ok(effect) = state.apply(&state.draft(at, key(b"later"), None, debit)) else { return Ok(()) };
        let mut found = effect.balance_after;
        found.awarded = Credits::from_micros(found.awarded.micros() - 1);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn balances_may_be_asked_for_any_time_in_any_order(script in scripts(1..50), waits in prop::collection::vec(0..400_000_i64, 1..6)) {
        let state = after(&script);
        let asked = state.clone();
        let last = state.last().unwrap_or_default();
        let ends = state.lots().iter().filter_map(|lot| lot.expires).chain(state.holds().filter_map(|hold| hold.expires));
        let around = ends.flat_map(|end| [end, end - TimeDelta::microseconds(1)]).filter(|at| *at >= last);
        for at in waits.into_iter().map(|wait| last + TimeDelta::seconds(wait)).chain(around) {
            prop_assert_eq!(asked.balance(at), expected_balance(&state, at), "at {}", at);
        }
        prop_assert_eq!(asked.snapshot(), state.snapshot());
    }

    #[test]
    fn an_entry_that_shows_an_expiry_changes_nothing_else(history in histories(2..60), early: prop::sample::Index) {
        // The first lot that runs out before a later entry, shown at that entry's time or sooner.
        let expires = |entry: &Entry| match &entry.body {
            Body::Grant(grant) => grant.expires.map(|expires| (entry.seq, expires)),
            _ => None,
        };
        let gone = history.entries.iter().filter_map(expires).find_map(|(lot, expires)| {
            let after = history.entries.iter().position(|entry| entry.at >= expires)?;
            Some((lot, expires, after))
        });
        let Some((lot, expires, place)) = gone else { return Ok(()) };
        let wait = (history.entries[place].at - expires).num_microseconds().unwrap();
        let at = expires + TimeDelta::microseconds(early.index(usize::try_from(wait).unwrap() + 1) as i64);

        let (mut shown, _) = replay(&history.entries[..place], history.account);
        let (mut hidden, _) = replay(&history.entries[..place], history.account);
        let expiry = shown.draft(at, key(b"expiry"), None, Body::Expiry(Expiry { lot }));
        let effect = shown.apply(&expiry).unwrap();
        prop_assert_eq!(effect.balance_after, hidden.balance(at));
        prop_assert!(effect.parts.is_empty() && effect.lines.is_empty());
        let later = |number: u64| if number >= expiry.seq { number + 1 } else { number };
        for entry in &history.entries[place..] {
            let told = shown.apply(&renumbered(entry, later)).unwrap();
            let (parts, lines, balance) = told_with(hidden.apply(entry).unwrap(), later);
            prop_assert_eq!((told.parts, told.lines, told.balance_after), (parts, lines, balance));
        }
    }
}

/// The balance at a time, straight from lots, holds and debts.
fn expected_balance(state: &AccountState, at: DateTime<Utc>) -> Balance {
    let lapsed = |expires: Option<DateTime<Utc>>| expires.is_some_and(|expires| expires <= at);
    let mut sums = [[0; 2]; 3];
    for lot in state.lots() {
        let parts =
            state.holds().flat_map(|hold| hold.parts.into_iter().map(move |part| (hold.expires, part)));
        let of_lot = parts.filter(|(_, (id, _))| *id == lot.id);
        let (returned, held): (Vec<_>, Vec<_>) = of_lot.partition(|(expires, _)| lapsed(*expires));
        let sum = |parts: &[(_, (u64, Credits))]| {
            parts.iter().map(|(_, (_, credits))| credits.micros()).sum::<i64>()
        };
        let bucket = usize::from(lot.bucket == Bucket::Purchased);
        let resting = lot.open.micros() + lot.frozen.micros() + sum(&returned);
        sums[usize::from(lot.is_frozen)][bucket] += if lapsed(lot.expires) { 0 } else { resting };
        sums[2][bucket] += sum(&held);
    }
    let open = |of| state.holds().any(|hold| DebtOf::Hold(hold.id) == of && !lapsed(hold.expires));
    let owed = state.debts().iter().filter(|debt| matches!(debt.of, DebtOf::Charge(_)) || open(debt.of));
    let [[awarded, purchased], [frozen_awarded, frozen_purchased], [held_awarded, held_purchased]] =
        sums.map(|sums| sums.map(Credits::from_micros));
    Balance {
        awarded,
        purchased,
        held_awarded,
        held_purchased,
        frozen: frozen_awarded.checked_add(frozen_purchased).unwrap(),
        debt: Credits::checked_sum(owed.map(|debt| debt.credits)).unwrap(),
    }
}

/// The same entry where another one came before it.
fn renumbered(entry: &Entry, later: impl Fn(u64) -> u64) -> Entry {
    let mut entry = entry.clone();
    entry.seq = later(entry.seq);
    match &mut entry.body {
        Body::Capture(capture) => capture.hold = later(capture.hold),
        Body::Release(release) => release.hold = later(release.hold),
        Body::Refund(refund) => refund.charge = later(refund.charge),
        Body::Freeze(freeze) => freeze.lot = later(freeze.lot),
        Body::Unfreeze(unfreeze) => unfreeze.lot = later(unfreeze.lot),
        Body::Reversal(reversal) => reversal.lot = later(reversal.lot),
        Body::Expiry(expiry) => expiry.lot = later(expiry.lot),
        _ => {}
    }
    entry
}

fn told_with(effect: Effect, later: impl Fn(u64) -> u64) -> (Vec<Part>, Vec<RevenueLine>, Balance) {
    let (mut parts, mut lines) = (effect.parts, effect.lines);
    for part in &mut parts {
        (part.charge, part.entry, part.lot) = (later(part.charge), later(part.entry), later(part.lot));
    }
    for line in &mut lines {
        (line.entry, line.charge, line.original) =
            (later(line.entry), later(line.charge), line.original.map(&later));
    }
    (parts, lines, effect.balance_after)
}
