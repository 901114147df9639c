//! The history of share rules, in the platform's own account.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::time;
use crate::conformance::{must, must_fail, side_by_side};
use crate::id::AccountId;
use crate::ledger::{EntryQuery, Ledger, LedgerError, LedgerExt, Post, Posted};
use crate::money::{Currency, Rate};
use crate::revenue::{
    Body, EntryKey, PLATFORM_ACCOUNT, PartnerRate, RevenueBasis, Rounding, ShareHistory, ShareRules,
    Violation,
};

/// Rules are posted, read back unchanged as a history, and refused without a trace out of turn or backdated.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_share_rules(ledger: &dyn Ledger) {
    let (mut version, mut at) = last(ledger).await;
    for share in [10, 20] {
        (version, at) = (version + 1, at + TimeDelta::seconds(1));
        let posted = must("the next rules are posted", ledger.post(post(version, at, share)).await);
        assert_eq!(posted.entry.seq, u64::from(version), "the version is the number of the entry");
    }
    let skipped = must_fail("a skipped version", ledger.post(post(version + 2, at, 30)).await);
    let skipped = skipped.violation().cloned();
    assert_eq!(
        skipped,
        Some(Violation::RuleVersion { expected: u64::from(version) + 1, actual: version + 2 })
    );
    let early = at - TimeDelta::seconds(1);
    let backdated = must_fail("backdated rules", ledger.post(post(version + 1, early, 30)).await);
    assert_eq!(backdated.violation(), Some(&Violation::RulesBackdated { at, effective: early }));
    let history = history(ledger).await;
    assert_eq!(history.at(at).map(|rules| rules.version), Some(version), "what was refused leaves no trace");
    assert_eq!(history.version(version).map(Arc::as_ref), Some(&rules(version, at, 20)));
    let findings = must("the history can be verified", ledger.verify(PLATFORM_ACCOUNT).await);
    assert_eq!(findings, [], "nothing is found where nobody tampered");
}

/// Of racing posts of the next version one wins.
///
/// # Panics
/// If the contract is broken.
pub async fn lets_one_of_racing_versions_win(ledger: &dyn Ledger) {
    let (version, at) = last(ledger).await;
    let posts = (1..=8).map(|share| ledger.post(post(version + 1, at, share)));
    let mut winners = Vec::new();
    for result in side_by_side(posts).await {
        match result {
            Ok(posted) => winners.push(posted),
            Err(LedgerError::Refused { violation: Violation::RuleVersion { .. }, .. }) => {}
            Err(other) => panic!("the losers of a race are told that the version is taken: {other:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "of racing versions one wins");
    let history = history(ledger).await;
    let won = winners.first().map(|posted| &posted.entry.body);
    assert_eq!(history.version(version + 1).map(|rules| Body::ShareRules(Arc::clone(rules))).as_ref(), won);
    assert_eq!(history.version(version + 2), None, "the others left no trace");
}

/// The last version there is, and its time.
async fn last(ledger: &dyn Ledger) -> (u32, DateTime<Utc>) {
    let entries = entries(ledger).await;
    let last = entries.last().map(|posted| posted.entry.at);
    (u32::try_from(entries.len()).unwrap_or(u32::MAX), last.unwrap_or_else(time))
}

async fn history(ledger: &dyn Ledger) -> ShareHistory {
    let entries = entries(ledger).await;
    must("what is stored is a history", ShareHistory::of(entries.iter().map(|posted| &posted.entry)))
}

async fn entries(ledger: &dyn Ledger) -> Vec<Posted> {
    let mut entries = Vec::new();
    let mut query = EntryQuery { oldest_first: true, ..EntryQuery::new(PLATFORM_ACCOUNT) };
    loop {
        let page = must("the platform's entries can be read", ledger.entries(&query).await);
        entries.extend(page.items);
        match page.next {
            None => return entries,
            next => query.page = next,
        }
    }
}

/// Rules of a version, under a key of their content.
fn post(version: u32, at: DateTime<Utc>, share: u16) -> Post {
    let key = EntryKey::derive("conformance", &[&version.to_be_bytes(), &share.to_be_bytes()]);
    let body = Body::ShareRules(Arc::new(rules(version, at, share)));
    Post { account: PLATFORM_ACCOUNT, key, at, actor: None, body }
}

fn rules(version: u32, effective: DateTime<Utc>, share: u16) -> ShareRules {
    let rate = |percent: u16| must("a rate", Rate::from_basis_points(percent * 100));
    ShareRules {
        version,
        effective,
        currency: Currency::USD,
        partner_share: rate(share),
        agent_share: rate(5),
        overrides: vec![PartnerRate { partner: AccountId::from_bytes([7; 16]), share: rate(50) }],
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
    }
}
