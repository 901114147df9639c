//! The engine against a deliberately naive model of the same rules: credits one by one, nothing indexed, nothing cached,
//! everything looked up by going through all of it. It shares no code with the engine.

mod model;

use std::iter::repeat_n;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use rad_core::id::AccountId;
use rad_core::money::Credits;
use rad_core::revenue::{AccountState, Balance, Bucket, DebtOf, Effect, Part, RevenueLine};
use rad_core::strategies::{Script, cases, scripts};

pub(super) use self::model::split;
use self::model::{Line, Naive, Of, Owed};

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);

proptest! {
    #![proptest_config(cases(1_024))]

    #[test]
    fn the_engine_does_what_a_naive_model_does(script in scripts(1..80)) {
        let mut naive = Naive::default();
        let mut state = AccountState::new(ACCOUNT);
        for attempt in small(script).play(ACCOUNT) {
            let lines = naive.apply(&attempt.entry);
            prop_assert_eq!(lines.is_none(), attempt.refused.is_some(), "{:?}: {:?}", attempt.entry, attempt.refused);
            let Some(lines) = lines else { continue };
            let effect = state.apply(&attempt.entry).unwrap();
            prop_assert_eq!(booked(&effect), lines, "{:?}", attempt.entry);
            compare(&naive, &state, attempt.entry.at)?;
        }
    }
}

/// The same script with at most a dozen millionths of a credit at a time: few enough to keep one by one.
fn small(mut script: Script) -> Script {
    for action in &mut script.actions {
        action.credits = Credits::from_micros(action.credits.micros().rem_euclid(12) + 1);
    }
    script
}

fn booked(effect: &Effect) -> Vec<Line> {
    let line = |line: &RevenueLine| Line {
        charge: line.charge,
        credits: line.credits.micros(),
        shares: [line.partner, line.agent, line.platform],
    };
    effect.lines.iter().map(line).collect()
}

fn compare(model: &Naive, state: &AccountState, at: DateTime<Utc>) -> Result<(), TestCaseError> {
    prop_assert_eq!(state.lots().len(), model.lots.len());
    let mut balance = Balance::default();
    for (lot, naive) in state.lots().iter().zip(model.lots.values()) {
        let unused = [lot.open, lot.frozen, lot.expired].map(Credits::micros);
        prop_assert_eq!(unused.iter().sum::<i64>(), naive.open);
        let void = naive.grant.expires.is_some_and(|expires| expires <= at);
        let place = if void { 2 } else { usize::from(naive.frozen) };
        prop_assert_eq!(unused[place], naive.open, "lot {} at {}", lot.id, at);
        prop_assert_eq!([lot.removed, lot.reversed].map(Credits::micros), [naive.removed, naive.reversed]);
        prop_assert_eq!(lot.unspent().micros(), model.unspent(lot.id));
        prop_assert_eq!(lot.unspent_cost.micros(), naive.unspent_cost);
        prop_assert_eq!((lot.earned.micros(), lot.booked), (naive.earned, naive.booked));
        let (usable, held) = match naive.grant.bucket {
            Bucket::Awarded => (&mut balance.awarded, &mut balance.held_awarded),
            Bucket::Purchased => (&mut balance.purchased, &mut balance.held_purchased),
        };
        let usable = if naive.frozen { &mut balance.frozen } else { usable };
        *usable = more(*usable, if void { 0 } else { naive.open });
        *held = more(*held, model.held(lot.id));
    }
    balance.debt = more(balance.debt, model.owed.len() as i64);
    prop_assert_eq!(state.balance(at), balance);
    compare_charges(model, state)
}

/// Holds, charges and debts, each in its order.
fn compare_charges(model: &Naive, state: &AccountState) -> Result<(), TestCaseError> {
    let holds = state.holds().map(|hold| {
        let lots = hold.parts.iter().flat_map(|(lot, credits)| repeat_n(*lot, credits.micros() as usize));
        (hold.id, lots.collect::<Vec<u64>>())
    });
    let reserved: Vec<_> = model.holds.iter().map(|(id, held)| (*id, held.credits.clone())).collect();
    prop_assert_eq!(holds.collect::<Vec<_>>(), reserved);
    for (id, naive) in &model.charges {
        let charge = state.charge(*id).unwrap();
        prop_assert_eq!(
            [charge.credits, charge.refunded].map(Credits::micros),
            [naive.credits, naive.refunded]
        );
        let shares = [charge.shares.partner, charge.shares.agent, charge.shares.platform];
        prop_assert_eq!(shares, naive.shares);
        let parts: Vec<_> = charge.parts.iter().map(numbers).collect();
        prop_assert_eq!(parts, model.parts_of(*id));
    }
    let debts = state.debts().iter().flat_map(|debt| {
        let of = match debt.of {
            DebtOf::Charge(charge) => Of::Charge(charge),
            DebtOf::Hold(hold) => Of::Hold(hold),
        };
        repeat_n(Owed { since: debt.entry, of }, debt.credits.micros() as usize)
    });
    prop_assert_eq!(debts.collect::<Vec<_>>(), model.owed.clone());
    Ok(())
}

fn more(sum: Credits, micros: i64) -> Credits {
    Credits::from_micros(sum.micros() + micros)
}

fn numbers(part: &Part) -> (u64, u64, [i64; 4]) {
    let numbers = [part.credits.micros(), part.cost.micros(), part.gross.micros(), part.gross_minor];
    (part.entry, part.lot, numbers)
}
