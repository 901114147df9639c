//! Behaviour of rad-github through its public surface.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod catalog;
mod credentials;
#[cfg(feature = "github")]
mod fuzz_seeds;
#[cfg(feature = "github")]
mod github;
#[cfg(feature = "github")]
mod jules;
mod local;
mod watches;

use chrono::{DateTime, Utc};
use rad_core::source::SourceTree;
use rad_sql::testing::TestDatabase;

/// A database of either kind for a test, with the tables of this crate.
async fn one_of_each() -> Vec<TestDatabase> {
    let databases = rad_sql::testing::one_of_each().await.unwrap();
    for test in &databases {
        rad_github::migrate(&test.database).await.unwrap();
    }
    databases
}

/// A tree of text files.
fn tree(files: &[(&str, &str)]) -> SourceTree {
    let mut tree = SourceTree::default();
    for (path, text) in files {
        tree.insert_file(*path, text.to_string()).unwrap();
    }
    tree
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000, 0).unwrap()
}
