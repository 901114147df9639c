//! Databases of a test's own: a SQLite file in a directory that goes with it, and a schema on the PostgreSQL server that
//! `RAD_TEST_POSTGRES_URL` names (`make test` starts one).

use crate::Database;

/// Why there is no database for a test.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A database of a test's own.
#[derive(Debug)]
pub struct TestDatabase {
    /// The database, still empty.
    pub database: Database,
    /// Where the file is; kept for as long as it is used. `None` with PostgreSQL.
    pub directory: Option<tempfile::TempDir>,
}

/// One database of each kind: what a store keeps, it keeps in both.
///
/// # Errors
/// If one cannot be made.
pub async fn one_of_each() -> Result<Vec<TestDatabase>, Failure> {
    let directory = tempfile::tempdir()?;
    let database = crate::sqlite::open(&directory.path().join("rad.db")).await?.into();
    Ok(vec![
        TestDatabase { database, directory: Some(directory) },
        #[cfg(feature = "postgres")]
        TestDatabase {
            database: crate::postgres::open(&postgres_address().await?).await?.into(),
            directory: None,
        },
    ])
}

/// An address whose tables are in a new schema of the server for tests.
///
/// # Errors
/// If no server is named, or it cannot be reached.
#[cfg(feature = "postgres")]
pub async fn postgres_address() -> Result<secrecy::SecretString, Failure> {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

    let server = std::env::var("RAD_TEST_POSTGRES_URL").map_err(
        |_| "RAD_TEST_POSTGRES_URL is not set: `make test` starts a PostgreSQL for the tests and sets it",
    )?;
    let schema = format!("test_{}", rad_core::id::AccountId::new().to_string().replace('-', "_"));
    let mut connection = PgConnection::connect(&server).await?;
    connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await?;
    connection.close().await?;
    Ok(format!("{server}?options[search_path]={schema}").into())
}
