//! The portal as a whole: over HTTP, in a browser, and through a crash. The stack behind it is the real one.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod browser;
mod client;
mod crash;
mod deploying;
mod drift;
mod fake_git_data;
mod fake_github;
mod fleet;
mod forms;
mod github;
mod github_browser;
mod isolation;
mod jules;
mod lifecycle;
mod notices;
mod pages;
mod payments;
mod portal;
mod program;
mod publishers;
mod refining;
mod sign_in;
mod states;
mod transactions;
