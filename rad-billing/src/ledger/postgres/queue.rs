//! Group commit: the callers of one process wait in lanes, and whoever's turn it is posts for everybody in the lane.
//!
//! A post belongs to its lane from the moment it is queued, so a caller who goes away neither loses nor doubles it. There is
//! no task that must be kept alive: every caller brings one, and those whose posts went along with an earlier group find
//! their lane empty.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use rad_core::error::{BackendError, FailureKind};
use rad_core::ledger::Post;
use sqlx::postgres::PgPool;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use super::group::{Outcome, post_group};
use crate::database::{failed, is_conflict};

/// How many groups can be under way at once. While one waits for the disk, another is prepared.
const LANES: usize = 4;

/// The most posts that wait or are under way in one process; further callers wait for room.
const ROOM: u32 = 4_096;

/// The most posts of a group, where no single batch is larger.
const GROUP: usize = 256;

/// How often a group is tried again that met another writer, and the longest pause before the first of them. Pauses
/// double.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(4);

/// Every statement sees what was committed before it, so that what is read after a head is locked is up to date.
///
/// Plans are kept for as long as a connection is; one made while the tables were small must not read them whole later.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// Where the posts of one process wait.
#[derive(Debug)]
pub(super) struct Queue {
    pool: PgPool,
    lanes: [Arc<Lane>; LANES],
    room: Arc<Semaphore>,
    is_draining: AtomicBool,
}

/// Posts that are made one group after the other, so that posts to one account do not stand in each other's way.
#[derive(Debug, Default)]
struct Lane {
    waiting: SyncMutex<VecDeque<Job>>,
    turn: Mutex<()>,
}

#[derive(Debug)]
struct Job {
    posts: Vec<Post>,
    reply: oneshot::Sender<Outcome>,
    _room: OwnedSemaphorePermit,
}

impl Queue {
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            lanes: Default::default(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            is_draining: AtomicBool::new(false),
        }
    }

    /// Posts a batch, with others that wait.
    pub(super) async fn post(&self, posts: Vec<Post>) -> Outcome {
        if self.is_draining.load(Ordering::Acquire) {
            return Err(shut_down().into());
        }
        let size = u32::try_from(posts.len()).unwrap_or(ROOM).min(ROOM);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| shut_down())?;
        let Some(lane) = posts.first().map(|post| self.lane(post)) else { return Ok(Vec::new()) };
        let (reply, outcome) = oneshot::channel();
        lane.waiting().push_back(Job { posts, reply, _room: room });
        tokio::spawn(Arc::clone(lane).take_turn(self.pool.clone()));
        outcome.await.map_err(|error| BackendError::unavailable("posting entries", error))?
    }

    /// Takes no more posts, and waits for those that were taken.
    pub(super) async fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        // Room is given in the order it was asked for: all of it means that nobody is left.
        let all = self.room.acquire_many(ROOM).await;
        self.room.close();
        drop(all);
    }

    /// The lane of a batch: that of its first account. The last byte of an account's id is random.
    fn lane(&self, post: &Post) -> &Arc<Lane> {
        let byte = usize::from(post.account.as_bytes()[15]);
        &self.lanes[byte % LANES]
    }
}

impl Lane {
    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Job>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts everybody who waits, up to a group, when it is this caller's turn.
    async fn take_turn(self: Arc<Self>, pool: PgPool) {
        let _turn = self.turn.lock().await;
        let jobs = self.next_group();
        if jobs.is_empty() {
            return;
        }
        let batches: Vec<&[Post]> = jobs.iter().map(|job| job.posts.as_slice()).collect();
        let outcomes = post_all(&pool, &batches).await;
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            // A caller who went away does not wait for an answer.
            let _ = job.reply.send(outcome);
        }
    }

    fn next_group(&self) -> Vec<Job> {
        let mut waiting = self.waiting();
        let (mut jobs, mut size): (Vec<Job>, usize) = (Vec::new(), 0);
        while let Some(job) = waiting.front() {
            size += job.posts.len();
            if size > GROUP && !jobs.is_empty() {
                break;
            }
            jobs.extend(waiting.pop_front());
        }
        jobs
    }
}

/// Posts batches together; where that fails for a reason that may be one batch's alone, one by one.
async fn post_all(pool: &PgPool, batches: &[&[Post]]) -> Vec<Outcome> {
    match post_together(pool, batches).await {
        Ok(outcomes) => outcomes,
        Err(error) if batches.len() > 1 && error.kind() != FailureKind::Unavailable => {
            let mut outcomes = Vec::with_capacity(batches.len());
            for batch in batches {
                outcomes.extend(match post_together(pool, &[batch]).await {
                    Ok(outcomes) => outcomes,
                    Err(error) => vec![Err(error.into())],
                });
            }
            outcomes
        }
        Err(error) => {
            let error = Arc::new(error);
            batches.iter().map(|_| Err(same(&error).into())).collect()
        }
    }
}

/// Posts batches in one transaction, again and again while other writers get in between.
async fn post_together(pool: &PgPool, batches: &[&[Post]]) -> Result<Vec<Outcome>, BackendError> {
    let mut tries = 0;
    loop {
        match try_group(pool, batches).await {
            Err(error) if is_conflict(&error) && tries < TRIES => {
                tries += 1;
                tracing::debug!(
                    tries,
                    batches = batches.len(),
                    "another writer was in between: posting again"
                );
                tokio::time::sleep(pause(tries)).await;
            }
            result => return result,
        }
    }
}

async fn try_group(pool: &PgPool, batches: &[&[Post]]) -> Result<Vec<Outcome>, BackendError> {
    let mut transaction = pool.begin_with(BEGIN).await.map_err(failed("beginning a transaction"))?;
    match post_group(&mut transaction, batches).await {
        Ok(outcomes) => {
            transaction.commit().await.map_err(failed("committing entries"))?;
            Ok(outcomes)
        }
        Err(error) => {
            // The first error is the one that says what went wrong.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// Somewhere between nothing and twice the last one, so that those who collided do not do so again.
fn pause(tries: u32) -> Duration {
    let most = PAUSE.saturating_mul(1 << tries.min(8));
    let random = RandomState::new().build_hasher().finish();
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random % micros.max(1))
}

/// The same failure for another caller.
fn same(error: &Arc<BackendError>) -> BackendError {
    let (during, cause) = ("posting entries", Arc::clone(error));
    match error.kind() {
        FailureKind::Unavailable => BackendError::unavailable(during, cause),
        FailureKind::Corrupt => BackendError::corrupt(during, cause),
        _ => BackendError::permanent(during, cause),
    }
}

fn shut_down() -> BackendError {
    BackendError::unavailable("posting entries", "this ledger is shutting down and takes no more posts")
}
