//! Following a run while it goes on: its log without a gap or a repeat, and how it stands.
//!
//! However many follow one run, it is read once for each change: what was read last is shared by all of them in a process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::{Bytes, BytesMut};

use super::{Actor, Parts, PlatformError};
use crate::deployment::{Run, Settlement};
use crate::id::RunId;
use crate::live::{News, Subscription, Topic};
use crate::runner::ResourceProgress;

/// How many bytes of a log are read and given at a time.
const CHUNK: u32 = 64 * 1024;

/// How many bytes of a log's end are shared. Who is further behind reads for himself.
const SHARED: usize = 512 * 1024;

/// A line longer than this is given in parts.
const LONG_LINE: usize = 4096;

impl Actor {
    /// Follows a run from an offset of its log on.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) for runs not shown to the account.
    pub async fn follow(&self, id: RunId, offset: u64) -> Result<RunFollower, PlatformError> {
        self.run(id).await?;
        let news = self.parts.deployments.news();
        let (shared, subscription) = self.parts.following.of(id, offset, news);
        Ok(RunFollower { parts: Arc::clone(&self.parts), shared, subscription, offset, stand: None })
    }

    /// Hears of every change of the status of a deployment, whosever it is.
    pub fn deployment_news(&self) -> Subscription {
        self.parts.deployments.news().subscribe(Topic::Deployments)
    }
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStand {
    /// The run.
    pub run: Run,
    /// Its resources, in the order they were first reported.
    pub resources: Vec<ResourceProgress>,
}

/// What is new of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunNews {
    /// More of its log: whole lines, but for lines that are longer than 4 KiB, of which whole characters. At most 64 KiB.
    pub log: Bytes,
    /// The offset after that: where another follower goes on.
    pub offset: u64,
    /// How it stands, if that is new.
    pub stand: Option<Arc<RunStand>>,
    /// Whether it has ended, its hold is settled, and nothing follows.
    pub is_over: bool,
}

/// Follows a run; see [`Actor::follow`].
#[derive(Debug)]
pub struct RunFollower {
    parts: Arc<Parts>,
    shared: Arc<Shared>,
    subscription: Subscription,
    offset: u64,
    stand: Option<Arc<RunStand>>,
}

impl RunFollower {
    /// Waits until there is something new, and gives it.
    ///
    /// Dropped while it waits, it has lost nothing: the next call goes on.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn next(&mut self) -> Result<RunNews, PlatformError> {
        loop {
            self.shared.read(&self.parts, &self.subscription, false).await?;
            if let Some(news) = self.take().await? {
                return Ok(news);
            }
            self.subscription.changed().await;
        }
    }

    /// Looks whether there is something new, told or not: for callers who do not trust that every change is told.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn look(&mut self) -> Result<Option<RunNews>, PlatformError> {
        self.shared.read(&self.parts, &self.subscription, true).await?;
        self.take().await
    }

    /// What was read and not given yet.
    async fn take(&mut self) -> Result<Option<RunNews>, PlatformError> {
        let (stand, shared, end, is_complete) = {
            let seen = self.shared.seen();
            (seen.stand.clone(), seen.log_from(self.offset), seen.end, seen.is_complete)
        };
        let log = match shared {
            Some(log) => log,
            None => self.parts.deployments.log(self.shared.run, self.offset, CHUNK).await?.bytes,
        };
        let is_end = is_complete && self.offset + log.len() as u64 >= end;
        let log = whole_lines(log, is_end);
        self.offset += log.len() as u64;
        let is_over = is_end && stand.as_ref().is_some_and(|stand| stand.run.settlement != Settlement::Owed);
        // What is the same is kept as the same: there is no need to compare it.
        let is_known =
            |stand: &Arc<RunStand>| self.stand.as_ref().is_some_and(|known| Arc::ptr_eq(known, stand));
        let new = stand.filter(|stand| !is_known(stand));
        if log.is_empty() && new.is_none() && !is_over {
            return Ok(None);
        }
        if new.is_some() {
            self.stand.clone_from(&new);
        }
        Ok(Some(RunNews { log, offset: self.offset, stand: new, is_over }))
    }
}

/// The runs that are followed.
#[derive(Debug, Default)]
pub(super) struct Following {
    runs: Mutex<HashMap<RunId, Weak<Shared>>>,
}

impl Following {
    fn of(&self, run: RunId, offset: u64, news: &News) -> (Arc<Shared>, Subscription) {
        let subscription = news.subscribe(Topic::Run(run));
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = runs.get(&run).and_then(Weak::upgrade) {
            return (shared, subscription);
        }
        runs.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::new(Shared::new(run, offset));
        runs.insert(run, Arc::downgrade(&shared));
        (shared, subscription)
    }
}

/// What all followers of a run share.
#[derive(Debug)]
struct Shared {
    run: RunId,
    seen: Mutex<Seen>,
    /// Told when a reading has ended.
    turns: News,
}

/// What was read last.
#[derive(Debug)]
struct Seen {
    /// How many changes were told of when that reading began.
    count: Option<u64>,
    /// Whether somebody reads.
    is_read: bool,
    /// Whether there may be more of the log than was read.
    has_more: bool,
    stand: Option<Arc<RunStand>>,
    /// The end of the log, as far as it was read: pieces that follow each other, and the offset after the last one.
    tail: VecDeque<Bytes>,
    tail_length: usize,
    end: u64,
    is_complete: bool,
}

impl Shared {
    fn new(run: RunId, offset: u64) -> Self {
        let seen = Seen {
            count: None,
            is_read: false,
            has_more: false,
            stand: None,
            tail: VecDeque::new(),
            tail_length: 0,
            end: offset,
            is_complete: false,
        };
        Self { run, seen: Mutex::new(seen), turns: News::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what changed since the last reading, unless somebody does.
    async fn read(&self, parts: &Parts, news: &Subscription, surely: bool) -> Result<(), PlatformError> {
        let mut surely = surely;
        loop {
            let mut others = self.turns.subscribe(Topic::Run(self.run));
            let count = news.count();
            let end = {
                let mut seen = self.seen();
                if seen.count == Some(count) && !seen.has_more && !surely {
                    return Ok(());
                }
                let is_free = !std::mem::replace(&mut seen.is_read, true);
                is_free.then_some(seen.end)
            };
            let Some(end) = end else {
                others.changed().await;
                // Whoever looks has just looked for us, too.
                surely = false;
                continue;
            };
            let turn = Turn { shared: self };
            let chunk = parts.deployments.log(self.run, end, CHUNK).await?;
            let run = parts.deployments.run(self.run).await?;
            let resources = parts.deployments.resources(self.run).await?;
            self.seen().take(count, RunStand { run, resources }, &chunk.bytes, chunk.complete);
            drop(turn);
            return Ok(());
        }
    }
}

impl Seen {
    fn take(&mut self, count: u64, stand: RunStand, log: &Bytes, is_complete: bool) {
        self.count = Some(count);
        if self.stand.as_deref() != Some(&stand) {
            self.stand = Some(Arc::new(stand));
        }
        self.has_more = log.len() >= CHUNK as usize;
        self.is_complete = is_complete;
        if !log.is_empty() {
            self.end += log.len() as u64;
            self.tail_length += log.len();
            self.tail.push_back(log.clone());
        }
        while self.tail_length > SHARED {
            self.tail_length -= self.tail.pop_front().map_or(self.tail_length, |first| first.len());
        }
    }

    /// The log from an offset on, if it is in what is shared.
    fn log_from(&self, offset: u64) -> Option<Bytes> {
        let start = self.end - self.tail_length as u64;
        let mut skipped = usize::try_from(offset.checked_sub(start)?).ok()?;
        if skipped > self.tail_length {
            return None;
        }
        let mut log = BytesMut::new();
        for piece in &self.tail {
            if skipped >= piece.len() {
                skipped -= piece.len();
                continue;
            }
            let rest = &piece[skipped..];
            skipped = 0;
            let room = CHUNK as usize - log.len();
            log.extend_from_slice(&rest[..rest.len().min(room)]);
            if log.len() >= CHUNK as usize {
                break;
            }
        }
        Some(log.freeze())
    }
}

/// Who reads; however that ends, the next one can.
struct Turn<'a> {
    shared: &'a Shared,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shared.seen().is_read = false;
        self.shared.turns.tell(Topic::Run(self.shared.run));
    }
}

/// The bytes up to the last line feed; all of them once the run is over. A chunk without any line feed is cut between
/// two characters.
fn whole_lines(bytes: Bytes, is_complete: bool) -> Bytes {
    if is_complete {
        return bytes;
    }
    let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => last + 1,
        None if bytes.len() < LONG_LINE => 0,
        None => match std::str::from_utf8(&bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        },
    };
    bytes.slice(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_log_is_cut_between_lines_and_never_inside_a_character() {
        let cut = |text: &[u8], complete| whole_lines(Bytes::copy_from_slice(text), complete).len();
        assert_eq!(cut(b"one\ntwo", false), 4);
        assert_eq!(cut(b"one\ntwo", true), 7);
        assert_eq!(cut(b"two", false), 0);
        let mut long = vec![b'x'; 5000];
        long.extend_from_slice(&"é".as_bytes()[..1]);
        assert_eq!(cut(&long, false), 5000);
    }
}
