//! Following a run: everybody gets every byte of its log once, and hears how it ends.

use std::time::Duration;

use rad_core::deployment::{Lease, RunReport, RunStatus};
use rad_core::id::RunId;
use rad_core::live::Topic;
use rad_core::platform::{Actor, Operations, PlatformError};
use rad_core::runner::{ChangeKind, ChangeStatus, ResourceProgress, RunOutcome};
use tokio::time::timeout;
use uuid::Uuid;

use super::deploying::funded;
use super::market::{Market, values};

async fn leased(market: &Market) -> Lease {
    let user = market.actor(market.user).await;
    user.deploy(market.module("small").await, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
    market.lease("worker").await
}

/// Pieces that end anywhere: between lines, in a line, in a character.
fn pieces() -> Vec<Vec<u8>> {
    let lines = (0..3_000).map(|n| format!("{n}: {}\n", "naïve ".repeat(n % 17)));
    let text: String = lines.chain(["x".repeat(100_000), "the end without a line feed".to_owned()]).collect();
    let mut rest = text.as_bytes();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let size = (pieces.len() * 7919 % 1500 + 1).min(rest.len());
        let (piece, after) = rest.split_at(size);
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

/// Everything that a follower was given, who now and then goes away and comes back where he stopped.
async fn follow(actor: Actor, run: RunId, patience: usize) -> (Vec<u8>, RunStatus) {
    let (mut log, mut last) = (Vec::new(), None);
    loop {
        tokio::task::yield_now().await;
        let mut follower = actor.follow(run, log.len() as u64).await.unwrap();
        for _ in 0..patience {
            let news = follower.next().await.unwrap();
            log.extend_from_slice(&news.log);
            assert_eq!(news.offset, log.len() as u64);
            assert!(news.is_over || std::str::from_utf8(&news.log).is_ok(), "a character was cut");
            last = news.stand.map(|stand| stand.run.status).or(last);
            if news.is_over {
                return (log, last.unwrap());
            }
        }
    }
}

async fn write(operations: Operations, lease: Lease, pieces: &[Vec<u8>]) {
    for (number, piece) in pieces.iter().enumerate() {
        operations.append_log(&lease, piece).await.unwrap();
        if number % 50 == 0 {
            let progress = ResourceProgress {
                address: format!("terraform_data.node[{number}]"),
                change: ChangeKind::Create,
                status: ChangeStatus::Complete,
                elapsed_seconds: None,
            };
            let report = RunReport { resources: vec![progress], ..RunReport::default() };
            operations.record(&lease, &report).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    operations.finish(&lease, RunOutcome::Success).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_followers_get_the_whole_log_once_and_hear_of_the_end() {
    let market = funded().await;
    let lease = leased(&market).await;
    let user = market.actor(market.user).await;
    let followers: Vec<_> = [1, 2, 3, 10, 100, usize::MAX, usize::MAX, usize::MAX]
        .map(|patience| tokio::spawn(follow(user.clone(), lease.run, patience)))
        .into();
    let pieces = pieces();
    write(market.platform.operations(), lease.clone(), &pieces).await;
    let whole = pieces.concat();
    for follower in followers.into_iter().chain([tokio::spawn(follow(user, lease.run, usize::MAX))]) {
        let (log, status) = follower.await.unwrap();
        assert!(log == whole, "{} of {} bytes, or others", log.len(), whole.len());
        assert_eq!(status, RunStatus::Success);
    }
}

#[tokio::test]
async fn a_follower_waits_until_something_is_told_and_can_look_untold() {
    let market = funded().await;
    let lease = leased(&market).await;
    let mut follower = market.actor(market.user).await.follow(lease.run, 0).await.unwrap();
    let first = follower.next().await.unwrap();
    assert_eq!(first.stand.unwrap().run.status, RunStatus::Working);
    let nothing = timeout(Duration::from_millis(20), follower.next()).await;
    assert!(nothing.is_err(), "there is nothing new: {nothing:?}");
    assert_eq!(follower.look().await.unwrap(), None);
    market.platform.operations().append_log(&lease, b"half a li").await.unwrap();
    let nothing = timeout(Duration::from_millis(20), follower.next()).await;
    assert!(nothing.is_err(), "lines are given whole: {nothing:?}");
    market.platform.operations().append_log(&lease, b"ne\nmore").await.unwrap();
    assert_eq!(follower.next().await.unwrap().log, "half a line\n");
}

#[tokio::test]
async fn nobody_follows_the_runs_of_others() {
    let market = funded().await;
    let lease = leased(&market).await;
    let refused = market.actor(market.agent).await.follow(lease.run, 0).await.unwrap_err();
    assert!(matches!(refused, PlatformError::NotFound { .. }), "{refused:?}");
}

#[tokio::test]
async fn whoever_waits_for_work_or_statuses_hears_of_them() {
    let market = funded().await;
    let operations = market.platform.operations();
    let (mut queue, mut statuses) =
        (operations.queue_news(), market.actor(market.user).await.deployment_news());
    let lease = leased(&market).await;
    queue.changed().await;
    statuses.changed().await;
    assert_eq!(Topic::Run(lease.run).to_string(), format!("run:{}", lease.run));
    operations.finish(&lease, RunOutcome::Failure).await.unwrap();
    queue.changed().await;
    statuses.changed().await;
}
