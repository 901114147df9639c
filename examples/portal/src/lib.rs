//! A finished portal on the rad crates: embedded database, local repositories, server-rendered pages.
//!
//! [`start`] is the whole program; `main` only reads the command line. A team that builds its own portal starts from
//! `assemble`, which is the one place where backends are chosen.

mod app;
mod assemble;
mod assets;
mod chat;
mod checkpoints;
pub mod config;
mod cookies;
mod error;
mod fields;
mod first_start;
mod given;
mod headers;
mod icons;
mod layout;
mod limiter;
mod module_form;
mod pages;
mod password;
mod schedule;
mod secret_file;
mod server;
mod session;
mod show;
mod sign_in;
mod sources;
mod state;
mod token;
mod watcher;

pub use first_start::FirstAccount;
pub use server::{Portal, Signals, WorkerProcess, start, start_worker};
