//! Behaviour of rad-billing on real database files.

mod backends;
mod ledger;
mod sandbox;

use rad_billing::sqlite;
use sqlx::SqlitePool;

/// A database file of its own for a test.
struct Database {
    pool: SqlitePool,
    dir: tempfile::TempDir,
}

async fn database() -> Result<Database, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let pool = sqlite::open(&dir.path().join("rad.db")).await?;
    Ok(Database { pool, dir })
}
