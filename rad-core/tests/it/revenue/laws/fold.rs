//! The state is a fold: of the entries before it and of nothing else, whatever is refused in between.

use proptest::prelude::*;
use rad_core::money::Credits;
use rad_core::revenue::{
    AccountState, Body, BurnOrder, Charge, Effect, EntryKey, Lot, Needs, RevenueLine, Violation,
};
use rad_core::source::Digest;
use rad_core::strategies::{Attempt, Script, bodies, cases, histories, scripts};

use super::{ACCOUNT, CASES, FINANCE, replay, taken};

proptest! {
    #![proptest_config(cases(CASES))]

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
    fn a_charge_begins_as_the_entry_that_made_it_says(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            prop_assert_eq!(Charge::made_by(entry, &effect), state.charge(entry.seq));
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
    fn a_replay_of_any_prefix_is_the_live_state_then(history in histories(1..40)) {
        let (mut live, mut effects) = (AccountState::new(history.account), Vec::new());
        for (place, entry) in history.entries.iter().enumerate() {
            effects.push(live.apply(entry).unwrap());
            let (state, replayed) = replay(&history.entries[..=place], history.account);
            prop_assert_eq!(&state, &live);
            prop_assert_eq!(&replayed, &effects);
        }
    }

    #[test]
    fn what_is_appended_changes_no_closed_period(script in scripts(2..50), other in scripts(1..50), cut: prop::sample::Index) {
        let cut = cut.index(script.actions.len());
        let actions = script.actions[..cut].iter().chain(&other.actions).cloned().collect();
        let history = taken(&script);
        let rewritten = taken(&Script { actions, ..script.clone() });
        let closed = taken(&Script { actions: script.actions[..cut].to_vec(), ..script });
        let Some(end) = closed.last().map(|entry| entry.at) else { return Ok(()) };
        let reports = [closed.clone(), history, rewritten].map(|entries| {
            let (_, effects) = replay(&entries, ACCOUNT);
            let head = entries[..closed.len()].iter().fold(Digest::ZERO, |head, entry| entry.hash(&head));
            let lines: Vec<RevenueLine> =
                effects.iter().flat_map(|effect| &effect.lines).filter(|line| line.at < end).copied().collect();
            (effects[..closed.len()].to_vec(), head, lines)
        });
        prop_assert_eq!(&reports[0], &reports[1]);
        prop_assert_eq!(&reports[0], &reports[2]);
    }

    #[test]
    fn a_stored_state_continues_as_the_live_one_does(script in scripts(1..50)) {
        let (mut live, mut stored) = (AccountState::new(ACCOUNT), AccountState::new(ACCOUNT));
        for Attempt { entry, refused } in script.play(ACCOUNT) {
            // Only the live one meets what is refused.
            let outcome = live.apply(&entry);
            if refused.is_none() {
                let json = serde_json::to_string(&stored).unwrap();
                stored = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(stored.apply(&entry), outcome);
            }
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
