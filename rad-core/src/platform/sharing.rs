//! Share rules: what the settings say about splits, kept as entries of the platform's own account.
//!
//! Settings are saved first and the rules follow them, so a process that stops between the two leaves a ledger that is
//! behind. Whoever is next brings it up: a change of the settings, a start, and every charge before it takes its terms.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};

use super::{Actor, Parts, PlatformError, RevenueView};
use crate::error::BackendError;
use crate::ledger::{EntryQuery, LedgerError, LedgerExt, Post, Posted};
use crate::money::Rate;
use crate::page::Cursor;
use crate::revenue::{
    Body, EntryKey, PLATFORM_ACCOUNT, PartnerRate, RevenueBasis, Rounding, ShareHistory, ShareRules,
    Violation,
};
use crate::settings::Settings;

/// Rules that other processes post meanwhile are read this often; each time somebody changed the settings.
const ATTEMPTS: u32 = 16;

impl Actor {
    /// The share of charges from now on that the account earns in a view of revenue; `None` where all is shown.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn revenue_share(&self, view: RevenueView) -> Result<Option<Rate>, PlatformError> {
        let settings = self.settings().await?;
        Ok(match view {
            RevenueView::All => None,
            RevenueView::Partner => Some(settings.partner_share(self.id())),
            RevenueView::Agent => Some(settings.agent_revenue_share),
        })
    }
}

/// Posts the rules that the settings say, unless they are the last ones in the ledger, and gives these.
///
/// The version is the number of the entry, and the key names the version: of processes that post at once one wins, and
/// the others look again.
pub(super) async fn post_rules(parts: &Parts) -> Result<Arc<ShareRules>, PlatformError> {
    for _ in 0..ATTEMPTS {
        // The rules are read first: if they are still the last ones when a post comes, its settings are not older.
        let last = last_rules(parts).await?;
        let set = parts.settings.current().await?;
        let now = parts.clock.now().trunc_subsecs(6);
        let (version, at) = match &last {
            Some((rules, at)) => (rules.version.saturating_add(1), now.max(*at)),
            None => (1, now),
        };
        let rules = rules_of(&set.settings, version, at);
        if let Some((last, _)) = last.filter(|(last, _)| last.decides_as(&rules)) {
            return Ok(last);
        }
        let key = EntryKey::derive("share rules", &[&version.to_be_bytes()]);
        let body = Body::ShareRules(Arc::new(rules));
        match parts.ledger.post(Post { account: PLATFORM_ACCOUNT, key, at, actor: set.by, body }).await {
            // Posted; the settings may have changed again meanwhile.
            Ok(_) => {}
            // Another process was faster.
            Err(LedgerError::KeyReused { .. }) => {}
            Err(error) if was_overtaken(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(BackendError::unavailable("posting share rules", "the settings change all the time").into())
}

/// The rules in force from `earliest` or now on, whichever is later, and that time: the earliest one that a charge under
/// them can have.
pub(super) async fn rules_in_force(
    parts: &Parts,
    earliest: DateTime<Utc>,
) -> Result<(Arc<ShareRules>, DateTime<Utc>), PlatformError> {
    let last = post_rules(parts).await?;
    let at = parts.clock.now().max(earliest);
    if last.effective <= at {
        return Ok((last, at));
    }
    // Another machine's clock is ahead: until its time has come, the rules before it count.
    let history = history(parts).await?;
    Ok(match history.at(at) {
        Some(rules) => (Arc::clone(rules), at),
        None => history.rules().min_by_key(|rules| rules.effective).map_or_else(
            || (Arc::clone(&last), last.effective),
            |first| (Arc::clone(first), first.effective),
        ),
    })
}

/// The last rules in the ledger, with the time of their entry.
async fn last_rules(parts: &Parts) -> Result<Option<(Arc<ShareRules>, DateTime<Utc>)>, PlatformError> {
    let found = parts.ledger.entries(&platform_entries(false, None, 1)).await?.items;
    Ok(found.into_iter().find_map(|Posted { entry, .. }| match entry.body {
        Body::ShareRules(rules) => Some((rules, entry.at)),
        _ => None,
    }))
}

async fn history(parts: &Parts) -> Result<ShareHistory, PlatformError> {
    let mut history = ShareHistory::new();
    let mut after = None;
    loop {
        let page = parts.ledger.entries(&platform_entries(true, after, EntryQuery::MOST)).await?;
        for posted in &page.items {
            history.add(&posted.entry)?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(history),
        }
    }
}

fn platform_entries(oldest_first: bool, page: Option<Cursor>, limit: u32) -> EntryQuery {
    EntryQuery { oldest_first, page, limit, ..EntryQuery::new(PLATFORM_ACCOUNT) }
}

fn was_overtaken(error: &LedgerError) -> bool {
    matches!(error.violation(), Some(Violation::RuleVersion { .. } | Violation::RulesBackdated { .. }))
}

fn rules_of(settings: &Settings, version: u32, effective: DateTime<Utc>) -> ShareRules {
    let price = settings.credits_per_unit;
    let own = settings.partner_rates.iter();
    ShareRules {
        version,
        effective,
        currency: settings.currency,
        partner_share: settings.partner_revenue_share,
        agent_share: settings.agent_revenue_share,
        overrides: own.map(|(partner, share)| PartnerRate { partner: *partner, share: *share }).collect(),
        basis: if settings.revenue_at_price {
            RevenueBasis::CreditsPerUnit(price)
        } else {
            RevenueBasis::LotCost
        },
        allowance_earns: settings.allowance_earns_revenue.then_some(price),
        rounding: Rounding::default(),
    }
}
