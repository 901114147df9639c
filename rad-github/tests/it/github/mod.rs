//! The source over GitHub's API, against a server on this machine that behaves like it.

mod api;
mod archives;
mod changing;
mod failures;
mod git_data;
mod reading;
mod server;
mod store;
mod tokens;
mod webhooks;
