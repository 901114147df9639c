//! What did not change since a repository was last read is neither downloaded nor parsed again, and is the same as if it were.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::memory::{MemoryReadings, MemoryRepos};
use rad_core::module::READER;
use rad_core::platform::{GridState, ModuleGrid, Selection};
use rad_core::reading::{Reading, ReadingStore};
use rad_core::repo::{Head, RepoAccess, RepoError, RepoSource, Repository};
use rad_core::source::{CommitId, SourceTree};
use rad_core::watch::StepKind;
use secrecy::SecretString;
use tokio::sync::Barrier;

use super::market::{MODULES, Market, publish};

/// Readings that can be out of order.
#[derive(Debug, Default)]
pub(super) struct UnsteadyReadings {
    kept: MemoryReadings,
    fails: AtomicBool,
}

impl UnsteadyReadings {
    fn answer(&self) -> Result<(), BackendError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(BackendError::unavailable("keeping readings", "out of order"));
        }
        Ok(())
    }
}

#[async_trait]
impl ReadingStore for UnsteadyReadings {
    async fn reading(&self, publisher: Publisher, reader: &str) -> Result<Option<Reading>, BackendError> {
        self.answer()?;
        self.kept.reading(publisher, reader).await
    }

    async fn keep(&self, reading: &Reading) -> Result<(), BackendError> {
        self.answer()?;
        self.kept.keep(reading).await
    }

    async fn forget(&self, publisher: Publisher) -> Result<(), BackendError> {
        self.kept.forget(publisher).await
    }
}

/// A source that counts how often it gives a tree, and can be held up before it gives the next one.
#[derive(Debug, Default)]
pub(super) struct SlowRepos {
    pub(super) repos: Arc<MemoryRepos>,
    trees: AtomicUsize,
    gate: Mutex<Option<Arc<Barrier>>>,
}

impl SlowRepos {
    pub(super) fn over(repos: Arc<MemoryRepos>) -> Self {
        Self { repos, ..Self::default() }
    }

    /// Holds up whoever asks for a tree next: until the barrier is come to twice, once he is there and once to let him go on.
    pub(super) fn hold_up(&self) -> Arc<Barrier> {
        let gate = Arc::new(Barrier::new(2));
        *self.gate.lock().unwrap() = Some(gate.clone());
        gate
    }
}

#[async_trait]
impl RepoSource for SlowRepos {
    async fn repositories(
        &self,
        publisher: Publisher,
        credential: Option<&SecretString>,
    ) -> Result<Vec<Repository>, RepoError> {
        RepoSource::repositories(&*self.repos, publisher, credential).await
    }

    async fn check_publishing(&self, repo: RepoAccess<'_>) -> Result<(), RepoError> {
        self.repos.check_publishing(repo).await
    }

    async fn branches(&self, repo: RepoAccess<'_>) -> Result<Vec<String>, RepoError> {
        self.repos.branches(repo).await
    }

    async fn head(&self, repo: RepoAccess<'_>, branch: Option<&str>) -> Result<Head, RepoError> {
        self.repos.head(repo, branch).await
    }

    async fn tree(
        &self,
        repo: RepoAccess<'_>,
        commit: &CommitId,
        sub_dir: &str,
    ) -> Result<SourceTree, RepoError> {
        self.trees.fetch_add(1, Ordering::Relaxed);
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.wait().await;
            gate.wait().await;
        }
        self.repos.tree(repo, commit, sub_dir).await
    }
}

/// The grid of the partner, the modules that were parsed for it, and the trees that were read.
async fn grid(market: &Market) -> (ModuleGrid, usize, usize) {
    market.source.trees.store(0, Ordering::Relaxed);
    let grid = market.actor(market.partner).await.module_grid().await.unwrap();
    let parsed = grid.parsed;
    (grid, parsed, market.source.trees.load(Ordering::Relaxed))
}

fn state<'a>(grid: &'a ModuleGrid, name: &str) -> &'a GridState {
    &grid.entries.iter().find(|entry| entry.name == name).unwrap().state
}

/// The modules of the market, one of them with another source.
fn with(name: &'static str, source: &'static str) -> Vec<(&'static str, &'static str)> {
    let other =
        |&(found, old): &(&'static str, &'static str)| (found, if found == name { source } else { old });
    MODULES.iter().map(other).collect()
}

#[tokio::test]
async fn only_what_changed_is_parsed() {
    let market = Market::open().await;
    market.connect(market.partner).await;
    let (first, parsed, trees) = grid(&market).await;
    assert_eq!((parsed, trees), (MODULES.len(), 1), "everything is new");
    let (again, parsed, trees) = grid(&market).await;
    assert_eq!((parsed, trees), (0, 0), "nothing is read while the head stays");
    assert_eq!(format!("{:?}", again.entries), format!("{:?}", first.entries));

    market.clock.advance(TimeDelta::minutes(1));
    market.push(MODULES);
    let (again, parsed, trees) = grid(&market).await;
    assert_eq!((parsed, trees), (0, 1), "another commit of the same modules");
    assert_eq!(format!("{:?}", again.entries), format!("{:?}", first.entries));

    market.push(&with("small", "variable \"credit_cost\" { default = 61 }"));
    let (changed, parsed, _) = grid(&market).await;
    assert_eq!(parsed, 1);
    let small = changed.entries.iter().find(|entry| entry.name == "small").unwrap();
    assert_eq!(small.manifest.as_ref().unwrap().metadata.credit_cost.to_string(), "61");
    assert_eq!(state(&changed, "broken"), state(&first, "broken"), "what is wrong is known from before, too");
    assert!(matches!(state(&changed, "broken"), GridState::Invalid(errors) if !errors.is_empty()));

    market.push(&with("broken", ""));
    let (mended, parsed, _) = grid(&market).await;
    assert_eq!((parsed, state(&mended, "broken")), (2, &GridState::New), "and small is as it was");
}

#[tokio::test]
async fn the_same_sources_in_another_directory_are_another_module() {
    let market = Market::open().await;
    market.connect(market.partner).await;
    grid(&market).await;
    market.push(&[("small", MODULES[0].1), ("shattered", MODULES[4].1)]);
    let (renamed, parsed, _) = grid(&market).await;
    let GridState::Invalid(errors) = state(&renamed, "shattered") else { panic!("{renamed:?}") };
    assert_eq!((parsed, errors[0].file.as_str()), (1, "shattered/main.tf"));
    let partner = market.actor(market.partner).await;
    partner.connect(None).await.unwrap();
    market.connect(market.partner).await;
    assert_eq!(grid(&market).await.1, 2, "what was read is forgotten with the connection");
}

#[tokio::test]
async fn what_is_kept_is_what_is_shown_and_published() {
    let market = Market::open().await;
    market.connect(market.partner).await;
    grid(&market).await;
    let publisher = Publisher::Partner(market.partner);
    let mut reading = market.readings.reading(publisher, READER).await.unwrap().unwrap();
    for module in &mut reading.modules {
        if let Ok(manifest) = &mut module.outcome {
            manifest.description = format!("{} as it was kept", manifest.name);
        }
    }
    market.readings.keep(&reading).await.unwrap();
    market.push(&with("paid", ""));
    let plan = market.publish(&["small", "paid"]).await;
    assert_eq!(plan.steps.len(), 2);
    let (grid, _, _) = grid(&market).await;
    let described = |name: &str| {
        let entry = grid.entries.iter().find(|entry| entry.name == name).unwrap();
        entry.listing.as_ref().unwrap().revision.manifest.description.clone()
    };
    assert_eq!(described("small"), "small as it was kept", "it was not parsed");
    assert_eq!(described("paid"), "", "it was");
    let source = market.actor(market.user).await.deploy_form(market.module("small").await).await;
    assert!(source.is_ok(), "its source is there: {source:?}");

    let old = Reading { reader: "another".to_owned(), ..reading };
    market.readings.keep(&old).await.unwrap();
    let partner = market.actor(market.partner).await;
    assert_eq!(
        partner.module_grid().await.unwrap().parsed,
        MODULES.len(),
        "what another reader found counts not"
    );
}

#[tokio::test]
async fn auto_update_parses_what_changed() {
    let market = Market::open().await;
    market.publish(&["small", "paid", "private", "needy"]).await;
    let partner = market.actor(market.partner).await;
    partner.set_auto_update(true).await.unwrap();
    let operations = market.platform.operations();
    let every = TimeDelta::minutes(5);
    operations.watch_repositories(every).await.unwrap();
    let publisher = Publisher::Partner(market.partner);
    let mut reading = market.readings.reading(publisher, READER).await.unwrap().unwrap();
    // Were it parsed, it would not be refused.
    let broken = reading.modules.iter().find(|module| module.name == "broken").unwrap().outcome.clone();
    reading
        .modules
        .iter_mut()
        .filter(|module| module.name == "needy")
        .for_each(|module| module.outcome = broken.clone());
    market.readings.keep(&reading).await.unwrap();
    market.push(&with("paid", "variable \"credit_cost\" { default = 41 }"));
    market.clock.advance(every);
    let report = operations.watch_repositories(every).await.unwrap();
    assert_eq!((report.followed.updated, report.followed.kept), (1, 1));
    let kept = partner.syncs(1).await.unwrap().remove(0).steps.remove(0);
    assert_eq!((kept.module.as_str(), kept.kind), ("needy", StepKind::Keep));
}

#[tokio::test]
async fn without_what_was_kept_everything_is_parsed() {
    let market = Market::open().await;
    market.readings.fails.store(true, Ordering::Relaxed);
    market.publish(&["small"]).await;
    for _ in 0..2 {
        assert_eq!(
            (grid(&market).await.1, grid(&market).await.2),
            (MODULES.len(), 1),
            "a failure costs time alone"
        );
    }
    market.readings.fails.store(false, Ordering::Relaxed);
    grid(&market).await;
    let partner = market.actor(market.partner).await;
    assert_eq!(grid(&market).await.1, 0);
    let selection =
        Selection { modules: ["small".to_owned(), "paid".to_owned()].into(), ..Selection::default() };
    publish(&partner, &selection).await;
    assert_eq!(*state(&grid(&market).await.0, "paid"), GridState::Published, "its source was read for that");
}
