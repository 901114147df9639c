//! Bad entries: each kind of them has a violation that says what is wrong, and changes nothing.

mod limits;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::id::{AccountId, ModuleId};
use rad_core::money::{Amount, Credits, Currency, Rate};
use rad_core::revenue::{
    AccountState, Adjustment, Body, Bucket, BurnOrder, ChargeTerms, Entry, Expiry, Freeze, Grant, Hold,
    LotSource, PLATFORM_ACCOUNT, PartnerRate, ProjectDebit, Reason, Release, RevenueBasis, Reversal,
    ReversalCause, Rounding, ShareRules, Snapshot, Unfreeze, Violation,
};

use super::laws::{ACCOUNT, FINANCE, bought, capture, hold, key, post, refund};

const UNIT: i64 = 1_000_000;

/// What the account of these tests has: the numbers of its lots, holds and charge.
mod number {
    pub(super) const GIVEN: u64 = 1;
    pub(super) const BOUGHT: u64 = 2;
    pub(super) const CAPTURED: u64 = 3;
    pub(super) const CHARGE: u64 = 4;
    pub(super) const HELD: u64 = 5;
    pub(super) const FROZEN: u64 = 6;
    pub(super) const EXPIRING: u64 = 8;
    pub(super) const NONE: u64 = 99;
}

#[test]
fn every_violation_is_met_and_changes_nothing() {
    let mut met = BTreeSet::new();
    let bodies = [amounts_that_are_none(), wrong_names(), too_much(), wrong_grants(), wrong_terms()].concat();
    for (body, expected) in bodies {
        met.insert(refused(&account(), |entry| entry.body = body.clone(), &expected));
    }
    for (change, expected) in wrong_entries() {
        met.insert(refused(&account(), change, &expected));
    }
    for (rules, expected) in wrong_rules() {
        let body = Body::ShareRules(Arc::new(rules));
        met.insert(refused(
            &AccountState::new(PLATFORM_ACCOUNT),
            |entry| entry.body = body.clone(),
            &expected,
        ));
    }
    let mut indebted = account();
    post(&mut indebted, reversal(number::BOUGHT, 100 * UNIT)).unwrap();
    let expected = Violation::InDebt { debt: credits(15 * UNIT) };
    met.insert(refused(&indebted, |entry| entry.body = hold(credits(1), BurnOrder::AwardedFirst), &expected));
    met.insert(name(&Reason::new("ask finance@example.com").unwrap_err()));
    let torn = Snapshot { lots: Vec::new(), ..account().snapshot() };
    met.insert(name(&AccountState::try_from(torn).unwrap_err()));

    let source = include_str!("../../../../src/revenue/violation.rs");
    let body = source.split("pub enum Violation {").nth(1).unwrap();
    let all = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase));
    let all: BTreeSet<String> = all.map(|line| line.trim_end_matches([' ', '{', ',']).to_owned()).collect();
    assert!(all.len() > 30, "{all:?}");
    assert_eq!(met, all, "every violation has a bad entry that meets it");
}

/// Meets the violation with what would be the next entry but for one change; gives its name.
fn refused(state: &AccountState, change: impl FnOnce(&mut Entry), expected: &Violation) -> String {
    let at = state.last().unwrap_or(start());
    let mut entry = state.draft(at, key(b"bad"), Some(FINANCE), Body::Release(Release { hold: 0 }));
    change(&mut entry);
    let mut tried = state.clone();
    assert_eq!(tried.apply(&entry).as_ref(), Err(expected), "{entry:?}");
    assert_eq!(tried.snapshot(), state.snapshot());
    // What is kept beside the snapshot has not changed either: everything would be spent in the same order.
    let everything = tried.balance(at).spendable();
    for burn in BurnOrder::ALL {
        assert_eq!(tried.preview(everything, burn, at), state.preview(everything, burn, at));
    }
    assert!(expected.to_string().len() > 10, "it says what is wrong: {expected}");
    name(expected)
}

fn name(violation: &Violation) -> String {
    format!("{violation:?}").split([' ', '{']).next().unwrap().to_owned()
}

fn account() -> AccountState {
    let mut state = AccountState::new(ACCOUNT);
    let given = given(10 * UNIT);
    let first = state.draft(start(), key(b"first"), None, Body::Grant(given.clone()));
    state.apply(&first).unwrap();
    let awarded_first = |whole: i64| hold(credits(whole * UNIT), BurnOrder::AwardedFirst);
    for body in [
        bought(100 * UNIT, 10 * UNIT),
        awarded_first(20),
        capture(number::CAPTURED, 20 * UNIT, &Arc::new(terms())),
        awarded_first(5),
        bought(7 * UNIT, 7 * UNIT),
        Body::Freeze(Freeze { lot: number::FROZEN }),
        Body::Grant(Grant { expires: Some(start() + TimeDelta::hours(1)), ..given }),
    ] {
        post(&mut state, body).unwrap();
    }
    state
}

fn amounts_that_are_none() -> Vec<(Body, Violation)> {
    let none = |field, micros| Violation::NotPositive { field, value: credits(micros) };
    let mut bad = vec![(adjustment(Bucket::Awarded, 0), none("the amount of an adjustment, up or down,", 0))];
    for micros in [0, -1, i64::MIN] {
        bad.extend([
            (bought(micros, 0), none("credits", micros)),
            (hold(credits(micros), BurnOrder::AwardedFirst), none("amount", micros)),
            (capture(number::HELD, micros, &Arc::new(terms())), none("amount", micros)),
            (refund(number::CHARGE, micros), none("amount", micros)),
            (reversal(number::BOUGHT, micros), none("amount", micros)),
            (debit(micros), none("amount", micros)),
        ]);
    }
    bad
}

fn wrong_names() -> Vec<(Body, Violation)> {
    let mut bad = Vec::new();
    for hold in [0, number::NONE, u64::MAX] {
        bad.push((capture(hold, 1, &Arc::new(terms())), Violation::UnknownHold { hold }));
        bad.push((Body::Release(Release { hold }), Violation::UnknownHold { hold }));
    }
    for hold in [number::CAPTURED, number::BOUGHT, number::CHARGE] {
        bad.push((capture(hold, 1, &Arc::new(terms())), Violation::HoldSettled { hold }));
        bad.push((Body::Release(Release { hold }), Violation::HoldSettled { hold }));
    }
    for charge in [0, number::HELD, number::NONE] {
        bad.push((refund(charge, 1), Violation::UnknownCharge { charge }));
    }
    for lot in [0, number::CHARGE, number::NONE] {
        bad.push((Body::Freeze(Freeze { lot }), Violation::UnknownLot { lot }));
        bad.push((Body::Unfreeze(Unfreeze { lot }), Violation::UnknownLot { lot }));
        bad.push((reversal(lot, 1), Violation::UnknownLot { lot }));
        bad.push((Body::Expiry(Expiry { lot }), Violation::UnknownLot { lot }));
    }
    let lot = number::FROZEN;
    bad.push((Body::Freeze(Freeze { lot }), Violation::AlreadyFrozen { lot }));
    let lot = number::BOUGHT;
    bad.push((Body::Unfreeze(Unfreeze { lot }), Violation::NotFrozen { lot }));
    let lot = number::GIVEN;
    bad.push((reversal(lot, 1), Violation::NotPaid { lot }));
    for lot in [number::GIVEN, number::EXPIRING] {
        bad.push((Body::Expiry(Expiry { lot }), Violation::NotExpired { lot }));
    }
    bad
}

fn too_much() -> Vec<(Body, Violation)> {
    // Open are 85 purchased credits, and 10 awarded ones that expire; 5 purchased ones are held, 7 frozen.
    let mut bad = Vec::new();
    for amount in [95 * UNIT + 1, i64::MAX] {
        let (needed, available) = (credits(amount), credits(95 * UNIT));
        for burn in [BurnOrder::AwardedFirst, BurnOrder::PurchasedFirst] {
            bad.push((hold(needed, burn), Violation::InsufficientTotal { needed, available }));
        }
        let available = credits(85 * UNIT);
        bad.push((
            hold(needed, BurnOrder::PurchasedOnly),
            Violation::InsufficientPurchased { needed, available },
        ));
        bad.push((
            adjustment(Bucket::Purchased, -amount),
            Violation::InsufficientPurchased { needed, available },
        ));
        let available = credits(10 * UNIT);
        bad.push((
            adjustment(Bucket::Awarded, -amount),
            Violation::InsufficientAwarded { needed, available },
        ));
        let amount = needed;
        let held = credits(5 * UNIT);
        let exceeds = Violation::ExceedsHold { hold: number::HELD, held, amount };
        bad.push((capture(number::HELD, amount.micros(), &Arc::new(terms())), exceeds));
        let exceeds =
            Violation::ExceedsCharge { charge: number::CHARGE, refundable: credits(20 * UNIT), amount };
        bad.push((refund(number::CHARGE, amount.micros()), exceeds));
    }
    let (lot, amount) = (number::BOUGHT, credits(100 * UNIT + 1));
    let exceeds = Violation::ExceedsLot { lot, reversible: credits(100 * UNIT), amount };
    bad.push((reversal(lot, amount.micros()), exceeds));
    let what = "all that was ever granted and debited";
    bad.push((bought(i64::MAX, 0), Violation::Overflow { what }));
    bad
}

fn wrong_grants() -> Vec<(Body, Violation)> {
    let Body::Grant(bought) = bought(1, 1) else { unreachable!() };
    let (purchase, signup) = (LotSource::Purchase, LotSource::Signup);
    let wrong_cost =
        |source_kind, cost| Violation::WrongCost { source_kind, cost: Amount::from_micros(cost) };
    let with_cost = |grant: Grant, cost| Body::Grant(Grant { cost: Amount::from_micros(cost), ..grant });
    let awarded = Grant { bucket: Bucket::Awarded, ..bought.clone() };
    let past = Grant { expires: Some(start()), ..bought.clone() };
    let Body::Hold(held) = hold(credits(1), BurnOrder::AwardedFirst) else { unreachable!() };
    vec![
        (Body::Grant(awarded), Violation::WrongBucket { source_kind: purchase, bucket: Bucket::Awarded }),
        (Body::Grant(Grant { source: LotSource::Adjustment, ..bought.clone() }), Violation::NotAGrant),
        (with_cost(bought.clone(), -1), wrong_cost(purchase, -1)),
        (with_cost(bought, i64::MIN), wrong_cost(purchase, i64::MIN)),
        (with_cost(given(1), 1), wrong_cost(signup, 1)),
        (Body::Grant(past), Violation::AlreadyExpired { expires: start() }),
        (Body::Hold(Hold { expires: Some(start()), ..held }), Violation::HoldInThePast { expires: start() }),
    ]
}

fn wrong_terms() -> Vec<(Body, Violation)> {
    let charge = |terms: ChargeTerms| capture(number::HELD, 1, &Arc::new(terms));
    let (partner, agent): (Rate, Rate) = ("60".parse().unwrap(), "40.01".parse().unwrap());
    let greedy = ChargeTerms { partner_share: partner, agent_share: agent, ..terms() };
    vec![
        (
            charge(ChargeTerms { agent: Some(ACCOUNT), ..terms() }),
            Violation::SelfReferral { account: ACCOUNT },
        ),
        (charge(greedy), Violation::SharesExceedGross { partner, agent }),
        (
            charge(ChargeTerms { currency: Currency::EUR, ..terms() }),
            Violation::CurrencyChanged { expected: Currency::USD, actual: Currency::EUR },
        ),
        (Body::ShareRules(Arc::new(rules())), Violation::WrongKindOfAccount),
    ]
}

type Change = Box<dyn FnOnce(&mut Entry)>;

fn wrong_entries() -> Vec<(Change, Violation)> {
    let other = AccountId::from_bytes([9; 16]);
    let mut bad: Vec<(Change, Violation)> = vec![
        (
            Box::new(move |entry| entry.account = other),
            Violation::WrongAccount { expected: ACCOUNT, actual: other },
        ),
        (
            Box::new(|entry| entry.at = start() - TimeDelta::microseconds(1)),
            Violation::TimeBackwards { last: start(), at: start() - TimeDelta::microseconds(1) },
        ),
        (
            Box::new(|entry| entry.at = start() + TimeDelta::nanoseconds(1)),
            Violation::TimePrecision { at: start() + TimeDelta::nanoseconds(1) },
        ),
        (
            Box::new(|entry| entry.at = DateTime::<Utc>::MAX_UTC),
            Violation::TimePrecision { at: DateTime::<Utc>::MAX_UTC },
        ),
        (Box::new(|entry| (entry.actor, entry.body) = (None, refund(number::CHARGE, 1))), Violation::NoActor),
        (
            Box::new(|entry| (entry.actor, entry.body) = (Some(ACCOUNT), adjustment(Bucket::Awarded, 1))),
            Violation::OwnBalance { account: ACCOUNT },
        ),
    ];
    // Left out, told twice, and absurd.
    for seq in [10, 8, 0, u64::MAX] {
        let change: Change = Box::new(move |entry| entry.seq = seq);
        bad.push((change, Violation::OutOfSequence { expected: 9, actual: seq }));
    }
    bad
}

fn wrong_rules() -> Vec<(ShareRules, Violation)> {
    let full = Rate::FULL;
    let own = PartnerRate { partner: FINANCE, share: Rate::ZERO };
    let early = start() - TimeDelta::microseconds(1);
    let (agent, partner) = (rules().agent_share, full);
    vec![
        (ShareRules { version: 2, ..rules() }, Violation::RuleVersion { expected: 1, actual: 2 }),
        (
            ShareRules { effective: early, ..rules() },
            Violation::RulesBackdated { at: start(), effective: early },
        ),
        (ShareRules { overrides: vec![own, own], ..rules() }, Violation::UnorderedOverrides),
        (ShareRules { partner_share: full, ..rules() }, Violation::SharesExceedGross { partner, agent }),
    ]
}

fn start() -> DateTime<Utc> {
    "2026-10-01T08:00:00Z".parse().unwrap()
}

fn credits(micros: i64) -> Credits {
    Credits::from_micros(micros)
}

fn given(micros: i64) -> Grant {
    Grant {
        source: LotSource::Signup,
        bucket: Bucket::Awarded,
        credits: credits(micros),
        cost: Amount::ZERO,
        paid: None,
        expires: None,
        reference: None,
    }
}

fn debit(micros: i64) -> Body {
    Body::ProjectDebit(ProjectDebit { amount: credits(micros), project: [9; 16], deployment: None })
}

fn reversal(lot: u64, micros: i64) -> Body {
    Body::Reversal(Reversal { lot, amount: credits(micros), cause: ReversalCause::DisputeLost })
}

fn adjustment(bucket: Bucket, micros: i64) -> Body {
    Body::Adjustment(Adjustment { bucket, amount: credits(micros), reason: Reason::new("found").unwrap() })
}

fn rules() -> ShareRules {
    ShareRules {
        version: 1,
        effective: start(),
        currency: Currency::USD,
        partner_share: "20".parse().unwrap(),
        agent_share: "5".parse().unwrap(),
        overrides: Vec::new(),
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
    }
}

fn terms() -> ChargeTerms {
    let commit = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
    rules().terms(ModuleId::from_bytes([5; 16]), commit, Some(FINANCE), None)
}
