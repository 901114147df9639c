//! The ledger: append-only entries per account, applied by the revenue engine.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{BackendError, FailureKind};
use crate::id::{AccountId, DeploymentId, ModuleId, ParseIdError};
use crate::page::{Cursor, Page};
use crate::revenue::{AccountState, Balance, Body, Effect, Entry, EntryKey, RevenueLine, Violation};
use crate::source::Digest;

/// An entry to be posted. The ledger gives it its number and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// Whose credits move.
    pub account: AccountId,
    /// Names the intent: posting it again changes nothing.
    pub key: EntryKey,
    /// The earliest time of the entry; in an account time never runs backwards.
    pub at: DateTime<Utc>,
    /// Who caused it, where a person did.
    pub actor: Option<AccountId>,
    /// What it does.
    pub body: Body,
}

impl Post {
    /// Whether this is the intent that `entry` was posted for. The time is not part of it: a retry comes later.
    pub fn is_content_of(&self, entry: &Entry) -> bool {
        self.account == entry.account && self.actor == entry.actor && self.body == entry.body
    }
}

/// An entry in the ledger, with what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// The entry.
    pub entry: Entry,
    /// The hash of the entry, which covers all before it in the account.
    pub hash: Digest,
    /// What it did, as the engine says.
    pub effect: Effect,
    /// What it is about.
    pub topic: Topic,
    /// Whether it was there before, under the same key and with the same content.
    #[serde(skip)]
    pub repeated: bool,
}

/// What an entry is about, as people filter by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The fee of a module: holds, charges, refunds.
    Deployment,
    /// The running cost of cloud projects.
    Project,
    /// Credits bought, and payments taken back.
    Purchase,
    /// Credits given.
    Grant,
}

impl Category {
    /// Every category, in the order shown to people.
    pub const ALL: [Self; 4] = [Self::Deployment, Self::Project, Self::Purchase, Self::Grant];

    /// The category's name, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Project => "project",
            Self::Purchase => "purchase",
            Self::Grant => "grant",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Category {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let found = Self::ALL.into_iter().find(|category| category.as_str() == text);
        found.ok_or_else(|| ParseIdError::new("Category", text))
    }
}

/// What an entry is about, found once when it is posted: a release does not name its deployment, its hold does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Topic {
    /// The category; share rules have none.
    pub category: Option<Category>,
    /// The deployment it concerns.
    pub deployment: Option<DeploymentId>,
}

impl Topic {
    /// What an entry with this body is about, given the state just before it, with what the entry
    /// [needs](AccountState::needs).
    pub fn of(body: &Body, before: &AccountState) -> Self {
        let charge = |id| before.charge(id);
        let category = match body {
            Body::Hold(_) | Body::Capture(_) | Body::Release(_) => Some(Category::Deployment),
            Body::Refund(refund) => match charge(refund.charge) {
                Some(charge) if charge.terms.is_none() => Some(Category::Project),
                _ => Some(Category::Deployment),
            },
            Body::ProjectDebit(_) => Some(Category::Project),
            Body::Grant(grant) if grant.source.can_cost() => Some(Category::Purchase),
            Body::Freeze(_) | Body::Unfreeze(_) | Body::Reversal(_) => Some(Category::Purchase),
            Body::Grant(_) | Body::Expiry(_) | Body::Adjustment(_) => Some(Category::Grant),
            Body::ShareRules(_) => None,
        };
        let deployment = match body {
            Body::Release(release) => before.open_hold(release.hold).and_then(|hold| hold.deployment),
            Body::Refund(refund) => charge(refund.charge).and_then(|charge| charge.deployment),
            other => other.deployment(),
        };
        Self { category, deployment }
    }
}

/// Which entries of an account to list.
#[derive(Debug, Clone)]
pub struct EntryQuery {
    /// The account.
    pub account: AccountId,
    /// Only entries of this category.
    pub category: Option<Category>,
    /// Only entries of this deployment.
    pub deployment: Option<DeploymentId>,
    /// Whether the oldest come first; the newest do otherwise.
    pub oldest_first: bool,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// How many at the most; ledgers cap it at [`EntryQuery::MOST`].
    pub limit: u32,
}

impl EntryQuery {
    /// The most entries on one page.
    pub const MOST: u32 = 1_000;

    /// Whether an entry is one of those asked for.
    pub fn matches(&self, posted: &Posted) -> bool {
        posted.entry.account == self.account
            && self.category.is_none_or(|category| posted.topic.category == Some(category))
            && self.deployment.is_none_or(|deployment| posted.topic.deployment == Some(deployment))
    }
}

/// Which revenue lines to list: every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct RevenueQuery {
    /// Charges of modules this partner published.
    pub partner: Option<AccountId>,
    /// Charges of accounts this agent referred.
    pub agent: Option<AccountId>,
    /// Charges of this account.
    pub account: Option<AccountId>,
    /// Charges of this module.
    pub module: Option<ModuleId>,
    /// Booked at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Booked before this time.
    pub to: Option<DateTime<Utc>>,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// How many at the most; ledgers cap it at [`RevenueQuery::MOST`].
    pub limit: u32,
}

impl RevenueQuery {
    /// The most lines on one page.
    pub const MOST: u32 = 1_000;

    /// Whether a line is one of those asked for.
    pub fn matches(&self, line: &RevenueLine) -> bool {
        self.partner.is_none_or(|partner| line.publisher == Some(partner))
            && self.agent.is_none_or(|agent| line.agent_account == Some(agent))
            && self.account.is_none_or(|account| line.account == account)
            && self.module.is_none_or(|module| line.module == module)
            && self.from.is_none_or(|from| line.at >= from)
            && self.to.is_none_or(|to| line.at < to)
    }
}

/// Sums over revenue lines, in minor units of the platform currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RevenueTotals {
    /// How many lines.
    pub lines: u64,
    /// True revenue.
    pub gross: i64,
    /// The partners' share of it.
    pub partner: i64,
    /// The agents' share of it.
    pub agent: i64,
    /// What the platform keeps.
    pub platform: i64,
}

impl RevenueTotals {
    /// The totals with one more line; `None` if a sum is too large.
    #[must_use]
    pub fn with(self, line: &RevenueLine) -> Option<Self> {
        Some(Self {
            lines: self.lines.checked_add(1)?,
            gross: self.gross.checked_add(line.gross)?,
            partner: self.partner.checked_add(line.partner)?,
            agent: self.agent.checked_add(line.agent)?,
            platform: self.platform.checked_add(line.platform)?,
        })
    }
}

/// Something that [`Ledger::verify`] found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The account.
    pub account: AccountId,
    /// The entry it was found at, where it is one entry.
    pub seq: Option<u64>,
    /// What is wrong, in a sentence.
    pub problem: String,
}

/// What verifying several accounts came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// How many accounts were verified.
    pub accounts: u64,
    /// How many entries they have.
    pub entries: u64,
    /// What is wrong, in account order.
    pub findings: Vec<Finding>,
}

/// Keeps entries and what they did.
///
/// # Contract
/// - Entries are appended, never changed or removed; their numbers in an account are 1, 2, 3 … without a gap.
/// - Every entry went through [`AccountState::apply`]; a refusal leaves no trace.
/// - A key is unique in its account and bound to its content: the same post again gives the first result with
///   `repeated` set, whatever happened since; other content is refused with [`LedgerError::KeyReused`].
/// - A batch is posted whole, in order, or not at all.
/// - When a call returns, its entries are durable; when it fails with a retryable error or its future is dropped, the same
///   post may be sent again.
/// - Concurrent posts to an account are ordered one after the other; none is applied to a state another one changed.
#[async_trait]
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Posts entries, all or none.
    ///
    /// # Errors
    /// [`Refused`](LedgerError::Refused), [`KeyReused`](LedgerError::KeyReused), each with the place in the batch.
    async fn post_batch(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError>;

    /// The [compact](AccountState::compact) state of an account: open lots and holds, and what is owed. An account that has
    /// no entry has an empty one.
    async fn state(&self, account: AccountId) -> Result<AccountState, LedgerError>;

    /// The entry with this key in this account.
    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError>;

    /// A page of an account's entries with what they did.
    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError>;

    /// A page of revenue lines, newest first; those of one moment in an order that stays.
    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError>;

    /// The sums of all revenue lines that `query` names, whatever its page.
    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError>;

    /// The accounts that have entries, in the order of ids, after `after`, at most `limit`.
    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError>;

    /// Replays an account from its entries and compares: numbers, hashes, recorded effects, revenue lines, state. Nothing
    /// is found in an account that nobody tampered with.
    ///
    /// # Errors
    /// A failure of the backend; what is stored wrong is a finding, not an error.
    async fn verify(&self, account: AccountId) -> Result<Vec<Finding>, LedgerError>;

    /// [Verifies](Self::verify) the accounts after `after` up to and with `to`; without bound where there is none. Ranges
    /// that do not overlap can be verified at the same time; [`verify_all`](crate::verification::verify_all) does so.
    ///
    /// By itself it goes from account to account; backends that can read many at once do better.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    async fn verify_range(
        &self,
        after: Option<AccountId>,
        to: Option<AccountId>,
    ) -> Result<Verified, LedgerError> {
        let (mut verified, mut last) = (Verified::default(), after);
        loop {
            let page = self.accounts(last, ACCOUNTS_AT_A_TIME).await?;
            let Some(end) = page.last().copied() else { return Ok(verified) };
            for account in page {
                if to.is_some_and(|to| account > to) {
                    return Ok(verified);
                }
                verified.accounts += 1;
                verified.entries += readable(self.state(account).await)?.map_or(0, |state| state.seq());
                verified.findings.extend(self.verify(account).await?);
            }
            last = Some(end);
        }
    }
}

/// `None` for what cannot be right, as verifying says what is wrong with it.
fn readable<T>(result: Result<T, LedgerError>) -> Result<Option<T>, LedgerError> {
    match result {
        Err(LedgerError::Backend(error)) if error.kind() == FailureKind::Corrupt => Ok(None),
        result => result.map(Some),
    }
}

/// How many accounts are listed at a time where they are gone through one by one.
const ACCOUNTS_AT_A_TIME: u32 = 100;

/// What every ledger can do on top of [`Ledger`].
#[async_trait]
pub trait LedgerExt: Ledger {
    /// Posts one entry.
    ///
    /// # Errors
    /// As [`Ledger::post_batch`].
    async fn post(&self, post: Post) -> Result<Posted, LedgerError> {
        let posted = self.post_batch(std::slice::from_ref(&post)).await?.pop();
        posted.ok_or_else(|| {
            LedgerError::Backend(BackendError::corrupt("posting an entry", "the ledger gave no result"))
        })
    }

    /// The balance of an account at a time.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn balance(&self, account: AccountId, at: DateTime<Utc>) -> Result<Balance, LedgerError> {
        Ok(self.state(account).await?.balance(at))
    }
}

impl<L: Ledger + ?Sized> LedgerExt for L {}

/// What a ledger refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The engine refuses the entry; nothing of the batch was posted.
    #[error("{violation}")]
    Refused {
        /// The place of the entry in its batch, from 0.
        index: usize,
        /// Why.
        #[source]
        violation: Violation,
    },
    /// The account has another entry under this key.
    #[error("the key {key} is in use by another entry of the account: a new intent needs a new key")]
    KeyReused {
        /// The place of the entry in its batch, from 0.
        index: usize,
        /// The key.
        key: EntryKey,
    },
    /// What the ledger stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl LedgerError {
    /// Why the engine refused, where it did.
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Refused { violation, .. } => Some(violation),
            _ => None,
        }
    }
}
