//! The laws prove nothing about what the strategies never reach: they reach every kind of entry and every rule.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rad_core::id::AccountId;
use rad_core::revenue::{AccountState, DebtOf, LineKind, Place};
use rad_core::strategies::scripts;

#[test]
fn scripts_reach_every_rule() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..512 {
        let script = scripts(1..60).new_tree(&mut runner).unwrap().current();
        let mut state = AccountState::new(AccountId::from_bytes([1; 16]));
        for attempt in script.play(state.account()) {
            let mut see = |what: String| *seen.entry(what).or_default() += 1;
            if let Some(violation) = attempt.refused {
                let name = format!("{violation:?}");
                see(format!("refused {}", name.split([' ', '{']).next().unwrap()));
                continue;
            }
            let effect = state.apply(&attempt.entry).unwrap();
            see(attempt.entry.body.kind().to_owned());
            effect.moves.iter().for_each(|step| see(format!("{:?} to {:?}", step.from, step.to)));
            effect.lines.iter().for_each(|line| see(format!("{:?} of {}", line.kind, line.gross.signum())));
            effect.lapsed.iter().for_each(|_| see("lapsed".to_owned()));
            for debt in &effect.debts {
                let of = if matches!(debt.of, DebtOf::Hold(_)) { "hold" } else { "charge" };
                see(format!("debt of {of} {}", debt.credits.micros().signum()));
            }
        }
    }
    let kinds =
        "grant hold capture release refund freeze unfreeze reversal expiry project_debit adjustment lapsed";
    let mut wanted: Vec<String> = kinds.split(' ').map(str::to_owned).collect();
    for (from, to) in [
        (Place::Open, Place::Held),
        (Place::Open, Place::Expired),
        (Place::Open, Place::Removed),
        (Place::Open, Place::Reversed),
        (Place::Frozen, Place::Expired),
        (Place::Frozen, Place::Reversed),
        (Place::Held, Place::Open),
        (Place::Held, Place::Frozen),
        (Place::Held, Place::Expired),
        (Place::Held, Place::Reversed),
        (Place::Spent, Place::Open),
        (Place::Spent, Place::Frozen),
        (Place::Spent, Place::Expired),
        (Place::Spent, Place::Reversed),
        (Place::Expired, Place::Reversed),
    ] {
        wanted.push(format!("{from:?} to {to:?}"));
    }
    for (kind, sign) in
        [(LineKind::Charge, 1), (LineKind::Refund, -1), (LineKind::Reversal, -1), (LineKind::Repayment, 1)]
    {
        wanted.push(format!("{kind:?} of {sign}"));
    }
    wanted
        .extend(["hold", "charge"].iter().flat_map(|of| [1, -1].map(|sign| format!("debt of {of} {sign}"))));
    let refused = "InsufficientTotal InsufficientPurchased InsufficientAwarded InDebt ExceedsCharge ExceedsLot NotPaid \
                   AlreadyFrozen NotFrozen NotExpired NotPositive Overflow WrongCost";
    wanted.extend(refused.split_whitespace().map(|name| format!("refused {name}")));
    for what in wanted {
        let times = seen.get(&what).copied().unwrap_or(0);
        assert!(times >= 5, "{what:?} was met {times} times only; met were {seen:#?}");
    }
}
