//! The engine against a deliberately naive model of the same rules: credits one by one, nothing indexed, nothing cached,
//! everything looked up by going through all of it. It shares no code with the engine.

mod model;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use rad_core::id::AccountId;
use rad_core::money::Credits;
use rad_core::revenue::{AccountState, Effect, RevenueLine};
use rad_core::strategies::{Script, scripts};

use self::model::{Line, Naive};

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

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
    prop_assert_eq!(state.balance(at).debt.micros(), model.owed.len() as i64);
    prop_assert_eq!(state.lots().len(), model.lots.len());
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
    }
    let open: Vec<u64> = state.holds().map(|hold| hold.id).collect();
    prop_assert_eq!(open, model.holds.keys().copied().collect::<Vec<_>>());
    Ok(())
}
