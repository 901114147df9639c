//! The ledger in memory.

#[cfg(feature = "checkpoint")]
mod checkpoints;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::AccountId;
use crate::ledger::{
    EntryQuery, Finding, Ledger, LedgerError, LinePlace, Post, Posted, RevenueGroups, RevenueQuery,
    RevenueTotals, Topic, arrange_groups,
};
use crate::page::Page;
use crate::revenue::{AccountState, Booked as _, EntryKey, Grouping, RevenueLine};
use crate::source::Digest;
use async_trait::async_trait;

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
            let lines = posted.effect.lines.iter().enumerate();
            lines.map(|(index, line)| (LinePlace::of(line, index), line))
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
        let turn = query.turn()?;
        let books = self.books();
        let entries = books.get(&query.account).map_or(&[][..], |book| &book.entries);
        // Numbers are places: a page is a walk from one of them to the beginning or to the end.
        let place = |seq: u64| usize::try_from(seq).unwrap_or(usize::MAX).min(entries.len());
        let rises = turn.rises(query.oldest_first);
        let (from, to) = match turn.place() {
            None => (0, entries.len()),
            Some(seq) if rises => (place(*seq), entries.len()),
            Some(seq) => (0, place(seq.saturating_sub(1))),
        };
        let found = entries.get(from..to).unwrap_or_default().iter();
        let found: Box<dyn Iterator<Item = &Posted>> =
            if rises { Box::new(found) } else { Box::new(found.rev()) };
        let found = found.filter(|posted| query.matches(posted)).take(query.page_size() + 1);
        Ok(turn.page(found.cloned().collect(), query.page_size(), |posted| posted.entry.seq))
    }

    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
        let turn = query.turn()?;
        let books = self.books();
        let rises = turn.rises(false);
        let wanted = |place: &LinePlace| {
            turn.place().is_none_or(|edge| if rises { place > edge } else { place < edge })
        };
        let lines = books.values().flat_map(Book::lines);
        let mut found: Vec<_> = lines.filter(|(place, line)| wanted(place) && query.matches(line)).collect();
        found.sort_by_key(|(place, _)| *place);
        if !rises {
            found.reverse();
        }
        let page = turn.page(found, query.page_size(), |(place, _)| *place);
        Ok(page.map(|(_, line)| *line))
    }

    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
        let books = self.books();
        let lines = books.values().flat_map(Book::lines).map(|(_, line)| line);
        Ok(RevenueTotals::sum(lines.filter(|line| query.matches(line)))?)
    }

    async fn revenue_by(&self, query: &RevenueQuery, by: Grouping) -> Result<RevenueGroups, LedgerError> {
        let books = self.books();
        let lines = books.values().flat_map(Book::lines).filter(|(_, line)| query.matches(line));
        let parts = lines.map(|(_, line)| (line.group(by), RevenueTotals::of(line)));
        Ok(arrange_groups(by, parts, query.page_size())?)
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
