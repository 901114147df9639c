//! The history of share rules: what the engine takes, which rules are in force when, and charges that do not follow them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::money::{Credits, Currency, Rate};
use rad_core::revenue::{
    AccountState, Body, Capture, ChargeTerms, Entry, EntryKey, Expiry, PLATFORM_ACCOUNT, PartnerRate,
    RevenueBasis, Rounding, ShareHistory, ShareRules, TermsError, Violation,
};

const PARTNER: AccountId = AccountId::from_bytes([1; 16]);
const FAVOURED: AccountId = AccountId::from_bytes([2; 16]);
const AGENT: AccountId = AccountId::from_bytes([3; 16]);

#[test]
fn share_rules_go_into_the_platforms_account_alone() {
    let mut own = AccountState::new(PARTNER);
    let rules = Body::ShareRules(Arc::new(rules(1, 0, "20")));
    assert_eq!(own.apply(&draft(&own, 0, rules.clone())), Err(Violation::WrongKindOfAccount));
    let mut platform = AccountState::new(PLATFORM_ACCOUNT);
    let other = Body::Expiry(Expiry { lot: 1 });
    assert_eq!(platform.apply(&draft(&platform, 0, other)), Err(Violation::WrongKindOfAccount));
    platform.apply(&draft(&platform, 0, rules)).unwrap();
    assert_eq!(platform.seq(), 1);
}

#[test]
fn rules_that_skip_a_version_reach_back_or_share_out_too_much_are_refused() {
    let mut platform = AccountState::new(PLATFORM_ACCOUNT);
    let mut post = |at, rules| {
        let entry = draft(&platform, at, Body::ShareRules(Arc::new(rules)));
        platform.apply(&entry)
    };
    for version in [0, 2, u32::MAX] {
        let refused = post(0, rules(version, 0, "20")).unwrap_err();
        assert_eq!(refused, Violation::RuleVersion { expected: 1, actual: version });
    }
    let refused = post(10, rules(1, 9, "20")).unwrap_err();
    assert_eq!(refused, Violation::RulesBackdated { at: minute(10), effective: minute(9) });
    assert!(refused.to_string().contains("never backwards"), "{refused}");
    let greedy = ShareRules { agent_share: rate("80.01"), ..rules(1, 10, "20") };
    assert!(matches!(post(10, greedy), Err(Violation::SharesExceedGross { .. })));
    let favour = |partner| PartnerRate { partner, share: rate("96") };
    let greedy = ShareRules { overrides: vec![favour(FAVOURED)], ..rules(1, 10, "20") };
    assert!(matches!(post(10, greedy), Err(Violation::SharesExceedGross { .. })));
    let twice = PartnerRate { partner: PARTNER, share: rate("1") };
    let unordered = ShareRules { overrides: vec![twice, twice], ..rules(1, 10, "20") };
    assert_eq!(post(10, unordered), Err(Violation::UnorderedOverrides));
    let fine = ShareRules { effective: minute(10) + TimeDelta::nanoseconds(1), ..rules(1, 10, "20") };
    assert!(matches!(post(10, fine), Err(Violation::TimePrecision { .. })));
    post(10, rules(1, 10, "20")).unwrap();
    let refused = post(10, rules(1, 10, "20")).unwrap_err();
    assert_eq!(refused, Violation::RuleVersion { expected: 2, actual: 1 });
    post(10, rules(2, 99, "20")).unwrap();
}

#[test]
fn the_highest_version_that_has_begun_is_in_force() {
    let history = history(&[(0, 0, "20"), (5, 60, "30"), (10, 10, "25")]);
    let at = |at| history.at(minute(at)).map(|rules| rules.version);
    assert_eq!(at(-1), None);
    assert_eq!((at(0), at(9), at(10), at(59)), (Some(1), Some(1), Some(3), Some(3)));
    assert_eq!(at(61), Some(3), "rules that were to begin later are replaced before they do");
    assert_eq!(history.version(2).map(|rules| rules.partner_share), Some(rate("30")));
    assert_eq!((history.version(0), history.version(4)), (None, None));
    assert_eq!(history.rules().len(), 3);
}

#[test]
fn a_history_takes_only_what_the_engine_takes() {
    let mut history = history(&[(0, 0, "20")]);
    let before = history.clone();
    let mut skipped = AccountState::new(PLATFORM_ACCOUNT);
    let first = draft(&skipped, 0, Body::ShareRules(Arc::new(rules(1, 0, "20"))));
    skipped.apply(&first).unwrap();
    assert_eq!(history.add(&first), Err(Violation::OutOfSequence { expected: 2, actual: 1 }));
    let foreign = Entry { account: PARTNER, ..first };
    assert!(matches!(history.add(&foreign), Err(Violation::WrongAccount { .. })));
    assert_eq!(history, before);
}

#[test]
fn charges_at_the_rates_in_force_pass() {
    let history = history(&[(0, 0, "20"), (10, 10, "25")]);
    for (at, version) in [(0, 1), (9, 1), (10, 1), (11, 1), (10, 2), (500, 2)] {
        let terms =
            |partner| history.version(version).unwrap().terms(module(), commit(), partner, Some(AGENT));
        for partner in [None, Some(PARTNER), Some(FAVOURED)] {
            assert_eq!(history.check(&capture(at, terms(partner))), Ok(()), "{version} at {at}");
        }
    }
    let favoured = history.version(1).unwrap().terms(module(), commit(), Some(FAVOURED), None);
    assert_eq!(favoured.partner_share, rate("33"));
    let other = draft(&AccountState::new(PARTNER), 0, Body::Expiry(Expiry { lot: 1 }));
    assert_eq!(history.check(&other), Ok(()), "entries without terms pass");
}

#[test]
fn every_doctored_term_is_named() {
    let history = history(&[(0, 0, "20"), (10, 10, "25")]);
    let right = history.version(1).unwrap().terms(module(), commit(), Some(PARTNER), Some(AGENT));
    let price = "10".parse().unwrap();
    let doctored = [
        ("partner_share", ChargeTerms { partner_share: rate("20.01"), ..right.clone() }),
        ("partner_share", ChargeTerms { publisher: Some(FAVOURED), ..right.clone() }),
        ("agent_share", ChargeTerms { agent_share: rate("6"), ..right.clone() }),
        ("basis", ChargeTerms { basis: RevenueBasis::CreditsPerUnit(price), ..right.clone() }),
        ("allowance_earns", ChargeTerms { allowance_earns: Some(price), ..right.clone() }),
        ("currency", ChargeTerms { currency: Currency::EUR, ..right.clone() }),
        ("rule_version", ChargeTerms { rule_version: 0, ..right.clone() }),
        ("rule_version", ChargeTerms { rule_version: 3, ..right.clone() }),
    ];
    for (field, terms) in doctored {
        assert_eq!(fields(history.check(&capture(5, terms))), [field]);
    }
    let many = ChargeTerms { partner_share: rate("90"), agent_share: rate("9"), ..right.clone() };
    let refused = history.check(&capture(5, many)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the terms are not those of the share rules: partner_share is 90 %, not 20 %, agent_share is 9 %, not 5 %"
    );
    let unpaid = ChargeTerms { publisher: None, partner_share: rate("90"), ..right };
    assert_eq!(history.check(&capture(5, unpaid)), Ok(()), "a share that nobody earns decides nothing");
}

#[test]
fn rules_not_in_force_at_the_time_of_a_charge_are_named() {
    let history = history(&[(0, 0, "20"), (10, 10, "25"), (20, 40, "30"), (30, 30, "35")]);
    let terms = |version| {
        let rules: &ShareRules = history.version(version).unwrap();
        rules.terms(module(), commit(), Some(PARTNER), None)
    };
    assert_eq!(ShareHistory::UNDER_WAY, TimeDelta::minutes(1), "the minutes below count on it");
    for (version, at) in [(2, 9), (1, 12), (4, 29), (3, 40), (3, 41), (2, 32)] {
        let named = fields(history.check(&capture(at, terms(version))));
        assert_eq!(named, ["rule_version", "partner_share"], "{version} at {at}");
    }
    let early = history.check(&capture(-1, terms(1)));
    assert_eq!(early, Err(TermsError::NoRules { at: minute(-1), first: Some(minute(0)) }));
    let none = ShareHistory::new().check(&capture(0, terms(1)));
    assert_eq!(none, Err(TermsError::NoRules { at: minute(0), first: None }));
    assert_eq!(
        none.unwrap_err().to_string(),
        "no share rules were in force at 2026-10-01 00:00:00 UTC: the history has none"
    );
}

fn fields(checked: Result<(), TermsError>) -> Vec<&'static str> {
    match checked {
        Err(TermsError::Differ { differences }) => differences.iter().map(|found| found.field).collect(),
        other => panic!("not a difference: {other:?}"),
    }
}

/// Rules posted at the first minute, in force since the second, with this share of partners.
fn history(posts: &[(i64, i64, &str)]) -> ShareHistory {
    let mut state = AccountState::new(PLATFORM_ACCOUNT);
    let mut entries = Vec::new();
    for (version, (at, effective, share)) in (1..).zip(posts) {
        let entry = draft(&state, *at, Body::ShareRules(Arc::new(rules(version, *effective, share))));
        state.apply(&entry).unwrap();
        entries.push(entry);
    }
    ShareHistory::of(&entries).unwrap()
}

fn rules(version: u32, effective: i64, partner_share: &str) -> ShareRules {
    ShareRules {
        version,
        effective: minute(effective),
        currency: Currency::USD,
        partner_share: rate(partner_share),
        agent_share: rate("5"),
        overrides: vec![PartnerRate { partner: FAVOURED, share: rate("33") }],
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
    }
}

fn capture(at: i64, terms: ChargeTerms) -> Entry {
    let deployment: DeploymentId = "d0123456789a".parse().unwrap();
    let amount = Credits::from_micros(1);
    let body = Body::Capture(Capture { hold: 1, amount, deployment, terms: Arc::new(terms) });
    draft(&AccountState::new(AccountId::from_bytes([9; 16])), at, body)
}

fn draft(state: &AccountState, at: i64, body: Body) -> Entry {
    state.draft(minute(at), EntryKey::derive("test", &[]), None, body)
}

fn module() -> ModuleId {
    ModuleId::from_bytes([5; 16])
}

fn commit() -> rad_core::source::CommitId {
    "0123456789abcdef0123456789abcdef01234567".parse().unwrap()
}

fn minute(minutes: i64) -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn rate(percent: &str) -> Rate {
    percent.parse().unwrap()
}
