//! The board: who waits, which accounts are being posted to, and the books that are kept between groups.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rad_core::id::AccountId;
use rad_core::ledger::Post;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Outcome;
use super::attempt::Books;
use super::shelf::Shelf;

/// The most posts of a group, where no single batch is larger.
const GROUP: usize = 256;

/// A batch, and the caller who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) posts: Vec<Post>,
    pub(super) reply: oneshot::Sender<Outcome>,
    /// Room in the queue, until the job is settled.
    pub(super) _room: OwnedSemaphorePermit,
}

/// Somebody who posts group after group.
#[derive(Debug)]
pub(super) struct Worker {
    board: Arc<Mutex<Board>>,
    is_gone: bool,
}

/// Batches that are posted together. Their accounts are busy until it is dropped.
#[derive(Debug)]
pub(super) struct Round {
    board: Arc<Mutex<Board>>,
    accounts: HashSet<AccountId>,
    pub(super) jobs: Vec<Job>,
    /// At first the books that were kept of the accounts, at last those to keep.
    pub(super) books: Books,
    /// Whether the kept books are likely to be up to date.
    pub(super) trusts_books: bool,
    /// Whether one turned out not to be.
    pub(super) met_other_writer: bool,
}

#[derive(Debug, Default)]
pub(super) struct Board {
    waiting: VecDeque<Job>,
    /// The accounts of the groups under way: one after the other for each account.
    busy: HashSet<AccountId>,
    shelf: Shelf,
    /// How many groups are under way.
    running: usize,
}

impl Board {
    /// Puts a job on the board. Gives a new worker unless enough are at work, or one of the job's accounts is busy: whoever is
    /// at that looks at the board again.
    pub(super) fn put(board: &Arc<Mutex<Self>>, job: Job, most_running: usize) -> Option<Worker> {
        let mut this = lock(board);
        let is_free = job.posts.iter().all(|post| !this.busy.contains(&post.account));
        this.waiting.push_back(job);
        if !is_free || this.running >= most_running {
            return None;
        }
        this.running += 1;
        Some(Worker { board: Arc::clone(board), is_gone: false })
    }

    /// Takes a group of those who wait longest, of accounts that are not busy.
    fn next_round(&mut self) -> Option<(Vec<Job>, Books, HashSet<AccountId>)> {
        let (mut jobs, mut size) = (Vec::new(), 0);
        let mut accounts: HashSet<AccountId> = HashSet::new();
        // Nobody overtakes a batch that waits for one of several accounts.
        let mut claimed: HashSet<AccountId> = HashSet::new();
        let mut passed = VecDeque::new();
        while let Some(job) = self.waiting.pop_front() {
            let own = || job.posts.iter().map(|post| post.account);
            let fits = size == 0 || size + job.posts.len() <= GROUP;
            if fits && own().all(|account| !self.busy.contains(&account) && !claimed.contains(&account)) {
                size += job.posts.len();
                accounts.extend(own());
                jobs.push(job);
            } else {
                claimed.extend(own());
                passed.push_back(job);
            }
            if size >= GROUP {
                break;
            }
        }
        passed.append(&mut self.waiting);
        self.waiting = passed;
        if jobs.is_empty() {
            return None;
        }
        self.busy.extend(&accounts);
        let books =
            accounts.iter().filter_map(|account| Some((*account, self.shelf.take(account)?))).collect();
        Some((jobs, books, accounts))
    }
}

impl Worker {
    /// The next group; without one the work is done.
    pub(super) fn next_round(&mut self) -> Option<Round> {
        let mut board = lock(&self.board);
        match board.next_round() {
            Some((jobs, books, accounts)) => {
                let trusts_books = board.shelf.begin_group();
                let board = Arc::clone(&self.board);
                Some(Round { board, accounts, jobs, books, trusts_books, met_other_writer: false })
            }
            None => {
                // While the board is locked: who comes now finds one worker less.
                board.running -= 1;
                self.is_gone = true;
                None
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_gone {
            lock(&self.board).running -= 1;
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        let mut board = lock(&self.board);
        for account in &self.accounts {
            board.busy.remove(account);
        }
        board.shelf.put(std::mem::take(&mut self.books));
        if self.met_other_writer {
            board.shelf.mistrust();
        }
    }
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
