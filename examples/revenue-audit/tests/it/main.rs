//! Every command through the program, as a person or a script runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod books;
mod broken;
mod bundle;
mod checkpoint;
mod common;
mod database;
mod explain;
mod generate;
mod journal;
mod sample;
mod simulated;
mod statement;
mod tampering;
mod unreadable;
mod unreadable_files;
mod what_if;
mod whole;
