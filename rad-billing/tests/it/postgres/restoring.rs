//! A dump of a database in use, read into another one.

use std::path::Path;
use std::process::Command;

use rad_billing::{PostgresLedger, postgres};
use rad_core::id::AccountId;
use secrecy::ExposeSecret as _;

use super::{address, programs, run, server};
use crate::restoring::comes_back;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_dumped_while_in_use_comes_back() {
    let address = address().await;
    let pool = postgres::open(&address).await.unwrap();
    let schema = address.expose_secret().rsplit_once("search_path]=").unwrap().1.to_owned();
    let dir = tempfile::tempdir().unwrap();
    let dump = dir.path().join("backup.sql");

    let back_up = async {
        let dump_to = dump.clone();
        let dumping = move || run_program("pg_dump", &["--schema", &schema, "--file"], &dump_to, &server());
        tokio::task::spawn_blocking(dumping).await.unwrap();
    };
    let restore = async || {
        let name = format!("restored_{}", AccountId::new().to_string().replace('-', "_"));
        run(&pool, &format!("CREATE DATABASE {name}")).await;
        run_program(
            "psql",
            &["--quiet", "--set", "ON_ERROR_STOP=1", "--file"],
            &dump,
            &in_database(&server(), &name),
        );
        PostgresLedger::new(
            postgres::open(&in_database(address.expose_secret(), &name).into()).await.unwrap(),
        )
    };
    comes_back(&PostgresLedger::new(pool.clone()), back_up, restore).await;
}

/// Runs one of PostgreSQL's programs on a file and a database.
fn run_program(name: &str, arguments: &[&str], file: &Path, database: &str) {
    let done = Command::new(programs().join(name)).args(arguments).arg(file).arg(database).output().unwrap();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The address of another database of the same server.
fn in_database(address: &str, name: &str) -> String {
    let (place, rest) = address.split_once('?').unwrap_or((address, ""));
    let (server, _) = place.rsplit_once('/').unwrap();
    format!("{server}/{name}?{rest}")
}
