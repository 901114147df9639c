//! Simulated markets: as many entries as asked for, every one valid, varied, and the same for ever.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::revenue::{AccountState, Body, Entry, LineKind, LotSource, PLATFORM_ACCOUNT, Place};
use rad_core::simulation::{Simulation, SimulationError};
use sha2::{Digest as _, Sha256};

const MARKET: Simulation = Simulation { accounts: 60, entries: 12_000, seed: 3 };

#[test]
fn the_same_seed_gives_the_same_bytes_for_ever() {
    let digest = |seed| {
        let market = Simulation { accounts: 20, entries: 2_000, seed }.market().unwrap();
        let mut hash = Sha256::new();
        market.entries().for_each(|entry| hash.update(entry.canonical_bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    assert_eq!(digest(7), "68d2c646a44fb44797453ecfc0c4d1279980a5f3f3c4a6ac5b7de1ec51dc260d");
    assert_ne!(digest(7), digest(8));
}

#[test]
fn there_are_exactly_as_many_entries_and_accounts_as_asked_for() {
    for (accounts, entries) in [(1, 2), (1, 3), (2, 3), (3, 40), (7, 5_000), (500, 501), (500, 2_000)] {
        for seed in 0..3 {
            let market = Simulation { accounts, entries, seed }.market().unwrap();
            let all: Vec<Entry> = market.entries().collect();
            assert_eq!(all.len() as u64, entries, "{accounts} accounts");
            let ids: BTreeSet<_> = all.iter().map(|entry| entry.account).collect();
            assert_eq!(ids.len() as u64, accounts + 1);
            assert!(all.is_sorted_by_key(|entry| (entry.account, entry.seq)));
            assert_eq!(all[0].account, PLATFORM_ACCOUNT);
        }
    }
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let market = |accounts, entries| Simulation { accounts, entries, seed: 0 }.market().map(|_| ());
    assert_eq!(market(0, 10), Err(SimulationError::NoAccounts));
    assert_eq!(market(10, 10), Err(SimulationError::TooFewEntries { entries: 10, accounts: 10, least: 11 }));
    assert_eq!(market(10, u64::MAX), Err(SimulationError::TooManyEntries { entries: u64::MAX }));
}

#[test]
fn every_entry_can_be_posted_and_every_charge_follows_the_rules_in_force() {
    let market = MARKET.market().unwrap();
    let mut states: BTreeMap<_, AccountState> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for entry in market.entries() {
        let state = states.entry(entry.account).or_insert_with(|| AccountState::new(entry.account));
        state.apply(&entry).unwrap();
        market.history().check(&entry).unwrap();
        assert!(keys.insert((entry.account, entry.key)), "{entry:?}");
        assert_eq!(entry.at.format("%Y").to_string(), "2026");
    }
}

#[test]
fn a_year_has_everything_that_happens_on_a_market() {
    let market = MARKET.market().unwrap();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut histories = market.histories();
    while let Some((entry, effect)) = histories.step() {
        let mut see = |what: &str| *seen.entry(what.to_owned()).or_default() += 1;
        see(entry.body.kind());
        match &entry.body {
            Body::Grant(grant) => {
                see(&format!("{:?}", grant.source));
                grant.paid.iter().for_each(|paid| see(paid.money.currency().as_str()));
            }
            Body::Hold(hold) => see(hold.burn.as_str()),
            Body::Capture(capture) => {
                see(&format!("rules {}", capture.terms.rule_version));
                capture.terms.agent.iter().for_each(|_| see("agent"));
                capture.terms.publisher.iter().for_each(|_| see("publisher"));
            }
            _ => {}
        }
        effect.lapsed.iter().for_each(|_| see("lapse"));
        effect.lines.iter().for_each(|line| see(&format!("{:?} line", line.kind)));
        effect.moves.iter().filter(|change| change.to == Place::Expired).for_each(|_| see("expired"));
    }
    let kinds = [
        "grant",
        "hold",
        "capture",
        "release",
        "refund",
        "freeze",
        "unfreeze",
        "reversal",
        "expiry",
        "project_debit",
        "adjustment",
        "share_rules",
        "lapse",
        "expired",
        "agent",
        "publisher",
        "awarded_first",
        "purchased_only",
        "EUR",
        "GBP",
        "JPY",
        "KWD",
        "NGN",
        "rules 1",
        "rules 2",
        "rules 3",
        "rules 4",
        "rules 5",
    ];
    let sources = [
        LotSource::Signup,
        LotSource::Referral,
        LotSource::AdminAward,
        LotSource::Purchase,
        LotSource::Subscription,
        LotSource::PartnerAllowance,
    ];
    let lines = [LineKind::Charge, LineKind::Refund, LineKind::Reversal, LineKind::Repayment];
    let names = kinds.into_iter().map(str::to_owned);
    let names = names.chain(sources.iter().map(|source| format!("{source:?}")));
    for name in names.chain(lines.iter().map(|kind| format!("{kind:?} line"))) {
        assert!(seen.contains_key(&name), "no {name} in {seen:#?}");
    }
    assert!(seen["capture"] > 12_000 / 5 && seen["hold"] > seen["capture"], "{seen:#?}");
}

#[test]
fn accounts_can_be_walked_in_pieces() {
    let market = MARKET.market().unwrap();
    let mut pieces = market.histories_of(0..20);
    let mut rest = market.histories_of(20..u64::MAX);
    let mut found = Vec::new();
    for walk in [&mut pieces, &mut rest] {
        while let Some((entry, _)) = walk.step() {
            found.push(entry.clone());
        }
    }
    let whole: Vec<Entry> = market.entries().filter(|entry| entry.account != PLATFORM_ACCOUNT).collect();
    assert!(found == whole);
}
