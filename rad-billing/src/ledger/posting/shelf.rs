//! Books kept between groups, so that an account that is posted to again need not be read again.

use std::collections::HashMap;

use rad_core::id::AccountId;

use super::super::book::Book;
use super::attempt::Books;

/// The most that the younger half of a shelf takes, in lots: some tens of megabytes.
const HALF: usize = 100_000;

/// For how many groups books are not trusted after one was found out of date: at first, and at the most. Each time twice as
/// many, for a book that was relied on wrongly is lost.
const CAUTION: u32 = 16;
const MOST_CAUTION: u32 = 1_024;

/// Books as they were when their last group was written.
///
/// Another process may have posted to an account since; writing a group checks that. A book is used, and then put back into the
/// younger half; when that is full it becomes the older one, and what was not used in the meantime goes.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    young: HashMap<AccountId, Book>,
    old: HashMap<AccountId, Book>,
    /// What is in the younger half, in lots.
    size: usize,
    /// For how many groups books are not trusted.
    caution: u32,
    /// For how many they were not the last time.
    last_caution: u32,
}

impl Shelf {
    /// Counts a group, and says whether it can rely on books: not while other processes post to the same accounts.
    pub(super) fn begin_group(&mut self) -> bool {
        self.caution = self.caution.saturating_sub(1);
        self.caution == 0
    }

    /// Notes that a book was out of date.
    pub(super) fn mistrust(&mut self) {
        self.last_caution = (2 * self.last_caution).clamp(CAUTION, MOST_CAUTION);
        self.caution = self.last_caution;
    }

    /// Takes a book from the shelf.
    pub(super) fn take(&mut self, account: &AccountId) -> Option<Book> {
        match self.young.remove(account) {
            Some(book) => {
                self.size = self.size.saturating_sub(book.size());
                Some(book)
            }
            None => self.old.remove(account),
        }
    }

    /// Puts books onto the shelf that were just written or read.
    pub(super) fn put(&mut self, books: Books) {
        for (account, book) in books {
            self.size += book.size();
            self.young.insert(account, book);
            self.old.remove(&account);
        }
        if self.size > HALF {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
    }
}
