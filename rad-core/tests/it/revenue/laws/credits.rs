//! Where credits are, which ones go first, and that what is undone leaves no trace.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{AccountState, Body, Bucket, BurnOrder, DebtOf, Lot, Part, Place, Release};
use rad_core::strategies::{burn_orders, cases, histories, scripts};

use super::super::sums;
use super::{CASES, after, capture, hold, key, post, refund_all};

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn every_credit_is_in_one_place(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        let mut moved: BTreeMap<(u64, Place), i64> = BTreeMap::new();
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            for step in &effect.moves {
                prop_assert!(step.credits.is_positive() && step.from != step.to);
                let void = state.lot(step.lot).unwrap().is_expired(entry.at);
                prop_assert!(!(void && step.to == Place::Open), "what has run out is not given back");
                *moved.entry((step.lot, step.from)).or_default() -= step.credits.micros();
                *moved.entry((step.lot, step.to)).or_default() += step.credits.micros();
            }
            let balance = state.balance(entry.at);
            prop_assert_eq!(balance, effect.balance_after);
            let (mut totals, mut granted, mut elsewhere) = ([0; 4], 0, 0);
            for lot in state.lots() {
                check_lot(lot, &moved)?;
                totals[usize::from(lot.bucket == Bucket::Purchased)] += lot.open.micros();
                totals[2 + usize::from(lot.bucket == Bucket::Purchased)] += lot.held.micros();
                granted += lot.credits.micros();
                let gone = [lot.frozen, lot.spent(), lot.expired, lot.removed, lot.reversed];
                elsewhere += gone.map(Credits::micros).iter().sum::<i64>();
            }
            let balances = [balance.awarded, balance.purchased, balance.held_awarded, balance.held_purchased];
            prop_assert_eq!(totals, balances.map(Credits::micros));
            prop_assert_eq!(granted, balance.spendable().micros() + balance.held().micros() + elsewhere);
            let owed: i64 = state.debts().iter().map(|debt| debt.credits.micros()).sum();
            prop_assert_eq!(owed, balance.debt.micros());
        }
    }

    #[test]
    fn credits_go_in_the_burn_order_of_the_hold(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            let Body::Hold(hold) = &entry.body else { continue };
            let turns = match hold.burn {
                BurnOrder::PurchasedOnly => [None, Some(0)],
                BurnOrder::PurchasedFirst => [Some(1), Some(0)],
                _ => [Some(0), Some(1)],
            };
            let order = |lot: &Lot| {
                let turn = turns[usize::from(lot.bucket == Bucket::Purchased)];
                turn.map(|turn| (turn, lot.expires.is_none(), lot.expires, lot.id))
            };
            let held: Vec<_> = effect.moves.iter().filter(|step| step.to == Place::Held).collect();
            prop_assert_eq!(held.iter().map(|step| step.credits.micros()).sum::<i64>(), hold.amount.micros());
            let picked: Vec<_> = held.iter().map(|step| order(state.lot(step.lot).unwrap())).collect();
            prop_assert!(picked.iter().all(Option::is_some) && picked.is_sorted_by(|one, next| one < next));
            // Whatever comes before the last lot it took from has nothing left to give.
            let last = picked.last().copied().flatten();
            for lot in state.lots().iter().filter(|lot| !lot.is_frozen && !lot.is_expired(entry.at)) {
                prop_assert!(order(lot).is_none() || order(lot) >= last || lot.open == Credits::ZERO);
            }
        }
    }

    #[test]
    fn a_capture_takes_the_first_of_its_hold_and_releases_the_rest_last_first(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        for entry in &history.entries {
            let holds: Vec<_> = state.holds().collect();
            let effect = state.apply(entry).unwrap();
            let Body::Capture(capture) = &entry.body else { continue };
            let hold = holds.iter().find(|hold| hold.id == capture.hold).unwrap();
            let (mut first, mut rest) = (Vec::new(), Vec::new());
            let mut left = capture.amount.micros();
            for (lot, credits) in hold.parts.iter().map(|(lot, credits)| (*lot, credits.micros())) {
                let some = credits.min(left);
                left -= some;
                first.extend((some > 0).then_some((lot, some)));
                rest.extend((credits > some).then_some((lot, credits - some)));
            }
            rest.reverse();
            let parts: Vec<_> = effect.parts.iter().map(|part| (part.lot, part.credits.micros())).collect();
            prop_assert_eq!(parts, first);
            let returned: Vec<_> = effect
                .moves
                .iter()
                .filter(|step| step.from == Place::Held && step.to != Place::Spent)
                .map(|step| (step.lot, step.credits.micros()))
                .collect();
            prop_assert!(returned.ends_with(&rest), "{:?} ends with {:?}", returned, rest);
            let of = DebtOf::Charge(entry.seq);
            let owed = state.debts().iter().filter(|debt| debt.of == of).map(|debt| debt.credits.micros());
            prop_assert_eq!(owed.sum::<i64>(), left);
            prop_assert_eq!(effect.lines[0].policies.burn, hold.burn);
        }
    }

    #[test]
    fn charges_of_purchased_credits_only_touch_no_awarded_ones(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        let (mut holds, mut charges) = (BTreeSet::new(), BTreeSet::new());
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            match &entry.body {
                Body::Hold(hold) if hold.burn == BurnOrder::PurchasedOnly => drop(holds.insert(entry.seq)),
                Body::Capture(capture) if holds.contains(&capture.hold) => drop(charges.insert(entry.seq)),
                _ => {}
            }
            for part in effect.parts.iter().filter(|part| charges.contains(&part.charge)) {
                prop_assert_eq!(part.bucket, Bucket::Purchased);
            }
            for line in effect.lines.iter().filter(|line| charges.contains(&line.charge)) {
                prop_assert_eq!(line.awarded, Credits::ZERO);
            }
        }
    }

    #[test]
    fn the_parts_told_are_the_parts_that_stand(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        let mut told: BTreeMap<(u64, u64, u64), [i64; 4]> = BTreeMap::new();
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            for part in &effect.parts {
                let sums = told.entry((part.charge, part.entry, part.lot)).or_default();
                sums.iter_mut().zip(numbers(part)).for_each(|(sum, number)| *sum += number);
            }
            told.retain(|_, sums| *sums != [0; 4]);
            let charges: Vec<_> = (1..=state.seq()).filter_map(|id| state.charge(id)).collect();
            let parts = charges.iter().flat_map(|charge| &charge.parts);
            let stand: BTreeMap<_, _> =
                parts.clone().map(|part| ((part.charge, part.entry, part.lot), numbers(part))).collect();
            prop_assert_eq!(&stand, &told);
            for lot in state.lots() {
                let of_lot = parts.clone().filter(|part| part.lot == lot.id).map(numbers);
                let sums = of_lot.fold([0; 4], |sums, part| std::array::from_fn(|place| sums[place] + part[place]));
                let spent = [lot.spent().micros(), lot.spent_cost().micros(), lot.earned.micros(), lot.booked];
                prop_assert_eq!(sums, spent, "lot {}", lot.id);
                prop_assert!(spent[0] <= lot.credits.micros() && spent[1] <= lot.cost.micros());
            }
            for charge in &charges {
                let paid: i64 = charge.parts.iter().map(|part| part.credits.micros()).sum();
                let debts = state.debts().iter().filter(|debt| debt.of == DebtOf::Charge(charge.id));
                let owed: i64 = debts.map(|debt| debt.credits.micros()).sum();
                prop_assert_eq!(paid + owed + charge.refunded.micros(), charge.credits.micros());
            }
        }
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
    fn hold_then_release_is_as_if_nothing_happened(script in scripts(1..50), amount in 1..200_000_000_i64, burn in burn_orders()) {
        let before = after(&script);
        let mut state = before.clone();
        let at = before.last().unwrap_or_default();
        // An entry of no consequence puts lapsed holds and expired lots aside on both sides.
        let entry = state.draft(at, key(b"hold"), None, hold(Credits::from_micros(amount), burn));
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
    fn a_charge_refunded_in_full_is_as_if_it_had_never_been(
        script in scripts(1..50),
        amount in 1..200_000_000_i64,
        share in 1..=1_000_i64,
        burn in burn_orders(),
        pieces in prop::collection::vec(1..1_000_i64, 0..4),
    ) {
        let before = after(&script);
        let mut state = before.clone();
        if post(&mut state, hold(Credits::from_micros(amount), burn)).is_err() {
            return Ok(());
        }
        let charge = capture(state.seq(), (amount * share / 1_000).max(1), &script.terms[0]);
        let Ok(mut effect) = post(&mut state, charge) else { return Ok(()) };
        let charge = state.seq();
        for refund in refund_all(&mut state, charge, &pieces) {
            effect.lines.extend(refund.lines);
            effect.balance_after = refund.balance_after;
        }
        prop_assert_eq!(state.lots(), before.lots());
        prop_assert_eq!(state.debts(), before.debts());
        prop_assert_eq!(effect.balance_after, before.balance(before.last().unwrap_or_default()));
        prop_assert_eq!(sums(&effect.lines), [0; 7]);
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

/// Credits, cost, gross, and gross in minor units.
fn numbers(part: &Part) -> [i64; 4] {
    [part.credits.micros(), part.cost.micros(), part.gross.micros(), part.gross_minor]
}
