//! The laws of the engine, on histories as accounts have them and on arbitrary entries.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rad_core::id::AccountId;
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{
    AccountState, Body, Bucket, BurnOrder, Effect, Entry, EntryKey, Hold, Lot, Needs, Place, Reason, Refund,
    Release, RevenueBasis, RevenueLine, Violation,
};
use rad_core::strategies::{Attempt, Script, bodies, burn_orders, histories, scripts};

use super::sums;

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const FINANCE: AccountId = AccountId::from_bytes([2; 16]);

fn config() -> ProptestConfig {
    ProptestConfig { cases: 512, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_refusal_changes_nothing_and_nothing_panics(script in scripts(1..60)) {
        let mut state = AccountState::new(ACCOUNT);
        for Attempt { entry, refused } in script.play(ACCOUNT) {
            let before = state.clone();
            let outcome = state.apply(&entry);
            prop_assert_eq!(outcome.as_ref().err(), refused.as_ref());
            if let Some(violation) = refused {
                let inconsistent = matches!(violation, Violation::Inconsistent { .. });
                prop_assert!(!inconsistent, "{:?} met {}", entry, violation);
                prop_assert_eq!(&state, &before);
            }
        }
    }

    #[test]
    fn no_sequence_of_arbitrary_entries_panics_or_contradicts_itself(
        entries in prop::collection::vec((bodies(), any::<i64>()), 1..40),
    ) {
        let mut state = AccountState::new(ACCOUNT);
        for (body, micros) in entries {
            let Some(at) = chrono::DateTime::from_timestamp_micros(micros) else { continue };
            let entry = state.draft(at, EntryKey::from_bytes([0; 16]), Some(FINANCE), body);
            let before = state.clone();
            match state.apply(&entry) {
                Ok(_) => {}
                Err(Violation::Inconsistent { what }) => prop_assert!(false, "{what}"),
                Err(_) => prop_assert_eq!(&state, &before),
            }
            state.balance(at);
            let _ = state.preview(Credits::MAX, BurnOrder::AwardedFirst, at);
        }
    }

    #[test]
    fn every_credit_is_in_one_place(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        let mut moved: BTreeMap<(u64, Place), i64> = BTreeMap::new();
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            for step in &effect.moves {
                prop_assert!(step.credits.is_positive() && step.from != step.to);
                *moved.entry((step.lot, step.from)).or_default() -= step.credits.micros();
                *moved.entry((step.lot, step.to)).or_default() += step.credits.micros();
            }
            let balance = state.balance(entry.at);
            prop_assert_eq!(balance, effect.balance_after);
            let mut totals = [0; 4];
            for lot in state.lots() {
                check_lot(lot, &moved)?;
                totals[usize::from(lot.bucket == Bucket::Purchased)] += lot.open.micros();
                totals[2 + usize::from(lot.bucket == Bucket::Purchased)] += lot.held.micros();
            }
            let balances = [balance.awarded, balance.purchased, balance.held_awarded, balance.held_purchased];
            prop_assert_eq!(totals, balances.map(Credits::micros));
            let owed: i64 = state.debts().iter().map(|debt| debt.credits.micros()).sum();
            prop_assert_eq!(owed, balance.debt.micros());
        }
    }

    #[test]
    fn credits_go_in_the_burn_order_of_the_hold(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        for entry in &history.entries {
            let before = state.balance(entry.at);
            let effect = state.apply(entry).unwrap();
            let Body::Hold(hold) = &entry.body else { continue };
            let taken = |bucket| -> i64 {
                let held = effect.moves.iter().filter(|m| m.to == Place::Held && m.bucket == bucket);
                held.map(|step| step.credits.micros()).sum()
            };
            let (awarded, purchased) = (taken(Bucket::Awarded), taken(Bucket::Purchased));
            prop_assert_eq!(awarded + purchased, hold.amount.micros());
            match hold.burn {
                BurnOrder::PurchasedOnly => prop_assert_eq!(awarded, 0),
                BurnOrder::AwardedFirst if purchased > 0 => prop_assert_eq!(awarded, before.awarded.micros()),
                BurnOrder::PurchasedFirst if awarded > 0 => {
                    prop_assert_eq!(purchased, before.purchased.micros());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_stored_state_continues_as_the_live_one_does(history in histories(1..50)) {
        let mut live = AccountState::new(history.account);
        let mut stored = AccountState::new(history.account);
        for entry in &history.entries {
            let json = serde_json::to_string(&stored).unwrap();
            stored = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(stored.apply(entry).unwrap(), live.apply(entry).unwrap());
            prop_assert_eq!(&stored, &live);
        }
    }

    #[test]
    fn a_compact_state_needs_only_what_it_asks_for(history in histories(1..50)) {
        let mut live = AccountState::new(history.account);
        let mut compact = AccountState::new(history.account);
        for entry in &history.entries {
            supply(&mut compact, &live, &entry.body);
            let (expected, got) = (live.apply(entry).unwrap(), compact.apply(entry).unwrap());
            prop_assert_eq!(got, expected);
            compact.compact();
            prop_assert_eq!(compact.balance(entry.at), live.balance(entry.at));
        }
    }

    #[test]
    fn reused_memory_makes_no_difference(history in histories(1..50)) {
        let (mut one, mut other) = (AccountState::new(history.account), AccountState::new(history.account));
        let mut effect = Effect::default();
        for entry in &history.entries {
            one.apply_into(entry, &mut effect).unwrap();
            prop_assert_eq!(&effect, &other.apply(entry).unwrap());
        }
    }

    #[test]
    fn a_reset_state_is_a_new_one(one in histories(1..50), other in histories(1..50)) {
        let (mut used, mut new) = (AccountState::new(one.account), AccountState::new(other.account));
        for entry in &one.entries {
            used.apply(entry).unwrap();
        }
        used.reset(other.account);
        prop_assert_eq!(&used, &new);
        for entry in &other.entries {
            prop_assert_eq!(used.apply(entry).unwrap(), new.apply(entry).unwrap());
        }
    }

    #[test]
    fn passing_over_an_entry_does_nothing_but_count_it(history in histories(2..50)) {
        let Some((last, before)) = history.entries.split_last() else { return Ok(()) };
        let mut state = AccountState::new(history.account);
        for entry in before {
            state.apply(entry).unwrap();
        }
        let mut expected = state.snapshot();
        (expected.seq, expected.last) = (last.seq, last.at);
        state.pass_over(last).unwrap();
        prop_assert_eq!(state.snapshot(), expected);
    }

    #[test]
    fn a_preview_is_what_the_hold_then_does(script in scripts(1..50), amount in 1..200_000_000_i64, burn in burn_orders()) {
        let state = after(&script);
        let at = state.last().unwrap_or_default();
        let amount = Credits::from_micros(amount);
        let mut held = state.clone();
        let outcome = held.apply(&state.draft(at, key(b"hold"), None, hold(amount, burn)));
        match (state.preview(amount, burn, at), outcome) {
            (Ok(split), Ok(effect)) => {
                let steps = effect.moves.iter().filter(|step| step.to == Place::Held);
                let steps: Vec<_> = steps.map(|step| (step.lot, step.bucket, step.credits)).collect();
                let parts: Vec<_> = split.parts.iter().map(|p| (p.lot, p.bucket, p.credits)).collect();
                prop_assert_eq!(parts, steps);
                prop_assert_eq!(split.awarded.micros() + split.purchased.micros(), amount.micros());
            }
            (preview, outcome) => prop_assert_eq!(preview.err(), outcome.err()),
        }
    }

    #[test]
    fn hold_then_release_is_as_if_nothing_happened(script in scripts(1..50), amount in 1..200_000_000_i64) {
        let before = after(&script);
        let mut state = before.clone();
        let at = before.last().unwrap_or_default();
        // An entry of no consequence puts lapsed holds and expired lots aside on both sides.
        let entry = state.draft(at, key(b"hold"), None, hold(Credits::from_micros(amount), BurnOrder::AwardedFirst));
        if state.apply(&entry).is_ok() {
            let release = Body::Release(Release { hold: entry.seq });
            let release = state.draft(at, key(b"release"), None, release);
            let effect = state.apply(&release).unwrap();
            prop_assert_eq!(effect.balance_after, before.balance(at));
            prop_assert_eq!(state.lots(), before.lots());
            prop_assert!(effect.lines.is_empty() && effect.parts.is_empty());
        }
    }

    #[test]
    fn full_refunds_bring_everything_back(script in scripts(1..60), shares in prop::collection::vec(1..1_000_i64, 1..6)) {
        let mut state = AccountState::new(ACCOUNT);
        let mut lines = Vec::new();
        for attempt in script.play(ACCOUNT).iter().filter(|attempt| attempt.refused.is_none()) {
            lines.extend(state.apply(&attempt.entry).unwrap().lines);
        }
        let charges: Vec<u64> = (1..=state.seq()).filter(|id| state.charge(*id).is_some()).collect();
        for id in charges {
            // In several pieces, the last of which is all the rest.
            for share in shares.iter().copied().chain([1_000]) {
                let charge = state.charge(id).unwrap();
                let left = charge.credits.micros() - charge.refunded.micros();
                let amount = if share == 1_000 { left } else { (left / 1_000).saturating_mul(share) };
                if amount > 0 {
                    lines.extend(state.apply(&refund(&state, id, amount)).unwrap().lines);
                }
            }
            let charge = state.charge(id).unwrap();
            prop_assert!(charge.parts.is_empty() && charge.refunded == charge.credits);
            prop_assert_eq!(charge.shares, Default::default());
            prop_assert_eq!(sums(lines.iter().filter(|line| line.charge == id)), [0; 7]);
        }
        for lot in state.lots() {
            prop_assert_eq!((lot.spent(), lot.spent_cost()), (Credits::ZERO, Amount::ZERO));
            prop_assert_eq!((lot.earned, lot.booked), (Amount::ZERO, 0));
            prop_assert_eq!(lot.unspent_cost.checked_add(lot.reversed_cost), Some(lot.cost));
        }
    }

    #[test]
    fn lines_lots_and_charges_keep_the_same_cents(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        let mut lines: Vec<RevenueLine> = Vec::new();
        let mut paid = 0;
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            if let Body::Grant(grant) = &entry.body {
                paid += grant.cost.micros();
            }
            for line in &effect.lines {
                prop_assert_eq!(line.partner + line.agent + line.platform, line.gross);
                prop_assert_eq!(line.awarded.micros() + line.purchased.micros(), line.credits.micros());
                let shares = [line.partner, line.agent, line.platform];
                prop_assert!(shares.iter().all(|share| share.signum() * line.gross.signum() >= 0));
            }
            lines.extend(effect.lines);
            let booked: i64 = state.lots().iter().map(|lot| lot.booked).sum();
            prop_assert_eq!(sums(&lines)[0], booked);
            for line in &lines {
                let charge = state.charge(line.charge).unwrap();
                let of: Vec<_> = lines.iter().filter(|other| other.charge == charge.id).collect();
                let [gross, partner, agent, platform, ..] = sums(of);
                let shares = charge.shares;
                prop_assert_eq!([gross, partner, agent, platform], [shares.gross, shares.partner, shares.agent, shares.platform]);
                let parts: i64 = charge.parts.iter().map(|part| part.gross_minor).sum();
                prop_assert_eq!(parts, shares.gross);
                prop_assert!(shares.gross >= 0 && shares.partner >= 0 && shares.agent >= 0 && shares.platform >= 0);
            }
        }
        let terms = history.entries.iter().filter_map(|entry| match &entry.body {
            Body::Capture(capture) => Some(&capture.terms),
            _ => None,
        });
        let by_cost = terms.clone().all(|terms| terms.basis == RevenueBasis::LotCost && terms.allowance_earns.is_none());
        if let Some(currency) = terms.clone().map(|terms| terms.currency).next().filter(|_| by_cost) {
            prop_assert!(sums(&lines)[0] * currency.micros_per_minor() <= paid);
        }
    }

    #[test]
    fn accounts_do_not_meet(one in histories(1..30), other in histories(1..30), order: u64) {
        prop_assume!(one.account != other.account);
        let alone = [&one, &other].map(|history| replay(&history.entries, history.account));
        let mut states = [&one, &other].map(|history| AccountState::new(history.account));
        let mut queues = [one.entries.iter(), other.entries.iter()];
        let mut effects = [Vec::new(), Vec::new()];
        for turn in 0.. {
            let side = usize::from(order.rotate_right(turn % 64) & 1 == 1);
            let side = if queues[side].len() == 0 { 1 - side } else { side };
            let Some(entry) = queues[side].next() else { break };
            effects[side].push(states[side].apply(entry).unwrap());
        }
        for (side, (state, whole)) in alone.into_iter().enumerate() {
            prop_assert_eq!(&state, &states[side]);
            prop_assert_eq!(&whole, &effects[side]);
        }
    }

    #[test]
    fn the_balance_of_a_later_time_is_what_an_entry_then_finds(script in scripts(1..50), wait in 0..400_000_i64) {
        let mut state = after(&script);
        let at = state.last().unwrap_or_default() + chrono::TimeDelta::seconds(wait);
        let expected = state.balance(at);
        let debit = Body::Grant(rad_core::revenue::Grant {
            source: rad_core::revenue::LotSource::Signup,
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
}

fn check_lot(lot: &Lot, moved: &BTreeMap<(u64, Place), i64>) -> Result<(), TestCaseError> {
    let at = |place| moved.get(&(lot.id, place)).copied().unwrap_or(0);
    let places = [
        (Place::Open, lot.open),
        (Place::Frozen, lot.frozen),
        (Place::Held, lot.held),
        (Place::Expired, lot.expired),
        (Place::Removed, lot.removed),
        (Place::Reversed, lot.reversed),
        (Place::Spent, lot.spent()),
    ];
    for (place, credits) in places {
        prop_assert!(credits >= Credits::ZERO);
        prop_assert_eq!(credits.micros(), at(place), "{:?} of lot {}", place, lot.id);
    }
    let sum: i64 = places.iter().map(|(_, credits)| credits.micros()).sum();
    prop_assert_eq!(sum, lot.credits.micros());
    prop_assert_eq!(at(Place::Outside), -lot.credits.micros());
    let costs = [lot.unspent_cost, lot.reversed_cost, lot.spent_cost()];
    prop_assert!(costs.iter().all(|cost| *cost >= Amount::ZERO));
    prop_assert_eq!(costs.iter().map(|cost| cost.micros()).sum::<i64>(), lot.cost.micros());
    Ok(())
}

fn after(script: &Script) -> AccountState {
    let entries = script.play(ACCOUNT).into_iter().filter(|attempt| attempt.refused.is_none());
    replay(&entries.map(|attempt| attempt.entry).collect::<Vec<_>>(), ACCOUNT).0
}

fn replay(entries: &[Entry], account: AccountId) -> (AccountState, Vec<Effect>) {
    let mut state = AccountState::new(account);
    let effects = entries.iter().map(|entry| state.apply(entry).unwrap()).collect();
    (state, effects)
}

/// Gives a compact state what it asks for, from one that knows everything.
fn supply(compact: &mut AccountState, all: &AccountState, body: &Body) {
    let lots_of = |charge: u64| -> Vec<Lot> {
        let parts = all.charge(charge).map(|charge| charge.parts).unwrap_or_default();
        parts.iter().filter_map(|part| all.lot(part.lot).cloned()).collect()
    };
    let (lots, charges): (Vec<Lot>, Vec<u64>) = match AccountState::needs(body) {
        Needs::Lot(id) => (all.lot(id).cloned().into_iter().collect(), Vec::new()),
        Needs::Charge(id) => (lots_of(id), vec![id]),
        Needs::LotAndItsCharges(id) => {
            let has_part = |charge: &u64| {
                all.charge(*charge).is_some_and(|charge| charge.parts.iter().any(|part| part.lot == id))
            };
            (all.lot(id).cloned().into_iter().collect(), (1..=all.seq()).filter(has_part).collect())
        }
        _ => (Vec::new(), Vec::new()),
    };
    let mut lots = lots;
    lots.sort_by_key(|lot| lot.id);
    lots.dedup_by_key(|lot| lot.id);
    compact.attach(lots, charges.into_iter().filter_map(|id| all.charge(id))).unwrap();
}

fn refund(state: &AccountState, charge: u64, amount: i64) -> Entry {
    let reason = Reason::new("the module never worked").unwrap();
    let body = Body::Refund(Refund { charge, amount: Credits::from_micros(amount), reason });
    state.draft(state.last().unwrap_or_default(), key(b"refund"), Some(FINANCE), body)
}

fn hold(amount: Credits, burn: BurnOrder) -> Body {
    Body::Hold(Hold { amount, burn, expires: None, deployment: None, module: None })
}

fn key(name: &[u8]) -> EntryKey {
    EntryKey::derive("test", &[name])
}
