//! A process that posts at random from many tasks.

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::ledger::{Ledger, LedgerError, Post, Posted};
use rad_core::money::{Amount, Credits, Currency, Rate};
use rad_core::revenue::{
    Body, Bucket, BurnOrder, Capture, ChargeTerms, EntryKey, Grant, Hold, LotSource, Reason, Refund, Release,
    RevenueBasis, Rounding, Violation,
};
use serde::{Deserialize, Serialize};

use super::Place;

/// Set for a process that is to work: its orders, as JSON.
pub(super) const ORDERS: &str = "RAD_BILLING_TEST_ORDERS";

/// What begins each line of a worker, to tell it from those of the test harness.
pub(super) const PREFIX: &str = "worker: ";

/// Credits of each hold of a worker that makes nothing else.
pub(super) const HELD: i64 = 3;

/// What a worker is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) place: Place,
    pub(crate) seed: u64,
    pub(crate) tasks: u64,
    /// How many batches each task posts; until it is told to end, otherwise.
    pub(crate) batches: Option<u64>,
    pub(crate) accounts: Vec<AccountId>,
    /// Only holds of [`HELD`] credits.
    pub(crate) holds_only: bool,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// It waits for the word to begin.
    Ready,
    /// It is about to post a batch.
    Trying { batch: BatchId, posts: Vec<Wanted> },
    /// The batch is posted, at these numbers.
    Posted { batch: BatchId, seqs: Vec<u64>, retries: u64 },
    /// The batch is refused.
    Refused { batch: BatchId, retries: u64 },
}

/// Names a batch of a worker: task and number.
pub(super) type BatchId = (u64, u64);

/// A post, as it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wanted {
    account: AccountId,
    key: EntryKey,
    at: DateTime<Utc>,
    actor: Option<AccountId>,
    body: Body,
}

impl From<&Post> for Wanted {
    fn from(post: &Post) -> Self {
        let Post { account, key, at, actor, body } = post.clone();
        Self { account, key, at, actor, body }
    }
}

impl From<Wanted> for Post {
    fn from(Wanted { account, key, at, actor, body }: Wanted) -> Self {
        Self { account, key, at, actor, body }
    }
}

#[allow(clippy::print_stdout, reason = "whoever started the process reads it")]
fn say(said: &Said) {
    println!("{PREFIX}{}", serde_json::to_string(said).unwrap());
}

/// Works, if this process was started for it. It begins at the first line that comes in; at the end of what comes in it ends,
/// if it was not told how much to do.
pub(super) async fn work_if_told_to() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let ledger = orders.place.open().await;
    say(&Said::Ready);
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    let worker =
        Arc::new(Worker { ledger, orders, known: Mutex::default(), is_over: AtomicBool::new(false) });
    let tasks: Vec<_> =
        (0..worker.orders.tasks).map(|task| tokio::spawn(Arc::clone(&worker).work(task))).collect();
    std::thread::spawn({
        let worker = Arc::clone(&worker);
        move || {
            std::io::stdin().lock().read_line(&mut String::new()).unwrap();
            worker.is_over.store(worker.orders.batches.is_none(), Ordering::Relaxed);
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
}

struct Worker {
    ledger: Box<dyn Ledger>,
    orders: Orders,
    known: Mutex<Known>,
    is_over: AtomicBool,
}

/// Holds and charges that entries can be about; some of them are settled by now.
#[derive(Default)]
struct Known {
    holds: Vec<(AccountId, u64)>,
    charges: Vec<(AccountId, u64)>,
}

impl Worker {
    async fn work(self: Arc<Self>, task: u64) {
        let mut random = fastrand::Rng::with_seed(self.orders.seed ^ task.rotate_right(8));
        let mut last: Option<(Vec<Post>, Vec<Posted>)> = None;
        for number in 0..self.orders.batches.unwrap_or(u64::MAX) {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let batch = (task, number);
            let posts = self.draw(&mut random, batch);
            say(&Said::Trying { batch, posts: posts.iter().map(Wanted::from).collect() });
            let (outcome, retries) = self.post(&posts).await;
            let Some(posted) = outcome else {
                say(&Said::Refused { batch, retries });
                continue;
            };
            say(&Said::Posted {
                batch,
                seqs: posted.iter().map(|posted| posted.entry.seq).collect(),
                retries,
            });
            self.remember(&posted);
            if let Some((posts, first)) = last.replace((posts, posted)).filter(|_| random.u8(..) < 32) {
                self.repeat(&posts, first).await;
            }
        }
    }

    /// Posts until it is settled: `None` if the engine refuses.
    async fn post(&self, posts: &[Post]) -> (Option<Vec<Posted>>, u64) {
        let mut retries = 0;
        loop {
            match self.ledger.post_batch(posts).await {
                Ok(posted) => {
                    let repeated = posted.iter().filter(|posted| posted.repeated).count();
                    let whole = repeated == 0 || (retries > 0 && repeated == posted.len());
                    assert!(whole, "{repeated} of a batch were there before, after {retries} failures");
                    return (Some(posted), retries);
                }
                Err(LedgerError::Refused { violation, .. }) => {
                    assert!(is_lost_race(&violation), "{violation:?}");
                    return (None, retries);
                }
                Err(LedgerError::Backend(error)) if error.is_retryable() => retries += 1,
                Err(other) => panic!("{other:?}: {:?}", std::error::Error::source(&other)),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The same posts again give the first result, and other content under their key is refused.
    async fn repeat(&self, posts: &[Post], mut first: Vec<Posted>) {
        first.iter_mut().for_each(|posted| posted.repeated = true);
        let (again, _) = self.post_again(posts).await;
        assert_eq!(again, first);
        let mut other = posts[0].clone();
        other.actor = Some(AccountId::from_bytes([9; 16]));
        let refused = loop {
            match self.ledger.post_batch(std::slice::from_ref(&other)).await {
                Err(LedgerError::Backend(error)) if error.is_retryable() => {}
                other => break other,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        assert!(matches!(refused, Err(LedgerError::KeyReused { index: 0, .. })), "{refused:?}");
    }

    async fn post_again(&self, posts: &[Post]) -> (Vec<Posted>, u64) {
        let mut retries = 0;
        loop {
            match self.ledger.post_batch(posts).await {
                Ok(posted) => return (posted, retries),
                Err(LedgerError::Backend(error)) if error.is_retryable() => retries += 1,
                Err(other) => panic!("what was posted cannot be refused: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn remember(&self, posted: &[Posted]) {
        let mut known = self.known.lock().unwrap();
        for Posted { entry, .. } in posted {
            let place = match entry.body {
                Body::Hold(_) => &mut known.holds,
                Body::Capture(_) => &mut known.charges,
                _ => continue,
            };
            if place.len() >= 24 {
                place.remove(0);
            }
            place.push((entry.account, entry.seq));
        }
    }

    fn draw(&self, random: &mut fastrand::Rng, (task, number): BatchId) -> Vec<Post> {
        let size = if self.orders.holds_only || random.u8(..) < 200 { 1 } else { random.u64(2..5) };
        let known = self.known.lock().unwrap();
        let draw = |index: u64| {
            let (account, actor, body) = match self.orders.holds_only {
                true => (self.orders.accounts[0], None, hold(HELD)),
                false => something(random, &self.orders.accounts, &known),
            };
            let parts = [self.orders.seed, task, number, index].map(u64::to_be_bytes);
            let key = EntryKey::derive("load", &parts.each_ref().map(<[u8; 8]>::as_slice));
            // The clocks of callers do not agree.
            let at = START + TimeDelta::milliseconds(random.i64(0..3_600_000));
            Post { account, key, at, actor, body }
        };
        (0..size).map(draw).collect()
    }
}

const START: DateTime<Utc> = DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap();

fn something(
    random: &mut fastrand::Rng,
    accounts: &[AccountId],
    known: &Known,
) -> (AccountId, Option<AccountId>, Body) {
    let account = accounts[random.usize(..accounts.len())];
    let amount = Credits::from_micros(random.i64(1..4_000_000));
    match random.u8(0..12) {
        0..=2 => (account, None, grant(LotSource::AdminAward, Bucket::Awarded, amount, 0)),
        3 => (account, None, grant(LotSource::Purchase, Bucket::Purchased, amount, random.i64(1..90))),
        kind @ 4..=8 => match random.choice(&known.holds) {
            Some(&(account, hold)) if kind < 6 => (account, None, capture(hold, amount)),
            Some(&(account, hold)) if kind == 6 => (account, None, Body::Release(Release { hold })),
            _ => (account, None, hold(random.i64(1..4))),
        },
        9 => match random.choice(&known.charges) {
            Some(&(account, charge)) => {
                let refund = Refund { charge, amount, reason: Reason::new("it did not work").unwrap() };
                (account, Some(AccountId::from_bytes([8; 16])), Body::Refund(refund))
            }
            None => (account, None, hold(2)),
        },
        _ => (account, None, hold(random.i64(1..6))),
    }
}

fn grant(source: LotSource, bucket: Bucket, credits: Credits, cents: i64) -> Body {
    let cost = Amount::from_micros(cents * 10_000);
    Body::Grant(Grant { source, bucket, credits, cost, paid: None, expires: None, reference: None })
}

fn hold(credits: i64) -> Body {
    Body::Hold(Hold {
        amount: Credits::from_micros(credits * 1_000_000),
        burn: BurnOrder::AwardedFirst,
        expires: None,
        deployment: Some(DeploymentId::from_number(1)),
        module: Some(ModuleId::from_bytes([1; 16])),
    })
}

fn capture(hold: u64, amount: Credits) -> Body {
    let terms = ChargeTerms {
        module: ModuleId::from_bytes([1; 16]),
        commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        publisher: Some(AccountId::from_bytes([2; 16])),
        agent: Some(AccountId::from_bytes([3; 16])),
        partner_share: Rate::from_basis_points(2_000).unwrap(),
        agent_share: Rate::from_basis_points(500).unwrap(),
        rule_version: 1,
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
        currency: Currency::USD,
    };
    Body::Capture(Capture { hold, amount, deployment: DeploymentId::from_number(1), terms: Arc::new(terms) })
}

/// Whether a refusal is what those get whom others were faster than.
fn is_lost_race(violation: &Violation) -> bool {
    matches!(
        violation,
        Violation::InsufficientTotal { .. }
            | Violation::HoldSettled { .. }
            | Violation::ExceedsHold { .. }
            | Violation::ExceedsCharge { .. }
    )
}
