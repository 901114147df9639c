//! Engines that go on without the worker that started them are carried on by the next one.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rad_core::deployment::{DeploymentStore, Run, RunStatus, Settlement};
use rad_core::id::RunId;
use rad_core::module::Values;
use rad_core::runner::{
    Diagnostic, Engine, RunEvent, RunJob, RunObserver, RunOutcome, Runner, RunnerError, Step,
};
use rad_core::source::SourceTree;
use rad_runner::worker::WorkerConfigBuilder;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::market::{Market, is_working};

/// How many lines an engine prints; after the third it has something to say besides.
const LINES: usize = 6;

/// Engines somewhere else: each prints as many lines as it is let, whoever listens.
#[derive(Debug)]
struct Cluster {
    runs: Mutex<HashSet<RunId>>,
    started: AtomicUsize,
    cleared: AtomicUsize,
    let_print: watch::Sender<usize>,
}

impl Cluster {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            runs: Mutex::default(),
            started: AtomicUsize::new(0),
            cleared: AtomicUsize::new(0),
            let_print: watch::Sender::new(0),
        })
    }
}

/// A process's way to the engines.
#[derive(Debug)]
struct Remote(Arc<Cluster>);

#[async_trait]
impl Runner for Remote {
    async fn engine(&self) -> Result<Engine, RunnerError> {
        Ok(Engine { name: "Remote".to_owned(), version: "1.0.0".to_owned(), is_terraform: false })
    }

    async fn run(&self, job: RunJob, observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError> {
        if self.0.runs.lock().unwrap().insert(job.run) {
            self.0.started.fetch_add(1, Ordering::SeqCst);
        }
        let mut printed = self.0.let_print.subscribe();
        let mut tell = Vec::from([RunEvent::Step(Step::Apply)]);
        for line in 1..=LINES {
            tell.push(RunEvent::Log(format!("line {line}\n")));
            if line == 3 {
                tell.push(RunEvent::Diagnostic(Diagnostic::error("careful", "line 3")));
                tell.push(RunEvent::State(Bytes::from_static(b"{}")));
            }
            for event in tell.drain(..) {
                observer.event(event).await.unwrap();
            }
            tokio::select! {
                _ = printed.wait_for(|let_print| *let_print > line) => {}
                _ = observer.stop() => return Ok(RunOutcome::Stopped),
            }
        }
        Ok(RunOutcome::Success)
    }

    async fn continues(&self, run: RunId) -> Result<bool, RunnerError> {
        Ok(self.0.runs.lock().unwrap().contains(&run))
    }

    async fn clear(&self) -> Result<(), RunnerError> {
        self.0.cleared.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Lets a run of a first worker print three lines, ends that worker by `end`, and has a second one carry on.
async fn carried_on(end: impl AsyncFnOnce(oneshot::Sender<()>, JoinHandle<()>)) {
    let root = tempfile::tempdir().unwrap();
    let cluster = Cluster::new();
    let market = Market::open(root.path(), Arc::new(Remote(cluster.clone()))).await;
    let mut source = SourceTree::default();
    source.insert_file("main.tf", "variable \"public_access\" { default = true }").unwrap();
    let user = market.publish("remote", &source).await;
    let run = market.deploy(user, Values::new()).await.latest_run;
    let set_up = |config: WorkerConfigBuilder| config.shutdown_grace(Duration::from_millis(100));
    let (shutdown, works) = market.work(set_up);
    cluster.let_print.send_replace(3);
    let told = |run: &Run| is_working(run) && !run.diagnostics.is_empty();
    market.wait(run, told).await;
    for _ in 0..100 {
        if market.log(run).await.contains("line 3") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    end(shutdown, works).await;
    assert_eq!(market.deployments.run(run).await.unwrap().status, RunStatus::Working, "nobody ended it");

    let (shutdown, works) = market.work(set_up);
    cluster.let_print.send_replace(LINES + 1);
    let ended = market.end(run).await;
    assert_eq!(ended.status, RunStatus::Success, "{}", market.log(run).await);
    let expected: String = (1..=LINES).map(|line| format!("line {line}\n")).collect();
    assert_eq!(market.log(run).await, expected, "no line is missing, and none is there twice");
    assert_eq!(ended.diagnostics.len(), 1);
    assert_eq!(cluster.started.load(Ordering::SeqCst), 1, "one engine did all of it");
    assert_eq!(cluster.cleared.load(Ordering::SeqCst), 2, "each worker cleared what was left");
    market.wait(run, |run| run.settlement == Settlement::Done).await;
    shutdown.send(()).unwrap();
    works.await.unwrap();
}

#[tokio::test]
async fn a_killed_workers_run_is_carried_on() {
    carried_on(async |_, works| {
        works.abort();
        let _ = works.await;
    })
    .await;
}

#[tokio::test]
async fn a_run_goes_on_while_its_worker_is_restarted() {
    carried_on(async |shutdown, works| {
        shutdown.send(()).unwrap();
        works.await.unwrap();
    })
    .await;
}
