//! The program as a module author runs it, on repositories made for the purpose.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod invalid;
mod unreadable;
mod valid;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use chrono::DateTime;
use rad_core::source::{SourceTree, TreeEntry};
use rad_github::local::{WholeCommit, commit_tree};
use tempfile::TempDir;

const HELLO: &str = r#"
variable "who" {
  type        = string
  description = "Whom to greet. {{UIMeta group=1 order=2 options=you,me updatesafe }}"
}
output "greeting" {
  description = "What is said."
  value       = var.who
}
"#;

/// What the program did.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Run {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_manifest")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

impl Run {
    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} in:\n{}", self.stdout);
        self
    }

    #[track_caller]
    fn never_says(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text), "{text:?} in:\n{}", self.stdout);
        self
    }

    #[track_caller]
    fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in:\n{}", self.stderr);
        assert_eq!(self.stdout, "", "nothing is listed");
        self
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// A directory of files on the disk.
fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    directory
}

/// A bare repository with one commit of the files and links on the branch `main`.
fn repository(files: &[(&str, &str)], links: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    commit(directory.path(), files, links);
    directory
}

fn commit(path: &Path, files: &[(&str, &str)], links: &[(&str, &str)]) {
    let mut tree = SourceTree::default();
    for (path, text) in files {
        tree.insert_file(*path, text.to_string()).unwrap();
    }
    for (path, target) in links {
        tree.insert(*path, TreeEntry::Symlink { target: target.to_string() }).unwrap();
    }
    let at = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
    commit_tree(path, WholeCommit { branch: "main", tree: &tree, message: "Modules", at }).unwrap();
}

fn at(directory: &TempDir) -> &str {
    directory.path().to_str().unwrap()
}
