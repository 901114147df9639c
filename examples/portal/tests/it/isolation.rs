//! What the operator says about runs reaches them, the admin sees what this machine enforces of it, and while modules that mean
//! harm are at work the portal goes on for everybody.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use fantoccini::Locator;
use rad_runner::terraform::Network;

use crate::browser::Window;
use crate::client::{Answer, Browser};
use crate::portal::{Demo, deploy, publish_own, wait_for};
use crate::program::Program;

/// A module that prints what it may take.
const CURIOUS: &str = r#"
variable "public_access" { default = true }
variable "credit_cost" { default = 0 }
resource "terraform_data" "curious" {
  provisioner "local-exec" {
    command = "df -k /tmp | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; ulimit -n"
  }
}
"#;

#[tokio::test]
async fn what_the_operator_sets_reaches_the_runs() {
    let demo = Demo::start_with(|config| {
        config.runs.network = Network::Off;
        config.runs.limits.tmp = 3 << 20;
        config.runs.limits.open_files = 321;
        config.runs.log = 64 * 1024;
    })
    .await;
    publish_own(&mut demo.signed_in("partner").await, &demo.data(), &[("curious", CURIOUS)]).await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "curious", &[]).await;
    let page = wait_for(&mut user, &id, "success").await;
    let run = page.between("/runs/", "/events").to_owned();
    let log = user.get(&format!("/runs/{run}/log")).await.body;
    assert!(log.contains("(local-exec): 3072") && log.contains("(local-exec): 321"), "{log}");
}

#[tokio::test]
async fn the_admin_sees_what_keeps_runs_within_bounds() {
    let demo = Demo::start_with(|config| config.runs.most.per_owner = Some(7)).await;
    for name in ["user", "finance"] {
        assert_eq!(demo.signed_in(name).await.get("/admin/isolation").await.status, 403);
    }
    let mut window = Window::open_as(&demo, "isolation-").await;
    window.sign_in(&demo, "admin").await;
    window.go("/admin/settings").await;
    window.click("a[href='/admin/isolation']").await;
    window.until("#measures", "files and processes of the host").await;
    window.until("#measures", "bubblewrap").await;
    window.until("#measures", "size of a run's directory").await;
    window.until("#gaps", "not wholly enforced").await;
    window.until("#bounds", "Runs at a time of one account").await;
    window.until("#bounds", "7").await;
    assert!(window.client.find_all(Locator::Css("#elsewhere")).await.unwrap().is_empty());
    window.picture("admin").await;
    window.client.clone().close().await.unwrap();
}

/// What only the portal's own environment has.
const MARKER: &str = "of-the-portal-and-nobody-else";

/// What a program says once it has begun; its text says it otherwise, and is in the log as well.
const AT_WORK: &str = "at work 42";

/// A module that means harm.
struct Hostile {
    module: &'static str,
    program: String,
    /// A measure without which nothing would stop it, or nobody could tell why it ended.
    needs: Option<&'static str>,
    /// What the page says of its end.
    reason: &'static str,
}

impl Hostile {
    fn new(module: &'static str, program: impl Into<String>, reason: &'static str) -> Self {
        Self { module, program: program.into(), needs: None, reason }
    }

    /// It needs this measure of the host.
    fn needs(self, measure: &'static str) -> Self {
        Self { needs: Some(measure), ..self }
    }

    /// A module whose apply runs the program.
    fn text(&self) -> String {
        format!(
            "variable \"public_access\" {{ default = true }}\nvariable \"credit_cost\" {{ default = 0 }}\n\
             resource \"terraform_data\" \"harm\" {{\n  provisioner \"local-exec\" {{\n    command = <<-END\n      \
             echo at work $((6 * 7)); sleep 1; {}\n    END\n  }}\n}}\n",
            self.program
        )
    }
}

/// A module that does nobody any harm.
const HARMLESS: &str = r#"
variable "public_access" { default = true }
variable "credit_cost" { default = 0 }
resource "terraform_data" "harmless" {}
"#;

/// Fills the directory of its run, for some seconds.
const FILLS: &str = "i=0; while :; do head -c 2M /dev/zero > $HOME/$i; i=$((i+1)); sleep 0.3; done";

/// Publishes them, and a harmless one.
async fn publish_hostile(mut partner: Browser, data: &Path, hostile: &[Hostile]) {
    let texts: Vec<_> = hostile.iter().map(|one| (one.module, one.text())).collect();
    let mut modules: Vec<_> = texts.iter().map(|(module, text)| (*module, text.as_str())).collect();
    modules.push(("harmless", HARMLESS));
    publish_own(&mut partner, data, &modules).await;
}

/// Whether a control group keeps a measure within bounds here. Where it is not, a test leaves out what needs it and says so, unless
/// `RAD_REQUIRE_ISOLATION` says that the host is to have everything.
async fn by_control_group(admin: &mut Browser, measure: &str) -> bool {
    let page = admin.get("/admin/isolation").await;
    let row = page.between(&format!("<td>{measure}</td>"), "</tr>");
    let there = row.contains("<td>cgroup");
    let required = std::env::var("RAD_REQUIRE_ISOLATION").is_ok_and(|required| required == "1");
    assert!(there || !required, "no control group keeps {measure} within bounds: {row}");
    if !there {
        eprintln!("NOT RUN: no control group keeps {measure} within bounds here");
    }
    there
}

/// The run on a deployment's page.
fn run_on(page: &Answer) -> &str {
    page.between("/runs/", "/events")
}

/// The log of the run on a deployment's page.
async fn log_on(browser: &mut Browser, page: &Answer) -> String {
    browser.get(&format!("/runs/{}/log", run_on(page))).await.body
}

/// Follows the log of a deployment's run until its program has begun.
async fn begun(browser: &mut Browser, id: &str) {
    let page = browser.get(&format!("/deployments/{id}")).await;
    let events = format!("/runs/{}/events", run_on(&page));
    let seen = browser.events(&events, "", |event| event.contains(AT_WORK)).await;
    assert!(seen.contains(AT_WORK), "the program of {id} never began: {seen}");
}

/// Opens a page, which has to answer with something.
async fn open(browser: &mut Browser, path: &str, content: &str) -> Answer {
    let page = browser.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    page.assert_has(content);
    page
}

/// Goes from page to page until no run of these deployments is under way any more: all of them answer, and not only once the runs
/// have ended. Gives the pages of the deployments at the end.
async fn look_around(browser: &mut Browser, ids: &[String]) -> Vec<Answer> {
    let mut meanwhile = false;
    loop {
        open(browser, "/deploy?tab=partner", "data-name=\"harmless\"").await;
        open(browser, "/deployments", &ids[0]).await;
        open(browser, "/credits", "id=\"awarded\"").await;
        let mut pages = Vec::new();
        for id in ids {
            pages.push(open(browser, &format!("/deployments/{id}"), id).await);
        }
        if !pages.iter().any(|page| page.body.contains("data-live=\"true\"")) {
            assert!(meanwhile, "all had ended before they were looked at");
            return pages;
        }
        meanwhile = true;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A deployment has this status, and its page tells an error for this reason.
fn assert_tells(page: &Answer, status: &str, reason: &str) {
    assert_eq!(page.between("id=\"status\">", "<"), status, "{}", page.body);
    let told = page.between("<section id=\"diagnostics\">", "</section>");
    assert!(told.contains("class=\"diagnostic error\"") && told.contains(reason), "no {reason:?} in {told}");
}

#[tokio::test]
async fn while_modules_do_harm_the_portal_goes_on_and_each_ends_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let options = "--listen 127.0.0.1:0 --workers 5 --network off --run-processes 128 --run-memory 320MiB --run-disk 48MiB";
    let mut arguments: Vec<&OsStr> = options.split(' ').map(OsStr::new).collect();
    arguments.extend([OsStr::new("--data-dir"), data.as_os_str()]);
    let portal = Program::start(&arguments, &[("RAD_MARKER", MARKER)]).await;
    let person = async |name| portal.signed_in(name, &portal.passwords).await;

    let (memory, processes) = ("memory", "processes and threads");
    let snoops = format!(
        "env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; ls -a {0}; cat {0}/*.key; cat {0}/portal.db",
        data.display()
    );
    let mut hostile = vec![
        Hostile::new("forks", "b() { b | b & }; b; sleep 60", "starts more processes than it may")
            .needs(processes),
        Hostile::new("hoards", "head -c 2G /dev/zero | tail > /dev/null", "needs more memory than it may")
            .needs(memory),
        Hostile::new("fills", FILLS, "fills the disk"),
        Hostile::new("snoops", snoops, "No such file or directory"),
    ];
    let mut admin = person("admin").await;
    for measure in [memory, processes] {
        if !by_control_group(&mut admin, measure).await {
            hostile.retain(|one| one.needs != Some(measure));
        }
    }
    publish_hostile(person("partner").await, &data, &hostile).await;

    let (mut user, mut agent) = (person("user").await, person("agent").await);
    let mut ids = Vec::new();
    for one in &hostile {
        ids.push(deploy(&mut user, one.module, &[]).await);
    }
    for id in &ids {
        begun(&mut user, id).await;
    }
    let harmless = deploy(&mut agent, "harmless", &[]).await;
    let (pages, _) = tokio::join!(look_around(&mut user, &ids), wait_for(&mut agent, &harmless, "success"));
    for (one, page) in hostile.iter().zip(&pages) {
        assert_tells(page, "failure", one.reason);
    }
    let log = log_on(&mut user, pages.last().unwrap()).await;
    assert!(log.contains("PATH="), "an environment was read: {log}");
    assert!(
        !log.contains(MARKER) && !log.contains("SQLite format") && !log.contains("checkpoint.key"),
        "{log}"
    );
    for name in ["state.key", "checkpoint.key"] {
        let key = std::fs::read_to_string(data.join(name)).unwrap();
        assert!(!log.contains(key.trim()), "{name} was read: {log}");
    }
}

#[tokio::test]
async fn modules_that_never_end_do_not_keep_others_from_their_turn() {
    let demo = Demo::start_with(|config| {
        config.runs.network = Network::Off;
        config.runs.workers = 1;
        config.runs.log = 64 * 1024;
        config.runs.times.apply = Duration::from_secs(8);
    })
    .await;
    let reason = "The time limit of the apply passed";
    let hostile = [
        Hostile::new("sleeps", "trap '' INT TERM HUP; while :; do sleep 60; done", reason),
        Hostile::new("prints", "yes > /proc/1/fd/1", reason),
    ];
    publish_hostile(demo.signed_in("partner").await, &demo.data(), &hostile).await;

    let (mut user, mut agent) = (demo.signed_in("user").await, demo.signed_in("agent").await);
    let ids = [deploy(&mut user, "sleeps", &[]).await, deploy(&mut user, "prints", &[]).await];
    begun(&mut user, &ids[0]).await;
    let harmless = deploy(&mut agent, "harmless", &[]).await;
    let (pages, _) = tokio::join!(look_around(&mut user, &ids), wait_for(&mut agent, &harmless, "success"));
    for (one, page) in hostile.iter().zip(&pages) {
        assert_tells(page, "timeout", one.reason);
    }
    let log = log_on(&mut user, &pages[1]).await;
    assert!(log.contains("\ny\ny\n") && log.contains("the rest is left out"), "{} bytes", log.len());
}
