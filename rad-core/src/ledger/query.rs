//! What is asked of a ledger: pages of entries and of revenue lines, and moments of the past.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::{Category, Posted};
use crate::id::{AccountId, DeploymentId, ModuleId, ParseIdError};
use crate::page::{BadCursor, Cursor, Turn};
use crate::revenue::{EntryKind, RevenueLine};

/// Which entries of an account to list: every condition that is set must hold.
///
/// ```
/// use rad_core::id::AccountId;
/// use rad_core::ledger::{Category, EntryQuery};
///
/// let account = AccountId::new();
/// let purchases = EntryQuery { category: Some(Category::Purchase), limit: 50, ..EntryQuery::new(account) };
/// assert!(!purchases.oldest_first);
/// ```
#[derive(Debug, Clone)]
pub struct EntryQuery {
    /// The account.
    pub account: AccountId,
    /// Only entries of this kind.
    pub kind: Option<EntryKind>,
    /// Only entries of this category.
    pub category: Option<Category>,
    /// Only entries of this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only entries of this module.
    pub module: Option<ModuleId>,
    /// Only entries with this in their [note](crate::revenue::Body::note), whatever the case of letters.
    pub text: Option<String>,
    /// Only entries of this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Only entries before this time.
    pub to: Option<DateTime<Utc>>,
    /// Whether the oldest come first; the newest do otherwise.
    pub oldest_first: bool,
    /// Which page: a cursor that another page of the same listing gave, or the first one.
    pub page: Option<Cursor>,
    /// How many at the most; ledgers cap it at [`EntryQuery::MOST`].
    pub limit: u32,
}

impl EntryQuery {
    /// The most entries on one page.
    pub const MOST: u32 = 1_000;

    /// Asks for all entries of an account, the newest first, on pages as large as they get.
    pub const fn new(account: AccountId) -> Self {
        Self {
            account,
            kind: None,
            category: None,
            deployment: None,
            module: None,
            text: None,
            from: None,
            to: None,
            oldest_first: false,
            page: None,
            limit: Self::MOST,
        }
    }

    /// Whether an entry is one of those asked for, on whatever page.
    pub fn matches(&self, posted: &Posted) -> bool {
        let Posted { entry, topic, .. } = posted;
        let has = |text: &str| entry.body.note().is_some_and(|note| note.contains(text));
        entry.account == self.account
            && self.kind.is_none_or(|kind| EntryKind::of(&entry.body) == kind)
            && self.category.is_none_or(|category| topic.category == Some(category))
            && self.deployment.is_none_or(|deployment| topic.deployment == Some(deployment))
            && self.module.is_none_or(|module| topic.module == Some(module))
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
            && self.wanted_text().is_none_or(|text| has(&text))
    }

    /// What a note must have in it, as notes are written.
    pub fn wanted_text(&self) -> Option<String> {
        self.text.as_deref().map(str::to_lowercase)
    }

    /// Which page is asked for; a place is the number of an entry.
    ///
    /// # Errors
    /// [`BadCursor`] for a cursor that no page of entries gave.
    pub fn turn(&self) -> Result<Turn<u64>, BadCursor> {
        self.page.as_ref().map_or(Ok(Turn::First), Turn::read)
    }

    /// How many entries the page has at the most.
    pub fn page_size(&self) -> usize {
        self.limit.clamp(1, Self::MOST) as usize
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
    /// Which page: a cursor that another page of the same listing gave, or the first one.
    pub page: Option<Cursor>,
    /// How many at the most; ledgers cap it at [`RevenueQuery::MOST`].
    pub limit: u32,
}

impl RevenueQuery {
    /// The most lines on one page.
    pub const MOST: u32 = 1_000;

    /// Whether a line is one of those asked for, on whatever page.
    pub fn matches(&self, line: &RevenueLine) -> bool {
        self.partner.is_none_or(|partner| line.publisher == Some(partner))
            && self.agent.is_none_or(|agent| line.agent_account == Some(agent))
            && self.account.is_none_or(|account| line.account == account)
            && self.module.is_none_or(|module| line.module == module)
            && self.from.is_none_or(|from| line.at >= from)
            && self.to.is_none_or(|to| line.at < to)
    }

    /// Which page is asked for.
    ///
    /// # Errors
    /// [`BadCursor`] for a cursor that no page of lines gave.
    pub fn turn(&self) -> Result<Turn<LinePlace>, BadCursor> {
        self.page.as_ref().map_or(Ok(Turn::First), Turn::read)
    }

    /// How many lines the page has at the most.
    pub fn page_size(&self) -> usize {
        self.limit.clamp(1, Self::MOST) as usize
    }
}

/// Where a revenue line stands among all: they are listed by descending places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePlace {
    /// When it was booked, in microseconds since 1970 UTC.
    pub at: i64,
    /// Who paid.
    pub account: AccountId,
    /// The entry that booked it.
    pub entry: u64,
    /// Its place in that entry, from 0.
    pub index: u64,
}

impl LinePlace {
    /// The place of a line that is at `index` in its entry.
    pub fn of(line: &RevenueLine, index: usize) -> Self {
        let (at, account, entry) = (line.at.timestamp_micros(), line.account, line.entry);
        Self { at, account, entry, index: index as u64 }
    }
}

impl fmt::Display for LinePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.at, self.account, self.entry, self.index)
    }
}

impl FromStr for LinePlace {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let read = || {
            let mut parts = text.splitn(4, '.');
            Some(Self {
                at: parts.next()?.parse().ok()?,
                account: parts.next()?.parse().ok()?,
                entry: parts.next()?.parse().ok()?,
                index: parts.next()?.parse().ok()?,
            })
        };
        read().ok_or_else(|| ParseIdError::new("LinePlace", text))
    }
}

/// A moment in the history of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Right after the entry with this number; 0 is before the first.
    Seq(u64),
    /// At this time, with everything that happened then.
    Time(DateTime<Utc>),
}

impl From<DateTime<Utc>> for At {
    fn from(at: DateTime<Utc>) -> Self {
        Self::Time(at)
    }
}
