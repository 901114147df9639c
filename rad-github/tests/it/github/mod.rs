//! The source over GitHub's API, against a server on this machine that behaves like it.

mod api;
mod archives;
mod failures;
mod reading;
mod server;
mod store;
