//! The tables of a crate: brought to the schema of its release, beside those of others.

use rad_core::error::BackendError;
use sqlx::migrate::{MigrateError, Migrator};

use crate::database::{Database, Transaction};
use crate::error::failed;
use crate::statement::sql;

const MIGRATING: &str = "bringing the schema up to date";
const CHECKING: &str = "checking the schema";

/// The steps that make the tables of a crate, in each database, and the table that says which were taken.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    record: &'static str,
    sqlite: fn() -> Migrator,
    postgres: fn() -> Migrator,
}

impl Schema {
    /// Steps that `sqlx::migrate!` embeds; `record` is the table of the crate's own that says which were taken.
    pub const fn new(record: &'static str, sqlite: fn() -> Migrator, postgres: fn() -> Migrator) -> Self {
        Self { record, sqlite, postgres }
    }

    /// Brings a database to the schema of this release. Processes that start together take turns, and a failed step leaves
    /// nothing. In PostgreSQL the tables are in the first schema of the connections' `search_path`.
    ///
    /// # Errors
    /// If a step fails, or the database was written by a newer release.
    pub async fn migrate(&self, database: &Database) -> Result<(), BackendError> {
        let migrator = self.migrator(database);
        // Who only comes to a database that is up to date does not wait for those who write.
        if self.is_current(database, &migrator).await? {
            return Ok(());
        }
        let mut transaction = database.begin().await?;
        #[cfg(feature = "postgres")]
        if let Database::Postgres(_) = database {
            // Whoever waits here waits for somebody who does the same work.
            sql("SET LOCAL lock_timeout = '10min'").execute(&mut transaction, MIGRATING).await?;
        }
        transaction.lock(self.record).await?;
        // `run` cannot borrow a connection inside a future that moves between threads; this is what it calls.
        let ran = match &mut transaction {
            Transaction::Sqlite(transaction) => migrator.run_direct(None, &mut **transaction, false).await,
            #[cfg(feature = "postgres")]
            Transaction::Postgres(transaction) => migrator.run_direct(None, &mut **transaction, false).await,
        };
        ran.map_err(|error| not_migrated(error, newest(&migrator)))?;
        transaction.commit(MIGRATING).await
    }

    /// Checks that a database has the schema of this release, and changes nothing.
    ///
    /// # Errors
    /// [`Permanent`](rad_core::error::FailureKind::Permanent), with what to do, if it is older or newer.
    pub async fn check(&self, database: &Database) -> Result<(), BackendError> {
        let migrator = self.migrator(database);
        let mut ran = Vec::new();
        for (version, _, success) in self.taken(database).await? {
            if success {
                ran.push(version);
            }
        }
        let newest_run = ran.iter().max().copied().unwrap_or_default();
        if newest_run > newest(&migrator) {
            return Err(BackendError::permanent(CHECKING, too_new(newest_run, newest(&migrator))));
        }
        match migrator.iter().find(|step| !ran.contains(&step.version)) {
            None => Ok(()),
            Some(missing) => {
                let step = missing.version;
                let reason = format!(
                    "its schema is older than this release: step {step} is missing; open it for writing once to \
                     bring it up to date"
                );
                Err(BackendError::permanent(CHECKING, reason))
            }
        }
    }

    fn migrator(&self, database: &Database) -> Migrator {
        let mut migrator = match database {
            Database::Sqlite(_) => (self.sqlite)(),
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => (self.postgres)(),
        };
        migrator.dangerous_set_table_name(self.record);
        // The transaction around all steps has a lock that ends with it.
        migrator.set_locking(false);
        migrator
    }

    /// Whether exactly the steps of this release ran.
    async fn is_current(&self, database: &Database, migrator: &Migrator) -> Result<bool, BackendError> {
        let taken = self.taken(database).await?;
        let known = migrator.iter().map(|step| (step.version, step.checksum.to_vec(), true));
        Ok(taken.into_iter().eq(known))
    }

    /// The steps that were taken, in their order: the version and checksum of each, and whether it succeeded. None before
    /// there is a record.
    async fn taken(&self, database: &Database) -> Result<Vec<(i64, Vec<u8>, bool)>, BackendError> {
        if !self.has_record(database).await? {
            return Ok(Vec::new());
        }
        let mut steps = sql("SELECT version, checksum, success FROM ");
        steps.push(self.record).push(" ORDER BY version");
        let mut taken = Vec::new();
        for row in steps.rows(database, CHECKING).await? {
            taken.push((row.get("version")?, row.get("checksum")?, row.get("success")?));
        }
        Ok(taken)
    }

    async fn has_record(&self, database: &Database) -> Result<bool, BackendError> {
        let find = match database {
            Database::Sqlite(_) => "SELECT 1 FROM sqlite_schema WHERE name = $1",
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
        };
        sql(find).bind(self.record).finds(database, CHECKING).await
    }
}

fn not_migrated(error: MigrateError, known: i64) -> BackendError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(MIGRATING)(error),
        MigrateError::VersionMissing(version) => BackendError::permanent(MIGRATING, too_new(version, known)),
        error => BackendError::permanent(MIGRATING, error),
    }
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|step| step.version).max().unwrap_or_default()
}

fn too_new(found: i64, known: i64) -> String {
    format!(
        "a newer release wrote the database: it has step {found} of the schema, this release knows steps up to {known}; \
         use the newer release"
    )
}
