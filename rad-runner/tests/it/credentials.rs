//! Credentials reach the engine of a run, and nothing else.

use std::sync::Arc;

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::runner::{RunJob, RunOutcome, Runner};
use rad_runner::terraform::{Credentials, Granted};

use crate::support::{Notes, play, processes, runner, running};

const SECRET: &str = "s3cret'of $the \"run\"";

#[derive(Debug)]
struct Tenant {
    /// The variable in which the secret is given.
    variable: &'static str,
}

#[async_trait]
impl Credentials for Tenant {
    async fn grant(&self, job: &RunJob) -> Result<Granted, BackendError> {
        assert!(!job.source.is_empty());
        let file = format!("{{\"deployment\": \"{}\"}}", job.deployment);
        Ok(Granted::default().variable(self.variable, SECRET).file("CLOUD_KEY_FILE", "cloud.json", file))
    }
}

#[tokio::test]
async fn credentials_reach_the_engine_and_no_log_or_command_line() {
    let (_root, runner) = runner().await;
    let runner = runner.with_credentials(Arc::new(Tenant { variable: "CLOUD_TOKEN" }));
    let mark = format!("0.9{}", std::process::id());
    let script = format!(
        "echo ${{#CLOUD_TOKEN}} long; echo \"leak $CLOUD_TOKEN\"; cat $CLOUD_KEY_FILE | wc -c; cat $CLOUD_KEY_FILE; \
         echo x > $CLOUD_KEY_FILE || echo kept; sleep {mark}"
    );
    let job = running(&script);
    let deployment = job.deployment.to_string();
    let notes = Notes::default();
    let seen = async {
        loop {
            let lines: String =
                processes().into_iter().map(|process| process.line.replace('\0', " ") + "\n").collect();
            if lines.contains(&format!("sleep {mark} ")) {
                return lines;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let (outcome, lines) = tokio::join!(runner.run(job, &notes), seen);
    let log = notes.log();
    assert_eq!(outcome.unwrap(), RunOutcome::Success, "{log}");
    assert!(log.contains(&format!("): {} long", SECRET.len())), "{log}");
    assert!(log.contains("leak (sensitive value)") && log.contains("): kept"), "{log}");
    assert!(!log.contains(SECRET) && !log.contains(&format!("\"{deployment}\"")), "{log}");
    assert!(!lines.contains("s3cret"), "{lines}");
}

#[tokio::test]
async fn credentials_that_would_change_the_platforms_own_settings_are_refused() {
    let (_root, runner) = runner().await;
    let runner = runner.with_credentials(Arc::new(Tenant { variable: "TF_DATA_DIR" }));
    let error = runner.run(running("echo never"), &Notes::default()).await.unwrap_err();
    assert!(error.to_string().contains("credentials"), "{error}");
    let runner = runner.with_credentials(Arc::new(Tenant { variable: "CLOUD_TOKEN" }));
    let (outcome, notes) = play(&runner, running("echo fine")).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
}
