//! The real program, as an operator starts it.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::Browser;

/// A process of the portal's program.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
    pub(crate) passwords: Vec<(String, String)>,
}

impl Program {
    /// Starts a process, and reads what it has to say: an address, and passwords if it is the first one. A worker says nothing.
    pub(crate) async fn start(arguments: &[&OsStr], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portal"))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut url, mut passwords) = (String::new(), Vec::new());
        let serves = !arguments.contains(&OsStr::new("worker"));
        while let Some(line) = if serves { lines.next_line().await.unwrap() } else { None } {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                ["The", "portal", "is", "at", address] => url = address.to_owned(),
                [email, password, ..] if email.ends_with("@example.com") => {
                    passwords.push((email.to_owned(), password.to_owned()));
                }
                ["Passwords", "were", ..] => break,
                _ => {}
            }
            if passwords.len() == 5 {
                break;
            }
        }
        assert!(!serves || !url.is_empty(), "the portal said nothing of its address");
        Self { child, url, passwords }
    }

    pub(crate) async fn signed_in(&self, name: &str, passwords: &[(String, String)]) -> Browser {
        let email = format!("{name}@example.com");
        let (_, password) = passwords.iter().find(|(known, _)| *known == email).unwrap();
        let mut browser = Browser::new(&self.url);
        assert_eq!(browser.sign_in(&email, password).await.status, 303);
        browser
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// SIGKILL: nothing of the process has a last word.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }
}
