//! A group of batches on the books of its accounts: each batch is posted whole or refused by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post, Posted};
use rad_core::revenue::EntryKey;

use super::super::book::Book;
use super::Outcome;
use super::writes::Writes;

/// The accounts of a group while it is posted.
#[derive(Debug, Default)]
pub(super) struct Group {
    books: BTreeMap<AccountId, Book>,
    /// The entries under the keys of the group that are known, those it posted included.
    known: HashMap<(AccountId, EntryKey), Posted>,
    touched: BTreeSet<AccountId>,
    writes: Writes,
}

impl Group {
    /// Begins with books, and entries that are there under keys of the group.
    pub(super) fn new(books: BTreeMap<AccountId, Book>, known: Vec<Posted>) -> Self {
        let known = known.into_iter().map(|posted| ((posted.entry.account, posted.entry.key), posted));
        Self { books, known: known.collect(), ..Self::default() }
    }

    /// Posts a batch to the books, all of it or nothing.
    ///
    /// # Errors
    /// Why the batch is refused; a failure of the backend if the books cannot be relied on any more.
    pub(super) fn post(&mut self, batch: &[Post]) -> Outcome {
        // One entry is all or nothing by itself: no copy of its book is needed.
        let saved: Vec<(AccountId, Book)> = match batch {
            [_] => Vec::new(),
            _ => {
                let accounts: BTreeSet<AccountId> = batch.iter().map(|post| post.account).collect();
                let copy = |account| Some((account, self.books.get(&account)?.clone()));
                accounts.into_iter().filter_map(copy).collect()
            }
        };
        let mut posted = Vec::with_capacity(batch.len());
        for (index, post) in batch.iter().enumerate() {
            match self.post_one(index, post) {
                Ok(one) => posted.push(one),
                Err(error) => {
                    self.books.extend(saved);
                    for one in posted.iter().filter(|one| !one.repeated) {
                        self.known.remove(&(one.entry.account, one.entry.key));
                    }
                    return Err(error);
                }
            }
        }
        for one in posted.iter().filter(|one| !one.repeated) {
            self.writes.append(one)?;
            self.touched.insert(one.entry.account);
        }
        Ok(posted)
    }

    fn post_one(&mut self, index: usize, post: &Post) -> Result<Posted, LedgerError> {
        if let Some(posted) = self.known.get(&(post.account, post.key)) {
            if !post.is_content_of(&posted.entry) {
                return Err(LedgerError::KeyReused { index, key: post.key });
            }
            return Ok(Posted { repeated: true, ..posted.clone() });
        }
        let book = self.books.get_mut(&post.account).ok_or_else(|| {
            BackendError::permanent("posting an entry", "the book of its account was not loaded")
        })?;
        let posted = book.apply(index, post)?;
        self.known.insert((post.account, post.key), posted.clone());
        Ok(posted)
    }

    /// What is to be written for all batches; nothing if every one was refused or repeated.
    pub(super) fn writes(&mut self) -> Result<Option<Writes>, BackendError> {
        let mut writes = std::mem::take(&mut self.writes);
        for account in &self.touched {
            if let Some(book) = self.books.get(account) {
                writes.save(book)?;
            }
        }
        Ok(if self.touched.is_empty() { None } else { Some(writes) })
    }

    /// The books after everything was written.
    pub(super) fn into_books(mut self) -> BTreeMap<AccountId, Book> {
        for account in &self.touched {
            if let Some(book) = self.books.get_mut(account) {
                book.written();
            }
        }
        self.books
    }
}
