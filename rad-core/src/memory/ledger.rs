//! The ledger in memory.

#[cfg(feature = "checkpoint")]
mod checkpoints;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::BackendError;
use crate::id::AccountId;
use crate::ledger::{
    EntryQuery, Finding, Ledger, LedgerError, Post, Posted, RevenueQuery, RevenueTotals, Topic,
};
use crate::page::{Cursor, Page};
use crate::revenue::{AccountState, EntryKey, RevenueLine};
use crate::source::Digest;

/// A [`Ledger`] that lasts as long as the process.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::id::AccountId;
/// use rad_core::ledger::{Ledger, LedgerExt, Post};
/// use rad_core::memory::MemoryLedger;
/// use rad_core::money::Amount;
/// use rad_core::revenue::{Body, Bucket, EntryKey, Grant, LotSource};
///
/// let ledger = MemoryLedger::default();
/// let account = AccountId::new();
/// let signup = Body::Grant(Grant {
///     source: LotSource::Signup,
///     bucket: Bucket::Awarded,
///     credits: "30".parse()?,
///     cost: Amount::ZERO,
///     paid: None,
///     expires: None,
///     reference: None,
/// });
/// let key = EntryKey::derive("signup", &[account.as_bytes()]);
/// let at = chrono::Utc::now();
/// ledger.post(Post { account, key, at, actor: None, body: signup }).await?;
/// assert_eq!(ledger.balance(account, at).await?.spendable().to_string(), "30");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryLedger {
    books: Mutex<BTreeMap<AccountId, Book>>,
    #[cfg(feature = "checkpoint")]
    checkpoints: Mutex<Vec<checkpoints::Kept>>,
}

/// One account.
#[derive(Debug, Clone)]
struct Book {
    state: AccountState,
    entries: Vec<Posted>,
    keys: HashMap<EntryKey, usize>,
}

/// The order of revenue lines: time, account, entry, place in the entry.
type LinePlace = (DateTime<Utc>, AccountId, u64, usize);

impl MemoryLedger {
    fn books(&self) -> MutexGuard<'_, BTreeMap<AccountId, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn new(account: AccountId) -> Self {
        Self { state: AccountState::new(account), entries: Vec::new(), keys: HashMap::new() }
    }

    /// Posts an entry; a refusal changes nothing.
    fn post(&mut self, index: usize, post: &Post) -> Result<Posted, LedgerError> {
        if let Some(posted) = self.keys.get(&post.key).and_then(|place| self.entries.get(*place)) {
            if !post.is_content_of(&posted.entry) {
                return Err(LedgerError::KeyReused { index, key: post.key });
            }
            return Ok(Posted { repeated: true, ..posted.clone() });
        }
        let entry = self.state.draft(post.at, post.key, post.actor, post.body.clone());
        let topic = Topic::of(&entry.body, &self.state);
        let effect =
            self.state.apply(&entry).map_err(|violation| LedgerError::Refused { index, violation })?;
        let previous = self.entries.last().map_or(Digest::ZERO, |last| last.hash);
        let posted = Posted { hash: entry.hash(&previous), entry, effect, topic, repeated: false };
        self.keys.insert(post.key, self.entries.len());
        self.entries.push(posted.clone());
        Ok(posted)
    }

    fn lines(&self) -> impl Iterator<Item = (LinePlace, &RevenueLine)> {
        self.entries.iter().flat_map(|posted| {
            let place = |n| (posted.entry.at, posted.entry.account, posted.entry.seq, n);
            posted.effect.lines.iter().enumerate().map(move |(n, line)| (place(n), line))
        })
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn post_batch(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
        let mut books = self.books();
        if let [post] = posts {
            // One entry is all or none by itself: no copy of the book is needed.
            let book = books.entry(post.account).or_insert_with(|| Book::new(post.account));
            return Ok(vec![book.post(0, post)?]);
        }
        let mut touched: BTreeMap<AccountId, Book> = BTreeMap::new();
        let mut posted = Vec::with_capacity(posts.len());
        for (index, post) in posts.iter().enumerate() {
            let book = touched.entry(post.account).or_insert_with(|| {
                books.get(&post.account).cloned().unwrap_or_else(|| Book::new(post.account))
            });
            posted.push(book.post(index, post)?);
        }
        books.append(&mut touched);
        Ok(posted)
    }

    async fn state(&self, account: AccountId) -> Result<AccountState, LedgerError> {
        let state = self.books().get(&account).map(|book| book.state.clone());
        let mut state = state.unwrap_or_else(|| AccountState::new(account));
        state.compact();
        Ok(state)
    }

    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError> {
        let books = self.books();
        let found = books.get(&account).and_then(|book| book.entries.get(*book.keys.get(&key)?));
        Ok(found.cloned())
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError> {
        let books = self.books();
        let Some(book) = books.get(&query.account) else { return Ok(Page::default()) };
        let after: Option<u64> = query.after.as_ref().and_then(|cursor| cursor.as_str().parse().ok());
        let mut places: Vec<&Posted> = book.entries.iter().filter(|posted| query.matches(posted)).collect();
        if !query.oldest_first {
            places.reverse();
        }
        let beyond =
            |seq: u64| after.is_none_or(|after| if query.oldest_first { seq > after } else { seq < after });
        let found = places.into_iter().filter(|posted| beyond(posted.entry.seq)).cloned();
        Ok(page(found, query.limit.min(EntryQuery::MOST), |posted| posted.entry.seq.to_string()))
    }

    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
        let after = query.after.as_ref().and_then(read_place);
        let books = self.books();
        let mut lines: Vec<(LinePlace, &RevenueLine)> = books
            .values()
            .flat_map(Book::lines)
            .filter(|(place, line)| query.matches(line) && after.is_none_or(|after| *place < after))
            .collect();
        lines.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        let found = lines.into_iter().map(|(place, line)| (place, *line));
        let limit = query.limit.min(RevenueQuery::MOST);
        Ok(page(found, limit, |(place, _)| write_place(place)).map(|(_, line)| line))
    }

    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
        let books = self.books();
        let mut lines = books.values().flat_map(Book::lines).filter(|(_, line)| query.matches(line));
        let totals = lines.try_fold(RevenueTotals::default(), |totals, (_, line)| totals.with(line));
        Ok(totals.ok_or_else(|| BackendError::permanent("adding up revenue", "a sum is too large"))?)
    }

    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError> {
        let books = self.books();
        let with_entries = books.iter().filter(|(_, book)| !book.entries.is_empty()).map(|(id, _)| *id);
        Ok(with_entries.filter(|id| after.is_none_or(|after| *id > after)).take(limit as usize).collect())
    }

    async fn verify(&self, account: AccountId) -> Result<Vec<Finding>, LedgerError> {
        let book = self.books().get(&account).cloned();
        let Some(book) = book else { return Ok(Vec::new()) };
        let mut replay = Book::new(account);
        for posted in &book.entries {
            let finding = |problem: String| vec![Finding { account, seq: Some(posted.entry.seq), problem }];
            let entry = posted.entry.clone();
            let post = Post { account, key: entry.key, at: entry.at, actor: entry.actor, body: entry.body };
            match replay.post(0, &post) {
                Ok(again) if again == *posted => {}
                Ok(_) => return Ok(finding("it is recorded otherwise than it happens".to_owned())),
                Err(error) => return Ok(finding(error.to_string())),
            }
        }
        if replay.state == book.state {
            return Ok(Vec::new());
        }
        let problem = "the state is not what the entries lead to".to_owned();
        Ok(vec![Finding { account, seq: None, problem }])
    }
}

/// The first `limit` items as a page, with a cursor if there are more.
fn page<T>(mut found: impl Iterator<Item = T>, limit: u32, cursor: impl Fn(&T) -> String) -> Page<T> {
    let items: Vec<T> = found.by_ref().take(limit.max(1) as usize).collect();
    let next = match (found.next(), items.last()) {
        (Some(_), Some(last)) => Some(Cursor::new(cursor(last))),
        _ => None,
    };
    Page { items, next }
}

fn write_place((at, account, entry, n): &LinePlace) -> String {
    format!("{} {account} {entry} {n}", at.timestamp_micros())
}

fn read_place(cursor: &Cursor) -> Option<LinePlace> {
    let mut parts = cursor.as_str().split(' ');
    let at = DateTime::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    Some((at, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
