//! Processes that post at random to one server, and servers that are killed below them.

use rad_core::id::AccountId;
use secrecy::ExposeSecret;

use super::address;
use super::cluster::{Cluster, Kill};
use crate::load::{
    Crew, Orders, Place, Scale, keeps_the_books_in_order, never_overdraws, seed, survives_kill_9,
};

async fn place() -> Place {
    Place::Postgres(address().await.expose_secret().to_owned())
}

#[tokio::test]
async fn four_processes_on_one_server_keep_the_books_in_order() {
    keeps_the_books_in_order(&place().await, 4).await;
}

#[tokio::test]
async fn processes_that_race_for_credits_never_overdraw() {
    never_overdraws(&place().await, 4).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    survives_kill_9(&place().await, 3).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_server_that_is_killed() {
    let (scale, seed) = (Scale::of_this_run(), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cluster = Cluster::start();
    let place = Place::Postgres(cluster.address());
    place.open().await;
    let accounts: Vec<AccountId> = (0..4).map(|_| AccountId::new()).collect();
    let mut crew = Crew::start((0..2).map(|process| Orders {
        place: place.clone(),
        seed: seed.wrapping_add(process),
        tasks: scale.tasks,
        batches: None,
        accounts: accounts.clone(),
        holds_only: false,
    }));
    for _ in 0..scale.kills {
        crew.work_on(random.u64(1..120));
        cluster.kill(*random.choice(&[Kill::Nine, Kill::Immediate]).unwrap());
        cluster.start_again();
    }
    crew.work_on(100);
    let mut journal = crew.finish();
    journal.settle(&*place.open().await).await;
    assert!(journal.retries() > 0, "no post met a server that was killed");
    eprintln!("{} servers killed: {}", scale.kills, journal.figures());
}
