//! Many processes that post at random, killed or not, and what must be true afterwards.
//!
//! A crew of [workers](worker) posts to a few accounts. Each worker says what it is about to post before it does, and what came
//! of it after; the [journal](journal) has it all, whatever became of the worker. So it is known for every post whether it was
//! acknowledged, refused, or under way when somebody was killed, and what must be in the ledger.

mod crew;
mod journal;
mod worker;

use std::path::PathBuf;

use rad_billing::{SqliteLedger, sqlite};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerExt};
use serde::{Deserialize, Serialize};

pub(crate) use self::crew::Crew;
pub(crate) use self::worker::Orders;
use crate::{award, database};

/// Where a ledger is, for processes to find it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Place {
    pub(crate) async fn open(&self) -> Box<dyn Ledger> {
        match self {
            Self::Sqlite(path) => Box::new(SqliteLedger::new(sqlite::open(path).await.unwrap())),
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => {
                let pool = rad_billing::postgres::open(&address.clone().into()).await;
                Box::new(rad_billing::PostgresLedger::new(pool.unwrap()))
            }
        }
    }
}

/// How much is done: a little in every run of the tests, much in `make soak`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Tasks of each process.
    pub(crate) tasks: u64,
    /// Batches of each task.
    pub(crate) batches: u64,
    /// How often somebody is killed.
    pub(crate) kills: u32,
}

impl Scale {
    pub(crate) fn of_this_run() -> Self {
        match std::env::var("RAD_SOAK_KILLS") {
            Ok(kills) => Self { tasks: 64, batches: 100, kills: kills.parse().unwrap() },
            Err(_) => Self { tasks: 16, batches: 12, kills: 4 },
        }
    }
}

/// Holds of each task in a race for credits. All are open in one account.
const RACES: u64 = 12;

/// A seed for everything random, told so that a failure can be repeated: `RAD_TEST_SEED` sets it.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("RAD_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => fastrand::u64(..),
    };
    eprintln!("RAD_TEST_SEED={seed}");
    seed
}

#[tokio::test]
async fn works_where_told_to() {
    worker::work_if_told_to().await;
}

#[tokio::test]
async fn two_processes_on_one_file_keep_the_books_in_order() {
    let database = database().await.unwrap();
    keeps_the_books_in_order(&Place::Sqlite(database.dir.path().join("rad.db")), 2).await;
}

#[tokio::test]
async fn processes_that_race_for_a_file_never_overdraw() {
    let database = database().await.unwrap();
    never_overdraws(&Place::Sqlite(database.dir.path().join("rad.db")), 2).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let database = database().await.unwrap();
    survives_kill_9(&Place::Sqlite(database.dir.path().join("rad.db")), 2).await;
}

/// Random posts of several processes to few accounts.
pub(crate) async fn keeps_the_books_in_order(place: &Place, processes: u64) {
    let (scale, seed) = (Scale::of_this_run(), seed());
    let accounts: Vec<AccountId> = (0..5).map(|_| AccountId::new()).collect();
    let crew = Crew::start((0..processes).map(|process| Orders {
        place: place.clone(),
        seed: seed.wrapping_add(process),
        tasks: scale.tasks,
        batches: Some(scale.batches),
        accounts: accounts.clone(),
        holds_only: false,
    }));
    let mut journal = crew.finish();
    journal.settle(&*place.open().await).await;
    eprintln!("{processes} processes of {} tasks: {}", scale.tasks, journal.figures());
}

/// Holds of several processes on one account that has enough for some of them.
pub(crate) async fn never_overdraws(place: &Place, processes: u64) {
    let (scale, seed) = (Scale::of_this_run(), seed());
    let ledger = place.open().await;
    for round in 0..3 {
        let account = AccountId::new();
        // Half of what is asked for, and a rest that is not enough for one more.
        let enough_for = processes * scale.tasks * RACES / 2;
        let credits = i64::try_from(enough_for).unwrap() * worker::HELD + worker::HELD - 1;
        ledger.post(award(account, round, credits)).await.unwrap();
        let crew = Crew::start((0..processes).map(|process| Orders {
            place: place.clone(),
            seed: seed.wrapping_add(process),
            tasks: scale.tasks,
            batches: Some(RACES),
            accounts: vec![account],
            holds_only: true,
        }));
        let mut journal = crew.finish();
        journal.expect(account, award(account, round, credits), 1);
        journal.settle(&*ledger).await;
        assert_eq!(journal.acknowledged(), enough_for, "exactly as many holds as the credits are enough for");
    }
}

/// Kills one process after the other while they post, each replaced by another.
pub(crate) async fn survives_kill_9(place: &Place, processes: usize) {
    let (scale, seed) = (Scale::of_this_run(), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let accounts: Vec<AccountId> = (0..3).map(|_| AccountId::new()).collect();
    let mut orders = (0..).map(|process| Orders {
        place: place.clone(),
        seed: seed.wrapping_add(process),
        tasks: 8,
        batches: None,
        accounts: accounts.clone(),
        holds_only: false,
    });
    let mut crew = Crew::start(orders.by_ref().take(processes));
    for _ in 0..scale.kills {
        crew.work_on(random.u64(0..60));
        crew.kill(random.usize(0..processes), orders.next());
        // Settled while the others go on: nobody's post is lost or doubled by whom was killed.
        crew.journal.settle_killed(&*place.open().await).await;
    }
    let mut journal = crew.finish();
    journal.settle(&*place.open().await).await;
    eprintln!("{} processes killed: {}", scale.kills, journal.figures());
}
