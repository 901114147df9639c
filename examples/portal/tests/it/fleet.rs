//! Two servers and three workers over one PostgreSQL database, as processes. Some workers are killed, some are stopped until
//! their leases have lapsed, and go on then: every run ends once all the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rad_billing::PostgresLedger;
use rad_core::deployment::{DeploymentStore as _, RunStatus};
use rad_core::id::{DeploymentId, RunId};
use rad_core::ledger::Ledger as _;
use rad_core::seal::Keyring;
use rad_runner::store::SqlDeployments;
use rad_sql::{Database, sql};
use rustix::process::Signal;
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::client::Browser;
use crate::portal::{buy, deploy, publish, submit};
use crate::program::Program;

/// How long a lease lasts here: the shortest that a busy machine keeps.
const LEASE: Duration = Duration::from_secs(6);

/// How much is done, and how much harm.
struct Plan {
    runs: usize,
    kills: usize,
    pauses: usize,
}

impl Plan {
    /// What `make soak` asks for, or what a test has time for.
    fn of_this_run() -> Self {
        let asked = std::env::var("RAD_SOAK_RUNS").ok().and_then(|runs| runs.parse().ok());
        // A stop takes as long as a lease and more, in which a quick machine ends a dozen runs.
        asked.map_or(Self { runs: 20, kills: 2, pauses: 1 }, |runs| Self {
            runs,
            kills: runs / 16,
            pauses: runs / 16,
        })
    }
}

/// A site of several processes.
struct Site {
    directory: TempDir,
    address: SecretString,
    database: Database,
    servers: Vec<Program>,
    workers: Vec<Worker>,
    passwords: Vec<(String, String)>,
    begun: usize,
}

/// A process that carries out runs.
struct Worker {
    program: Program,
    data: PathBuf,
}

impl Site {
    async fn open(workers: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = rad_sql::testing::postgres_address().await.unwrap();
        let database = rad_sql::postgres::open(&address).await.unwrap().into();
        let mut site = Self {
            directory,
            address,
            database,
            servers: Vec::new(),
            workers: Vec::new(),
            passwords: Vec::new(),
            begun: 0,
        };
        for _ in 0..2 {
            let server = site.begin("serve").await.0;
            if !server.passwords.is_empty() {
                site.passwords = server.passwords.clone();
            }
            site.servers.push(server);
        }
        for _ in 0..workers {
            site.hire().await;
        }
        site
    }

    /// Starts a process with a directory of its own.
    async fn begin(&mut self, role: &str) -> (Program, PathBuf) {
        self.begun += 1;
        let root = self.directory.path();
        let data = root.join(format!("{role}-{}", self.begun));
        let (keys, repos) = (root.join("keys"), root.join("repos"));
        let lease = LEASE.as_secs().to_string();
        let arguments = [
            role.as_ref(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--lease-seconds".as_ref(),
            lease.as_ref(),
            "--keys-dir".as_ref(),
            keys.as_os_str(),
            "--repos-dir".as_ref(),
            repos.as_os_str(),
            "--data-dir".as_ref(),
            data.as_os_str(),
        ];
        let program = Program::start(&arguments, &[("RAD_DATABASE_URL", self.address.expose_secret())]).await;
        (program, data)
    }

    async fn hire(&mut self) {
        let (program, data) = self.begin("worker").await;
        self.workers.push(Worker { program, data });
    }

    async fn signed_in(&self, server: usize, name: &str) -> Browser {
        self.servers[server].signed_in(name, &self.passwords).await
    }

    /// A worker that is at work, chosen at random, and its runs.
    async fn at_work(&self) -> Option<(usize, Vec<RunId>)> {
        let mut order: Vec<usize> = (0..self.workers.len()).collect();
        fastrand::shuffle(&mut order);
        for which in order {
            let Ok(name) = std::fs::read_to_string(self.workers[which].data.join("worker")) else { continue };
            let held = self.held_by(&name).await;
            if !held.is_empty() {
                return Some((which, held));
            }
        }
        None
    }

    /// A worker is killed outright, and another one begins.
    async fn kill(&mut self, which: usize) {
        let mut worker = self.workers.remove(which);
        worker.program.kill().await;
        let start = Instant::now();
        while !processes_in(&worker.data).is_empty() {
            assert!(start.elapsed() < Duration::from_secs(10), "its engines outlive a killed worker");
            sleep(Duration::from_millis(50)).await;
        }
        self.hire().await;
    }

    /// A worker is stopped until its leases have lapsed, and then goes on: gives how many runs it had.
    async fn pause(&self, which: usize) -> usize {
        let worker = &self.workers[which];
        let name = std::fs::read_to_string(worker.data.join("worker")).unwrap();
        worker.program.signal(Signal::STOP);
        // What it had when it was chosen may have ended, or more may have begun.
        let held = self.held_by(&name).await;
        // Whatever it was about to write is written or not by now.
        let start = Instant::now();
        let left = loop {
            sleep(Duration::from_millis(500)).await;
            let left = self.traces(&held).await;
            let over = left.values().all(|trace| !trace.starts_with("working"));
            if over && start.elapsed() > LEASE {
                break left;
            }
            assert!(start.elapsed() < LEASE * 5, "the runs of a stopped worker go on: {left:?}");
        };
        // A network that its worker was just making stays until it goes on: nothing is left that could send anything. And
        // what waits at its outer gate is no engine yet: only the worker lets it pass. That asks for no lease; the apply does.
        let makes = ["/pasta ", "/slirp4netns ", "ip -batch"];
        let carries = |command: &str| makes.iter().any(|part| command.contains(part));
        let waits = |command: &str| command.starts_with("/bin/sh -c echo; read -r go");
        let mut engines = processes_in(&worker.data);
        engines.retain(|(pid, command)| *pid != worker.program.id() && !carries(command) && !waits(command));
        assert!(engines.is_empty(), "engines go on though their worker stands still: {engines:?}");
        worker.program.signal(Signal::CONT);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(self.traces(&held).await, left, "a stale worker wrote");
        held.len()
    }

    async fn held_by(&self, worker: &str) -> Vec<RunId> {
        let list = sql("SELECT id FROM runs WHERE status = 'working' AND worker = $1").bind(worker.trim());
        let rows = list.rows(&self.database, "reading leases").await.unwrap();
        rows.iter().map(|row| row.get("id").unwrap()).collect()
    }

    /// All that a worker writes of its runs.
    async fn traces(&self, runs: &[RunId]) -> BTreeMap<String, String> {
        let mut traces = BTreeMap::new();
        for run in runs {
            let find = sql(
                "SELECT r.status || ' ' || r.epoch || ' ' || r.log_length || ' ' || md5(r.diagnostics) || ' '
                     || coalesce(r.finished_at::text, '') || ' '
                     || (SELECT count(*) FROM run_resources p WHERE p.run = r.id) || ' '
                     || coalesce((SELECT string_agg(md5(s.sealed), ',' ORDER BY s.number)
                            FROM deployment_states s WHERE s.deployment = r.deployment), '') AS trace
                 FROM runs r WHERE r.id = $1",
            );
            let row = find.bind(*run).one(&self.database, "reading traces").await.unwrap();
            traces.insert(run.to_string(), row.get("trace").unwrap());
        }
        traces
    }

    /// How many runs stand so.
    async fn stands(&self) -> BTreeMap<String, i64> {
        let count = sql("SELECT status, count(*) AS runs FROM runs GROUP BY status");
        let rows = count.rows(&self.database, "counting runs").await.unwrap();
        rows.iter().map(|row| (row.get("status").unwrap(), row.get("runs").unwrap())).collect()
    }

    /// How many runs have not ended, or are not settled.
    async fn unfinished(&self) -> i64 {
        let count = sql("SELECT count(*) AS runs FROM runs WHERE settlement <> 'done'");
        count.one(&self.database, "counting runs").await.unwrap().get("runs").unwrap()
    }

    async fn entries(&self, kind: &str) -> i64 {
        let count = sql("SELECT count(*) AS entries FROM ledger_entries WHERE kind = $1").bind(kind);
        count.one(&self.database, "counting entries").await.unwrap().get("entries").unwrap()
    }

    async fn close(self) -> TempDir {
        let workers = self.workers.into_iter().map(|worker| worker.program);
        let mut programs: Vec<Program> = self.servers.into_iter().chain(workers).collect();
        for program in &programs {
            program.signal(Signal::TERM);
        }
        for program in &mut programs {
            assert!(program.ended().await.success(), "a process that was asked to close failed");
        }
        self.directory
    }
}

/// What was done to workers while runs were under way, and how many runs they had.
#[derive(Debug, Default)]
struct Harm {
    kills: usize,
    killed_runs: usize,
    pauses: usize,
    paused_runs: usize,
}

impl Site {
    /// Kills and stops workers that are at work until all runs have ended.
    async fn harm(&mut self, plan: &Plan) -> Harm {
        let mut done = Harm::default();
        let start = Instant::now();
        while self.unfinished().await > 0 {
            assert!(
                start.elapsed() < Duration::from_secs(60) * plan.runs as u32,
                "{:?}",
                self.stands().await
            );
            sleep(Duration::from_millis(200 + fastrand::u64(..400))).await;
            let Some((which, held)) = self.at_work().await else { continue };
            let (kills, pauses) = (plan.kills - done.kills, plan.pauses - done.pauses);
            if kills + pauses == 0 {
                continue;
            }
            if fastrand::usize(..kills + pauses) < kills {
                self.kill(which).await;
                (done.kills, done.killed_runs) = (done.kills + 1, done.killed_runs + held.len());
            } else {
                let held = self.pause(which).await;
                (done.pauses, done.paused_runs) = (done.pauses + 1, done.paused_runs + held);
            }
        }
        done
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_ends_once_whatever_becomes_of_its_worker() {
    let plan = Plan::of_this_run();
    let mut site = Site::open(3).await;
    publish(&mut site.signed_in(0, "partner").await, &["fleet"]).await;
    let mut users = [site.signed_in(0, "user").await, site.signed_in(1, "user").await];
    buy(&mut users[0], &(plan.runs * 15).to_string(), "pay").await;
    for number in 0..plan.runs {
        let pause = format!("{:.1}", 2.0 + fastrand::f64() * 4.0);
        let answer = submit(&mut users[number % 2], "fleet", &[("v/size", "5"), ("v/pause", &pause)]).await.0;
        assert_eq!(answer.status, 303, "{}", answer.body);
    }
    let start = Instant::now();
    let harm = site.harm(&plan).await;
    let ends = site.stands().await;
    let settled = site.check(&plan, &ends).await;
    eprintln!("runs {} · {harm:?} · ended {ends:?} · {settled} · {:?}", plan.runs, start.elapsed());
    assert_eq!((harm.kills, harm.pauses), (plan.kills, plan.pauses), "runs were under way for all of it");
    let directory = site.close().await;
    assert_eq!(processes_in(directory.path()), [], "nothing is left of any process");
}

/// A browser that loses its server again and again goes on at the other one: no line is missing, and none comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_log_goes_on_at_another_server_without_a_gap_or_a_repeat() {
    let site = Site::open(1).await;
    publish(&mut site.signed_in(0, "partner").await, &["fleet"]).await;
    let mut user = site.signed_in(0, "user").await;
    buy(&mut user, "15", "pay").await;
    let list = user.at(&site.servers[1].url);
    let watching = list.events("/deployments/events", "", |event| event.contains("\"success\""));
    let deploying = async {
        let id = deploy(&mut user, "fleet", &[("v/size", "12"), ("v/pause", "0.4")]).await;
        let page = user.get(&format!("/deployments/{id}")).await;
        let run = page.between("/runs/", "/events").to_owned();
        let (mut log, mut last, mut turns) = (String::new(), String::new(), 0);
        loop {
            let server = user.at(&site.servers[turns % 2].url);
            let seen = server
                .events(&format!("/runs/{run}/events"), &last, |event| event.contains("event: log"))
                .await;
            for event in seen.split("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                if field("event: ") == Some("log") {
                    log.push_str(&serde_json::from_str::<String>(field("data: ").unwrap()).unwrap());
                    field("id: ").unwrap().clone_into(&mut last);
                }
            }
            turns += 1;
            if seen.contains("event: end") {
                break;
            }
        }
        for server in &site.servers {
            let whole = user.at(&server.url).get(&format!("/runs/{run}/log")).await.body;
            assert_eq!(log, whole, "after {turns} turns");
        }
        assert!(turns >= 3, "it was live: {turns} turns");
    };
    let patience = Duration::from_secs(120);
    let both = async { tokio::join!(watching, deploying) };
    let (statuses, ()) = tokio::time::timeout(patience, both).await.expect("the list hears of the success");
    assert!(statuses.contains("\"working\""), "{statuses}");
    site.close().await;
}

impl Site {
    /// Every run ended once and every hold is settled once, the ledger verifies, and each state is whole.
    async fn check(&self, plan: &Plan, ends: &BTreeMap<String, i64>) -> String {
        let runs = i64::try_from(plan.runs).unwrap();
        assert_eq!(ends.values().sum::<i64>(), runs);
        let word = |status| rad_sql::word(status).unwrap();
        let succeeded = ends.get(&word(RunStatus::Success)).copied().unwrap_or_default();
        let interrupted = ends.get(&word(RunStatus::Interrupted)).copied().unwrap_or_default();
        assert_eq!(succeeded + interrupted, runs, "{ends:?}");
        let (holds, captures, releases) =
            (self.entries("hold").await, self.entries("capture").await, self.entries("release").await);
        assert_eq!((holds, captures, releases), (runs, succeeded, interrupted));
        let again =
            sql("SELECT count(*) AS runs FROM runs WHERE epoch > 1").one(&self.database, "counting").await;
        assert_eq!(again.unwrap().get::<i64>("runs").unwrap(), 0, "no run is carried out twice");

        let Database::Postgres(pool) = &self.database else { unreachable!("it was opened as PostgreSQL") };
        let ledger = PostgresLedger::new(pool.clone());
        let verified = ledger.verify_range(None, None).await.unwrap();
        assert!(verified.findings.is_empty(), "{verified:?}");
        assert_eq!(ledger.verify_totals().await.unwrap(), []);

        let key = Keyring::from_file(&self.directory.path().join("keys/state.key")).unwrap();
        let store = SqlDeployments::new(self.database.clone(), key).await.unwrap();
        let list = sql("SELECT id, status FROM deployments").rows(&self.database, "listing").await.unwrap();
        for row in list {
            let (id, status): (DeploymentId, String) = (row.get("id").unwrap(), row.get("status").unwrap());
            let state = store.state(id).await.unwrap();
            let made = state.map_or(0, |state| machines(&state));
            assert!(
                made <= 5 && (made == 5 || status != word(RunStatus::Success)),
                "{id} {status}: {made} machines"
            );
        }
        format!("{holds} holds: {captures} captured, {releases} released")
    }
}

/// How many machines a state has.
fn machines(state: &[u8]) -> usize {
    let state: serde_json::Value = serde_json::from_slice(state).unwrap();
    let resources = state["resources"].as_array().unwrap().iter();
    resources.map(|resource| resource["instances"].as_array().unwrap().len()).sum()
}

/// The processes that have to do with a directory: it is on their command line, or mounted for them.
fn processes_in(directory: &Path) -> Vec<(u32, String)> {
    let directory = directory.to_str().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while it is looked at.
        let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let (command, mounts) = (read("cmdline"), read("mountinfo"));
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if !command.is_empty()
            && (command.contains(directory) || String::from_utf8_lossy(&mounts).contains(directory))
        {
            found.push((pid, command));
        }
    }
    found
}
