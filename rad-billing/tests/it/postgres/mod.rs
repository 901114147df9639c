//! The ledger on PostgreSQL: each test has a schema of its own on the server that `make test` starts.

mod checkpoints;
mod cluster;
mod connections;
mod database;
mod faults;
mod ledger;
mod load;
mod proxy;
mod restoring;
mod tampering;
mod totals;

use std::path::PathBuf;

use rad_billing::{PostgresLedger, postgres};
use secrecy::SecretString;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

/// The server, by its address.
fn server() -> String {
    std::env::var("RAD_TEST_POSTGRES_URL")
        .expect("RAD_TEST_POSTGRES_URL is not set: `make test` starts a PostgreSQL for the tests and sets it")
}

/// The directory of PostgreSQL's programs.
fn programs() -> PathBuf {
    let programs = std::env::var_os("RAD_TEST_POSTGRES_BIN").expect(
        "RAD_TEST_POSTGRES_BIN is not set: `make test` sets it to the directory of PostgreSQL's programs",
    );
    programs.into()
}

/// An address whose tables are in a new schema.
async fn address() -> SecretString {
    rad_sql::testing::postgres_address().await.unwrap()
}

async fn pool() -> PgPool {
    postgres::open(&address().await).await.unwrap()
}

async fn ledger() -> PostgresLedger {
    PostgresLedger::new(pool().await)
}

async fn run(pool: &PgPool, sql: &str) -> u64 {
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(pool).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
}
