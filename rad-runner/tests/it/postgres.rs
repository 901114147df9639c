//! Several processes over one PostgreSQL database: each run is taken once, and what one changes the others hear.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::clock::{Clock, SystemClock};
use rad_core::conformance::deployment::sample;
use rad_core::deployment::{DeploymentStore as _, LeaseLimits, Run, RunStatus, Transition};
use rad_core::id::{AccountId, RunId};
use rad_core::live::Topic;
use rad_core::seal::Keyring;
use rad_runner::store::SqlDeployments;
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long news may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000, 0).unwrap()
}

/// The store as another process opens it.
async fn open(address: &SecretString, key: &Keyring) -> SqlDeployments {
    let pool = rad_sql::postgres::open(address).await.unwrap();
    SqlDeployments::new(pool, key.clone()).await.unwrap()
}

/// Two processes over one database.
async fn two() -> [SqlDeployments; 2] {
    let (address, key) = (rad_sql::testing::postgres_address().await.unwrap(), Keyring::generate());
    [open(&address, &key).await, open(&address, &key).await]
}

async fn queued(store: &SqlDeployments, owner: AccountId) -> Run {
    let (_, run) = store.create(sample(owner), RunId::new(), now()).await.unwrap();
    store.advance(run.id, Transition::Queue, now()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_ask_at_once_never_get_the_same_run() {
    let stores = two().await;
    let owner = AccountId::new();
    for _ in 0..20 {
        queued(&stores[0], owner).await;
    }
    let mut asking = JoinSet::new();
    for worker in 0..6 {
        let store = stores[worker % 2].clone();
        asking.spawn(async move {
            let mut taken = Vec::new();
            let until = now() + chrono::TimeDelta::seconds(15);
            while let Some(lease) =
                store.lease(&format!("worker {worker}"), LeaseLimits::default(), now(), until).await.unwrap()
            {
                taken.push(lease.run);
            }
            taken
        });
    }
    let mut taken: Vec<RunId> = asking.join_all().await.concat();
    while let Some(lease) = stores[0].lease("last", LeaseLimits::default(), now(), now()).await.unwrap() {
        taken.push(lease.run);
    }
    assert_eq!(taken.len(), 20);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 20, "no run is taken twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_ask_at_once_keep_within_the_limits() {
    let stores = two().await;
    let owner = AccountId::new();
    for _ in 0..10 {
        queued(&stores[0], owner).await;
    }
    let mut asking = JoinSet::new();
    for worker in 0..8 {
        let store = stores[worker % 2].clone();
        let limits = LeaseLimits { per_owner: Some(3), total: None };
        asking.spawn(
            async move { store.lease(&format!("worker {worker}"), limits, now(), now()).await.unwrap() },
        );
    }
    let taken = asking.join_all().await.into_iter().flatten().count();
    assert_eq!(taken, 3);
    assert_eq!(stores[1].runs_in(RunStatus::Working, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_one_process_changes_another_one_hears() {
    let [here, there] = two().await;
    let (mut queue, mut list) =
        (there.news().subscribe(Topic::Queue), there.news().subscribe(Topic::Deployments));
    let run = queued(&here, AccountId::new()).await;
    timeout(PATIENCE, queue.changed()).await.expect("a worker hears of a queued run");
    timeout(PATIENCE, list.changed()).await.expect("lists hear of it");

    let lease = here.lease("worker", LeaseLimits::default(), now(), now()).await.unwrap().unwrap();
    let mut watched = there.news().subscribe(Topic::Run(run.id));
    here.append_log(&lease, b"hello\n").await.unwrap();
    timeout(PATIENCE, watched.changed()).await.expect("who follows a run hears of its log");
    assert_eq!(&there.log(run.id, 0, 100).await.unwrap().bytes[..], b"hello\n");

    // The other way round: the wish to stop reaches the worker.
    let mut told = here.news().subscribe(Topic::Run(run.id));
    there.cancel(run.id, now()).await.unwrap();
    timeout(PATIENCE, told.changed()).await.expect("a worker hears that its run is to stop");
}

#[tokio::test]
async fn a_lease_that_is_lengthened_is_no_news() {
    let [here, there] = two().await;
    let run = queued(&here, AccountId::new()).await;
    let lease = here.lease("worker", LeaseLimits::default(), now(), now()).await.unwrap().unwrap();
    all_heard(&here, &there).await;
    let watched = there.news().subscribe(Topic::Run(run.id));
    here.renew(&lease, now()).await.unwrap();
    all_heard(&here, &there).await;
    assert!(!watched.has_changed());
}

/// Waits until one process has heard all that the other told: what is told later is heard later.
async fn all_heard(told: &SqlDeployments, heard: &SqlDeployments) {
    let last = RunId::new();
    let mut news = heard.news().subscribe(Topic::Run(last));
    told.create(sample(AccountId::new()), last, now()).await.unwrap();
    timeout(PATIENCE, news.changed()).await.expect("the last news are heard");
}

/// A clock that is wrong.
#[derive(Debug)]
struct Ahead(TimeDelta);

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_whose_clocks_differ_agree_on_which_leases_have_lapsed() {
    let (address, key) = (rad_sql::testing::postgres_address().await.unwrap(), Keyring::generate());
    let hour = TimeDelta::hours(1);
    let clocks = [TimeDelta::zero(), hour, -hour].map(|ahead| Arc::new(Ahead(ahead)));
    let mut stores = Vec::new();
    for clock in &clocks {
        stores.push(open(&address, &key).await.clock(clock.clone()));
    }
    let lasting = TimeDelta::seconds(60);
    for (mine, clock) in stores.iter().zip(&clocks) {
        let run = queued(mine, AccountId::new()).await;
        let (now, limits) = (clock.now(), LeaseLimits::default());
        let lease = mine.lease("one of them", limits, now, now + lasting).await.unwrap().unwrap();
        assert_eq!(lease.run, run.id);
        for (other, clock) in stores.iter().zip(&clocks) {
            assert!(other.interrupt_lapsed(clock.now()).await.unwrap().is_empty(), "{clock:?}");
        }
        mine.renew(&lease, clock.now() + lasting).await.unwrap();
        for (other, clock) in stores.iter().zip(&clocks) {
            assert!(other.interrupt_lapsed(clock.now()).await.unwrap().is_empty(), "{clock:?}");
        }
        let later = clock.now() + lasting * 2;
        let interrupted = mine.interrupt_lapsed(later).await.unwrap();
        assert_eq!(
            (interrupted[0].id, interrupted[0].finished_at),
            (run.id, Some(later)),
            "by its own clock"
        );
    }
}
