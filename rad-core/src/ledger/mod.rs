//! The ledger: append-only entries per account, applied by the revenue engine.

mod past;
mod query;
mod topic;
mod totals;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{BackendError, FailureKind};
use crate::id::AccountId;
use crate::page::{BadCursor, Page, Turn};
use crate::revenue::{
    AccountState, Balance, Body, Effect, Entry, EntryKey, Grouping, RevenueLine, Violation,
};
use crate::source::Digest;

pub use self::query::{At, EntryQuery, LinePlace, RevenueQuery};
pub use self::topic::{Category, Topic};
pub use self::totals::{RevenueGroups, RevenueTotals, TotalsFinding, arrange_groups};

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

    /// The [compact](AccountState::compact) state of an account as it was at a moment of the past.
    ///
    /// # Behavior
    /// - A moment at or after the last entry costs as much as [`state`](Self::state).
    /// - Any other is replayed from the first entry on: work in proportion to the entries before it, memory for the lots and
    ///   charges of the account and one page of entries.
    /// - What is posted meanwhile makes no difference.
    ///
    /// # Errors
    /// [`NoSuchEntry`](LedgerError::NoSuchEntry) for a number after the last one.
    async fn state_at(&self, account: AccountId, at: At) -> Result<AccountState, LedgerError> {
        past::state_at(self, account, at).await
    }

    /// A page of an account's entries with what they did.
    ///
    /// # Behavior
    /// - Pages go both ways, and neither repeats nor skips an entry while others are appended.
    ///
    /// # Errors
    /// [`BadCursor`](LedgerError::BadCursor) for a cursor that no page gave.
    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError>;

    /// A page of revenue lines, by descending [places](LinePlace): newest first; those of one moment in an order that stays.
    /// Pages go both ways.
    ///
    /// # Errors
    /// [`BadCursor`](LedgerError::BadCursor) for a cursor that no page gave.
    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError>;

    /// The sums of all revenue lines that `query` names, whatever its page.
    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError>;

    /// The sums of the lines that `query` names for each group that has any, at most as many groups as its limit says:
    /// days and months from the latest on, others from the largest gross revenue on.
    async fn revenue_by(&self, query: &RevenueQuery, by: Grouping) -> Result<RevenueGroups, LedgerError>;

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

    /// Compares the sums that the ledger keeps for [`revenue_totals`](Self::revenue_totals) and
    /// [`revenue_by`](Self::revenue_by) with the lines of all accounts; tells of 100 that are wrong at the most. A ledger
    /// that keeps none has nothing wrong.
    async fn verify_totals(&self) -> Result<Vec<TotalsFinding>, LedgerError> {
        Ok(Vec::new())
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

    /// The balance of an account at a moment of the past: right after an entry, or at a time, when what had run out by then
    /// counts as such.
    ///
    /// Right after an entry it costs as much as reading that entry; at a time as much as [`Ledger::state_at`].
    ///
    /// # Errors
    /// As [`Ledger::state_at`].
    async fn balance_at(&self, account: AccountId, at: At) -> Result<Balance, LedgerError> {
        let seq = match at {
            At::Seq(0) => return Ok(Balance::default()),
            At::Seq(seq) => seq,
            At::Time(time) => return Ok(self.state_at(account, at).await?.balance(time)),
        };
        let before = Turn::After(seq.saturating_sub(1)).cursor();
        let query = EntryQuery { oldest_first: true, page: before, limit: 1, ..EntryQuery::new(account) };
        match self.entries(&query).await?.items.pop() {
            Some(posted) if posted.entry.seq == seq => Ok(posted.effect.balance_after),
            _ => Err(LedgerError::NoSuchEntry { account, seq, last: self.state(account).await?.seq() }),
        }
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
    /// The account has no entry with this number.
    #[error("account {account} has no entry {seq}: its last one is {last}")]
    NoSuchEntry {
        /// The account.
        account: AccountId,
        /// The number asked for.
        seq: u64,
        /// The number of the account's last entry; 0 if it has none.
        last: u64,
    },
    /// A page was asked for that no other page led to.
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
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
