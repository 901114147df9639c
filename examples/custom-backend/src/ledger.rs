//! The backend: a file that is only ever appended to, and what it says in memory.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{Error, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{
    EntryQuery, Finding, Ledger, LedgerError, LinePlace, Post, Posted, RevenueGroups, RevenueQuery,
    RevenueTotals, Topic, arrange_groups,
};
use rad_core::page::{Page, Turn};
use rad_core::revenue::{
    AccountState, Booked as _, Entry, EntryKey, Grouping, RevenueLine, Sealed, Violation,
};
use rad_core::source::Digest;

/// A ledger in a text file.
///
/// One process may have it open. A batch is one line, so that a crash in the middle of writing leaves half a line, which
/// nobody was told is posted and which opening the file cuts off.
#[derive(Debug)]
pub(crate) struct FileLedger {
    path: PathBuf,
    books: Mutex<(File, Accounts)>,
}

type Accounts = BTreeMap<AccountId, Account>;

/// An account: where its entries lead to, and the entries.
#[derive(Debug, Clone, PartialEq)]
struct Account {
    state: AccountState,
    entries: Vec<Posted>,
}

impl FileLedger {
    pub(crate) fn open(path: &Path) -> Result<Self, BackendError> {
        let failed = |error: Error| BackendError::unavailable("opening the ledger's file", error);
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(failed)?;
        Ok(Self { path: path.to_owned(), books: Mutex::new((file, read(&text[..whole])?)) })
    }

    fn books(&self) -> MutexGuard<'_, (File, Accounts)> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replays the lines of a file: an entry that was changed is refused by its hash or by the engine.
fn read(text: &str) -> Result<Accounts, BackendError> {
    let corrupt = |why: String| BackendError::corrupt("reading the ledger's file", why);
    let mut accounts = Accounts::new();
    for line in text.lines() {
        let batch: Vec<Sealed> = serde_json::from_str(line).map_err(|error| corrupt(error.to_string()))?;
        for sealed in batch {
            let id = sealed.entry.account;
            let account = accounts.entry(id).or_insert_with(|| Account::new(id));
            let posted = account.accept(sealed.entry).map_err(|violation| corrupt(violation.to_string()))?;
            if posted.hash != sealed.hash {
                return Err(corrupt(format!("entry {} of {id} was changed", posted.entry.seq)));
            }
        }
    }
    Ok(accounts)
}

impl Account {
    fn new(id: AccountId) -> Self {
        Self { state: AccountState::new(id), entries: Vec::new() }
    }

    fn head(&self) -> Digest {
        self.entries.last().map_or(Digest::ZERO, |last| last.hash)
    }

    /// Lets the engine apply an entry, and keeps what it did.
    fn accept(&mut self, entry: Entry) -> Result<Posted, Violation> {
        let topic = Topic::of(&entry.body, &self.state);
        let effect = self.state.apply(&entry)?;
        let posted = Posted { hash: entry.hash(&self.head()), entry, effect, topic, repeated: false };
        self.entries.push(posted.clone());
        Ok(posted)
    }
}

#[async_trait]
impl Ledger for FileLedger {
    async fn post_batch(&self, posts: &[Post]) -> Result<Vec<Posted>, LedgerError> {
        let mut books = self.books();
        let (file, accounts) = &mut *books;
        // Everything happens to copies; they take the originals' place when the line is on the disk.
        let (mut touched, mut results, mut batch) = (Accounts::new(), Vec::new(), Vec::new());
        for (index, post) in posts.iter().enumerate() {
            let id = post.account;
            let account = touched
                .entry(id)
                .or_insert_with(|| accounts.get(&id).cloned().unwrap_or_else(|| Account::new(id)));
            if let Some(posted) = account.entries.iter().find(|posted| posted.entry.key == post.key) {
                if !post.is_content_of(&posted.entry) {
                    return Err(LedgerError::KeyReused { index, key: post.key });
                }
                results.push(Posted { repeated: true, ..posted.clone() });
                continue;
            }
            let previous = account.head();
            let entry = account.state.draft(post.at, post.key, post.actor, post.body.clone());
            let refused = |violation| LedgerError::Refused { index, violation };
            let posted = account.accept(entry).map_err(refused)?;
            batch.push(Sealed::new(posted.entry.clone(), previous));
            results.push(posted);
        }
        if !batch.is_empty() {
            append(file, &batch).map_err(|error| BackendError::unavailable("appending a batch", error))?;
            touched.retain(|_, account| !account.entries.is_empty());
            accounts.append(&mut touched);
        }
        Ok(results)
    }

    async fn state(&self, account: AccountId) -> Result<AccountState, LedgerError> {
        let state = self.books().1.get(&account).map(|account| account.state.clone());
        let mut state = state.unwrap_or_else(|| AccountState::new(account));
        state.compact();
        Ok(state)
    }

    async fn by_key(&self, account: AccountId, key: EntryKey) -> Result<Option<Posted>, LedgerError> {
        let books = self.books();
        let mut entries = books.1.get(&account).into_iter().flat_map(|account| &account.entries);
        Ok(entries.find(|posted| posted.entry.key == key).cloned())
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, LedgerError> {
        let turn = query.turn()?;
        let books = self.books();
        let entries = books.1.get(&query.account).into_iter().flat_map(|account| &account.entries);
        let found = entries.filter(|posted| query.matches(posted)).cloned().collect();
        Ok(page(found, query.oldest_first, turn, query.page_size(), |posted| posted.entry.seq))
    }

    async fn revenue(&self, query: &RevenueQuery) -> Result<Page<RevenueLine>, LedgerError> {
        let turn = query.turn()?;
        let lines = lines(&self.books().1, query);
        Ok(page(lines, false, turn, query.page_size(), |(place, _)| *place).map(|(_, line)| line))
    }

    async fn revenue_totals(&self, query: &RevenueQuery) -> Result<RevenueTotals, LedgerError> {
        let lines = lines(&self.books().1, query);
        Ok(RevenueTotals::sum(lines.iter().map(|(_, line)| line))?)
    }

    async fn revenue_by(&self, query: &RevenueQuery, by: Grouping) -> Result<RevenueGroups, LedgerError> {
        let lines = lines(&self.books().1, query);
        let parts = lines.iter().map(|(_, line)| (line.group(by), RevenueTotals::of(line)));
        Ok(arrange_groups(by, parts, query.page_size())?)
    }

    async fn accounts(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, LedgerError> {
        let books = self.books();
        let later = books.1.keys().filter(|id| after.is_none_or(|after| **id > after));
        Ok(later.take(limit as usize).copied().collect())
    }

    async fn verify(&self, account: AccountId) -> Result<Vec<Finding>, LedgerError> {
        let books = self.books();
        let stored = std::fs::read_to_string(&self.path).ok().and_then(|text| read(&text).ok());
        if stored.is_some_and(|stored| stored.get(&account) == books.1.get(&account)) {
            return Ok(Vec::new());
        }
        Ok(vec![Finding { account, seq: None, problem: "the file is not what was posted".to_owned() }])
    }
}

/// Writes a line and waits until it is on the disk; takes it back if that fails.
fn append(file: &mut File, batch: &[Sealed]) -> Result<(), Error> {
    let before = file.metadata()?.len();
    let mut line = serde_json::to_vec(batch)?;
    line.push(b'\n');
    file.write_all(&line).and_then(|()| file.sync_data()).inspect_err(|_| drop(file.set_len(before)))
}

/// The lines a query names, each with its place among all.
fn lines(accounts: &Accounts, query: &RevenueQuery) -> Vec<(LinePlace, RevenueLine)> {
    let entries = accounts.values().flat_map(|account| &account.entries);
    let lines = entries.flat_map(|posted| posted.effect.lines.iter().enumerate());
    let placed =
        lines.filter(|(_, line)| query.matches(line)).map(|(n, line)| (LinePlace::of(line, n), *line));
    placed.collect()
}

/// A page of items that are listed by their places.
fn page<T, P: Ord + Display + FromStr>(
    mut items: Vec<T>,
    rises: bool,
    turn: Turn<P>,
    limit: usize,
    place: impl Fn(&T) -> P,
) -> Page<T> {
    // What is found goes away from the place that was asked for.
    let rises = turn.rises(rises);
    items.sort_by_key(&place);
    if !rises {
        items.reverse();
    }
    if let Some(edge) = turn.place() {
        items.retain(|item| if rises { place(item) > *edge } else { place(item) < *edge });
    }
    turn.page(items, limit, place)
}

#[cfg(test)]
mod tests {
    use rad_core::conformance::ledger;
    use rad_core::ledger::Ledger;

    use super::FileLedger;

    #[tokio::test]
    async fn the_file_keeps_the_contract_of_a_ledger() {
        let dir = tempfile::tempdir().unwrap();
        ledger::all(&FileLedger::open(&dir.path().join("ledger.jsonl")).unwrap()).await;
    }

    #[tokio::test]
    async fn a_file_opened_again_has_everything_and_no_half_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        let ledger = FileLedger::open(&path).unwrap();
        ledger::posting::does_what_the_engine_does(&ledger).await;
        let account = ledger.accounts(None, 1).await.unwrap()[0];
        let state = ledger.state(account).await.unwrap();
        drop(ledger);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}[{{\"entry\":")).unwrap();
        let again = FileLedger::open(&path).unwrap();
        assert_eq!(again.state(account).await.unwrap(), state);
        assert_eq!(again.verify(account).await.unwrap(), []);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        std::fs::write(&path, whole.replacen("\"30\"", "\"31\"", 1)).unwrap();
        assert_eq!(again.verify(account).await.unwrap().len(), 1, "a changed file is found");
        assert!(FileLedger::open(&path).is_err(), "a changed file is refused");
    }
}
