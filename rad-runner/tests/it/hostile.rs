//! Modules that mean harm: each is contained.

use std::process::Command;
use std::time::{Duration, Instant};

use rad_core::runner::{RunJob, RunLimits, RunOutcome, Runner};
use serde_json::json;

use crate::support::{Notes, is_running, job, play, runner, runner_with, running};

#[tokio::test]
async fn the_platforms_files_and_environment_are_out_of_sight() {
    let (root, runner) = runner().await;
    assert!(runner.isolates().await.unwrap());
    let database = root.path().join("platform.db");
    std::fs::write(&database, "the books").unwrap();
    let script = format!(
        "cat {} || echo unseen; env; cat /proc/1/environ | tr '\\0' '\\n'; id -u; ls / /work /proc /home /root /var /etc 2>&1; true",
        database.display()
    );
    let (outcome, notes) = play(&runner, running(&script)).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    assert!(log.contains("unseen") && !log.contains("the books"), "{log}");
    assert!(!log.contains("CARGO"), "the platform's environment is out of sight: {log}");
    assert!(log.contains("cannot access '/home'") && log.contains("cannot access '/var'"), "{log}");
    assert!(log.contains("(local-exec): 1000"), "not root: {log}");
    assert!(!log.contains("shadow"), "{log}");
}

/// Where the platform runs as root its module code would otherwise have the host run any program.
#[tokio::test]
async fn the_kernels_settings_and_the_hosts_keys_are_out_of_reach() {
    let (_root, runner) = runner().await;
    let script = "for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/vm/drop_caches \
                  /proc/sysrq-trigger /proc/self/oom_score_adj; do (: >> $f) || echo refused $f; done; \
                  for f in /dev/x /dev/net/tun; do (: > $f) || echo refused $f; done; echo > /dev/null; \
                  ls -R /etc/ssl /etc/pki | grep private; ls /etc/ssl/certs | head -n 1; true";
    let (outcome, notes) = play(&runner, running(script)).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    for path in
        ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/dev/x"]
    {
        assert!(log.contains(&format!("refused {path}")), "{path}: {log}");
    }
    assert!(!log.contains("(local-exec): private"), "{log}");
}

/// Keyrings belong to users and sessions: without the filter runs would share them with each other and the platform.
#[tokio::test]
async fn calls_that_reach_past_namespaces_are_refused() {
    let (_root, runner) = runner().await;
    let numbers = [libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_bpf, libc::SYS_unshare, libc::SYS_mount];
    let calls: String = numbers.iter().map(|number| format!("try({number}); ")).collect();
    let script = format!(
        "grep Seccomp: /proc/self/status; perl -e 'sub try {{ my $n = shift; my $a = \"\\0\"; \
         print \"call $n: \", syscall($n, 0, 0, 0, 0, 0) < 0 ? $!+0 : \"done\", \"\\n\" }} {calls}'"
    );
    let (outcome, notes) = play(&runner, running(&script)).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    assert!(log.contains("Seccomp:\t2"), "{log}");
    for number in numbers {
        assert!(log.contains(&format!("call {number}: {}", libc::EPERM)), "{number}: {log}");
    }
    let measures = &runner.enforcement().await.unwrap().measures;
    assert!(measures.iter().any(|one| one.what == "system calls" && one.gap.is_none()), "{measures:?}");
}

#[tokio::test]
async fn an_external_program_reads_nothing_of_the_platform() {
    let (root, runner) = runner().await;
    let secret = root.path().join("secret");
    std::fs::write(&secret, "the books").unwrap();
    let text = format!(
        "output \"stolen\" {{ value = fileexists(\"{0}\") ? file(\"{0}\") : \"unseen\" }}",
        secret.display()
    );
    let (outcome, notes) = play(&runner, job(&text, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert_eq!(notes.outputs()[0].value, json!("unseen"));
}

#[tokio::test]
async fn nothing_is_written_outside_the_runs_directory() {
    let (root, runner) = runner().await;
    let target = root.path().join("owned");
    let script = format!(
        "for f in {} /usr/owned /etc/owned /owned /engine/owned; do touch $f || echo refused $f; done",
        target.display()
    );
    let (outcome, notes) = play(&runner, running(&script)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    for path in [&target.display().to_string(), "/usr/owned", "/etc/owned", "/owned", "/engine/owned"] {
        assert!(notes.log().contains(&format!("refused {path}")), "{path}: {}", notes.log());
    }
    assert!(!target.exists());
}

#[tokio::test]
async fn another_runs_files_are_out_of_sight() {
    let (root, runner) = runner().await;
    let other = root.path().join("runs/00000000-0000-7000-8000-000000000000/state");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("terraform.tfstate"), "another tenant's").unwrap();
    let script =
        "find / -name 'terraform.tfstate' -not -path '/proc/*' 2>/dev/null | xargs grep -l tenant; echo done";
    let (outcome, notes) = play(&runner, running(script)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(!notes.log().contains("00000000-0000-7000"), "{}", notes.log());
    assert!(notes.log().contains("(local-exec): done"), "{}", notes.log());
}

/// OpenTofu would start the program before anything is planned, with the cache of providers open for writing.
#[tokio::test]
async fn a_module_that_has_its_state_encrypted_is_not_begun() {
    let (_root, runner) = runner().await;
    let text =
        "terraform {\n  encryption {\n    key_provider \"external\" \"x\" { command = [\"sh\"] }\n  }\n}\n";
    let (outcome, notes) = play(&runner, job(text, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure);
    let [told] = &notes.diagnostics()[..] else { panic!("{:?}", notes.diagnostics()) };
    assert_eq!(told.place, Some(("main.tf".to_owned(), 2)));
    assert!(
        told.summary.contains("no run may have") && told.detail.contains("remove this block"),
        "{told:?}"
    );
    assert!(notes.log().starts_with("Error: "), "no engine was started: {}", notes.log());
}

#[tokio::test]
async fn a_state_replaced_by_a_link_is_not_followed() {
    let (root, runner) = runner().await;
    let loot = root.path().join("loot");
    std::fs::write(&loot, r#"{"version":4,"serial":99,"lineage":"loot","resources":[]}"#).unwrap();
    let script = format!(
        "rm -f /work/state/terraform.tfstate; ln -s {0} /work/state/terraform.tfstate; ln -s {0} errored.tfstate; sleep 0.5; exit 1",
        loot.display()
    );
    let (outcome, notes) = play(&runner, running(&script)).await;
    assert_eq!(outcome, RunOutcome::Failure);
    let states = notes.states();
    assert!(states.iter().all(|state| !String::from_utf8_lossy(state).contains("loot")), "{states:?}");
}

#[tokio::test]
async fn a_run_whose_state_has_no_place_any_more_is_no_success() {
    let (_root, runner) = runner().await;
    // The engine writes through the link, to where nothing stays, and ends as if all were well.
    let script = "rm -f /work/state/terraform.tfstate; ln -s /tmp/astray /work/state/terraform.tfstate";
    let (outcome, notes) = play(&runner, running(script)).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    let told = notes.diagnostics();
    assert!(told.iter().any(|one| one.summary.contains("state was lost")), "{told:?}");
}

/// However it ends: nothing that is left may pass for never made.
#[tokio::test]
async fn a_run_that_fails_is_stopped_or_out_of_time_tells_that_its_state_was_lost() {
    let (_root, runner) = runner().await;
    let astray = "rm -f /work/state/terraform.tfstate; ln -s /tmp/astray /work/state/terraform.tfstate";
    let (outcome, notes) = play(&runner, running(&format!("{astray}; exit 1"))).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(tells_of_a_lost_state(&notes), "{:?}", notes.diagnostics());

    let slow = running(&format!("{astray}; echo now; sleep 60"));
    let limits = RunLimits { apply: Duration::from_secs(5), ..slow.limits };
    let (outcome, notes) = play(&runner, RunJob { limits, ..slow }).await;
    assert_eq!(outcome, RunOutcome::Timeout, "{}", notes.log());
    assert!(notes.log().contains("): now"), "it came to its apply: {}", notes.log());
    assert!(tells_of_a_lost_state(&notes), "{:?}", notes.diagnostics());

    let notes = Notes::stopping_at("): now");
    let stopped = runner.run(running(&format!("{astray}; echo now; sleep 60")), &notes).await.unwrap();
    assert_eq!(stopped, RunOutcome::Stopped, "{}", notes.log());
    assert!(tells_of_a_lost_state(&notes), "{:?}", notes.diagnostics());
}

/// A run that changed nothing has no state to lose.
#[tokio::test]
async fn a_run_that_fails_before_its_apply_tells_of_no_lost_state() {
    let (_root, runner) = runner().await;
    let text = "resource \"terraform_data\" \"a\" {\n input = file(\"/nowhere\")\n}";
    let (outcome, notes) = play(&runner, job(text, json!({}))).await;
    assert_eq!(outcome, RunOutcome::Failure, "{}", notes.log());
    assert!(!tells_of_a_lost_state(&notes), "{:?}", notes.diagnostics());
}

fn tells_of_a_lost_state(notes: &Notes) -> bool {
    notes.diagnostics().iter().any(|one| one.summary.contains("state was lost"))
}

#[tokio::test]
async fn a_daemon_dies_with_its_run() {
    let (_root, runner) = runner().await;
    let mark = format!("31{}", std::process::id());
    let script = format!("setsid nohup sleep {mark} >/dev/null 2>&1 & echo started");
    let (outcome, notes) = play(&runner, running(&script)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(!is_running(&mark), "what a module leaves in the background is gone");
}

#[tokio::test]
async fn a_module_that_prints_without_end_is_cut_off() {
    let (_root, runner) = runner_with(|config| config.log_limit(100_000)).await;
    let script = "head -c 4000000 /dev/zero | tr '\\0' 'y'; seq 1 40000; echo the end";
    let (outcome, notes) = play(&runner, running(script)).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.diagnostics().len());
    let log = notes.log();
    assert!(log.len() < 110_000, "{} bytes", log.len());
    assert!(log.contains("the rest is left out"), "{}", &log[log.len() - 200..]);
}

/// Prints into what the platform reads, past the engine, which would need minutes for as much.
const A_GIGABYTE: &str = "yes | head -c 1M > /proc/1/fd/1; head -c 1000000 /dev/zero | tr '\\0' z > /tmp/long; \
                          echo >> /tmp/long; while cat /tmp/long; do :; done | head -c 1023M > /proc/1/fd/1; echo the end";

#[tokio::test]
async fn a_gigabyte_of_output_is_cut_off_and_fills_no_memory() {
    let log = flooded_by(A_GIGABYTE);
    assert!(log.len() < 110_000 && log.starts_with("Terraform"), "{} bytes", log.len());
    assert!(log.contains("\ny\ny\n") && log.contains("the rest is left out"), "{}", &log[log.len() - 200..]);
}

/// As the engine would print it of resources and diagnostics, 300 MB of names and words.
const FORGED: &str = "head -c 1000000 /dev/zero | tr '\\0' z > /tmp/long; for i in $(seq 150); do \
                      for kind in apply_start resource_drift; do \
                      printf '{\"@message\":\"x\",\"type\":\"%s\",\"hook\":{\"action\":\"create\",\"resource\":{\"addr\":\"%s' $kind $i; \
                      cat /tmp/long; printf '\"}}}\\n'; done; \
                      printf '{\"@message\":\"x\",\"diagnostic\":{\"severity\":\"warning\",\"summary\":\"%s' $i; \
                      cat /tmp/long; printf '\"}}\\n'; done > /proc/1/fd/1; echo the end";

#[tokio::test]
async fn forged_resources_and_diagnostics_fill_no_memory() {
    let log = flooded_by(FORGED);
    assert!(log.contains("\nx\nx\n"), "what was forged was read: {}", &log[..log.len().min(2_000)]);
}

/// The log of a run whose module runs this, in a process of its own that may not grow much by it.
fn flooded_by(script: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let log = root.path().join("log");
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hostile::a_platform_that_is_flooded", "--nocapture"])
        .env("RAD_TEST_SCRIPT", script)
        .env("RAD_TEST_LOG", &log)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{printed} {}", String::from_utf8_lossy(&ended.stderr));
    std::fs::read_to_string(log).expect("the other process ran the test")
}

/// What [`flooded_by`] starts.
#[tokio::test]
async fn a_platform_that_is_flooded() {
    let (Ok(script), Some(file)) = (std::env::var("RAD_TEST_SCRIPT"), std::env::var_os("RAD_TEST_LOG"))
    else {
        return;
    };
    let (_root, runner) = runner_with(|config| config.log_limit(100_000)).await;
    let before = most_memory();
    let job = RunJob { limits: RunLimits::of(Duration::from_secs(300)), ..running(&script) };
    let (outcome, notes) = play(&runner, job).await;
    let grown = most_memory() - before;
    assert_eq!(outcome, RunOutcome::Success, "{} diagnostics", notes.diagnostics().len());
    assert!(grown < 100 << 10, "{grown} KiB for what is not kept");
    std::fs::write(file, notes.log()).unwrap();
}

/// The most memory that this process has had, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_module_that_sleeps_for_ever_is_killed() {
    let (_root, runner) = runner_with(|config| config.grace(Duration::from_millis(300))).await;
    let mark = format!("32{}", std::process::id());
    let job = RunJob {
        limits: RunLimits::of(Duration::from_secs(2)),
        ..running(&format!(
            "trap '' INT TERM HUP; (setsid sleep {mark} &) ; while true; do sleep {mark}; done"
        ))
    };
    let began = Instant::now();
    let (outcome, notes) = play(&runner, job).await;
    assert_eq!(outcome, RunOutcome::Timeout, "{}", notes.log());
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert!(!is_running(&mark));
}

#[tokio::test]
async fn a_run_has_no_privileges_and_namespaces_of_its_own() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    let name = format!("rad-test-{}", std::process::id());
    let _socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let (_root, runner) = runner().await;
    let script = "grep -E '^(Uid|Cap|NoNewPrivs)' /proc/self/status; for n in user pid ipc uts mnt net; do echo \
                  $n $(readlink /proc/self/ns/$n); done; cat /proc/net/unix; ls /proc | grep -c '^[0-9]'; \
                  unshare --user true 2>&1 && echo a user namespace; mount -t tmpfs none /tmp 2>&1; hostname";
    let (outcome, notes) = play(&runner, running(script)).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(log.contains(&format!("{set}:\t0000000000000000")), "{set}: {log}");
    }
    assert!(log.contains("Uid:\t1000\t1000\t1000\t1000") && log.contains("NoNewPrivs:\t1"), "{log}");
    for namespace in ["user", "pid", "ipc", "uts", "mnt", "net"] {
        let own = std::fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
        assert!(log.contains(&format!("{namespace} {namespace}:[")), "{log}");
        assert!(!log.contains(&own.display().to_string()), "{namespace} is the host's: {log}");
    }
    assert!(!log.contains(&name), "sockets of the host are out of sight: {log}");
    assert!(!log.contains("a user namespace") && log.contains("(local-exec): sandbox"), "{log}");
}

#[tokio::test]
async fn processes_of_the_host_are_out_of_reach() {
    let (_root, runner) = runner().await;
    let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
    let script = format!("kill -9 {}; kill -9 1 && sleep 1; echo alive; kill -9 -1", bystander.id());
    let (_, notes) = play(&runner, running(&script)).await;
    assert!(notes.log().contains("No such process"), "{}", notes.log());
    assert!(
        notes.log().contains("(local-exec): alive"),
        "the engine is not ended by its module: {}",
        notes.log()
    );
    assert_eq!(bystander.try_wait().unwrap(), None, "still there");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn without_a_sandbox_nothing_runs_unless_it_is_allowed() {
    // A PATH without bubblewrap, in a process of its own: the environment is shared by all tests of this one.
    let probe = std::env::current_exe().unwrap();
    let engine = rad_runner::terraform::find_engine();
    let ended = Command::new(probe)
        .args(["--exact", "hostile::without_bubblewrap", "--nocapture"])
        .env("RAD_TEST_ENGINE", engine.expect("these tests need OpenTofu or Terraform on this machine"))
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && printed.contains("refused and allowed"), "{printed}");
}

/// The part of [`without_a_sandbox_nothing_runs_unless_it_is_allowed`] that runs in a process of its own.
#[tokio::test]
async fn without_bubblewrap() {
    use rad_core::runner::RunnerError;
    use rad_runner::terraform::{TerraformConfig, TerraformRunner};

    let Some(engine) = std::env::var_os("RAD_TEST_ENGINE") else {
        return;
    };
    for allowed in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let config = TerraformConfig::builder(root.path()).engine(&engine).allow_unsandboxed(allowed);
        let runner = TerraformRunner::new(config.build().unwrap()).unwrap();
        match runner.engine().await {
            Err(RunnerError::NoSandbox { reason, .. }) => assert!(!allowed, "{reason}"),
            other => {
                assert!(allowed, "{other:?}");
                let (outcome, notes) =
                    play(&runner, running("sleep 300 >/dev/null 2>&1 & echo unsandboxed")).await;
                assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
                assert!(notes.log().contains("unsandboxed"));
            }
        }
    }
    println!("refused and allowed");
}
