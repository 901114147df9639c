//! The ledger on PostgreSQL: each test has a schema of its own on the server that `make test` starts.

mod checkpoints;
mod cluster;
mod connections;
mod database;
mod faults;
mod ledger;
mod load;
mod proxy;
mod tampering;
mod totals;

use rad_billing::{PostgresLedger, postgres};
use rad_core::id::AccountId;
use secrecy::SecretString;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};

/// The server, by its address.
fn server() -> String {
    std::env::var("RAD_TEST_POSTGRES_URL")
        .expect("RAD_TEST_POSTGRES_URL is not set: `make test` starts a PostgreSQL for the tests and sets it")
}

/// An address whose tables are in a new schema.
async fn address() -> SecretString {
    let schema = format!("test_{}", AccountId::new().to_string().replace('-', "_"));
    let pool = PgPoolOptions::new().max_connections(1).connect(&server()).await.unwrap();
    pool.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
    pool.close().await;
    format!("{}?options[search_path]={schema}", server()).into()
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
