//! What was last read of repositories, in either database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::error::BackendError;
use rad_core::module::FoundModule;
use rad_core::reading::{Reading, ReadingStore};
use rad_core::source::Digest;
use rad_sql::{Database, Transaction, json, sql};

const READING: &str = "reading what was found in a repository";
const KEEPING: &str = "keeping what was found in a repository";

/// Modules that are written by one statement.
const AT_ONCE: usize = 100;

/// A [`ReadingStore`] in a SQLite file or a PostgreSQL database: for all processes on it, and over their restarts. Of a reading
/// only the modules are written that differ from the one before.
#[derive(Debug, Clone)]
pub struct SqlReadings {
    database: Database,
}

impl SqlReadings {
    /// The readings in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl ReadingStore for SqlReadings {
    async fn reading(&self, publisher: Publisher, reader: &str) -> Result<Option<Reading>, BackendError> {
        // One snapshot: the modules belong to the commit they are given with.
        let mut snapshot = self.database.snapshot().await?;
        let find = sql("SELECT * FROM catalog_readings WHERE publisher = $1 AND reader = $2");
        let find = find.bind(publisher).bind(reader);
        let Some(row) = find.optional(&mut snapshot, READING).await? else { return Ok(None) };
        let list = sql("SELECT * FROM catalog_read_modules WHERE publisher = $1 ORDER BY name");
        let modules = list.bind(publisher).rows(&mut snapshot, READING).await?;
        let module = |row: &rad_sql::Row| {
            let (name, digest) = (row.get("name")?, row.get("digest")?);
            Ok(FoundModule { name, digest, outcome: row.json("outcome")? })
        };
        Ok(Some(Reading {
            publisher,
            reader: reader.to_owned(),
            repository: row.get("repository")?,
            sub_dir: row.get("sub_dir")?,
            commit: row.parse("commit_id")?,
            modules: modules.iter().map(module).collect::<Result<_, BackendError>>()?,
        }))
    }

    async fn keep(&self, reading: &Reading) -> Result<(), BackendError> {
        let mut transaction = self.database.begin().await?;
        transaction.lock(&format!("the reading of {}", reading.publisher)).await?;
        let known = known(&mut transaction, reading).await?;
        write_modules(&mut transaction, reading, known).await?;
        sql("INSERT INTO catalog_readings (publisher, reader, repository, sub_dir, commit_id)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (publisher) DO UPDATE SET reader = excluded.reader, repository = excluded.repository,
                 sub_dir = excluded.sub_dir, commit_id = excluded.commit_id")
        .bind(reading.publisher)
        .bind(reading.reader.as_str())
        .bind(reading.repository.as_str())
        .bind(reading.sub_dir.as_str())
        .bind(reading.commit.as_str())
        .execute(&mut transaction, KEEPING)
        .await?;
        transaction.commit(KEEPING).await
    }

    async fn forget(&self, publisher: Publisher) -> Result<(), BackendError> {
        const FORGETTING: &str = "forgetting what was found in a repository";
        let mut transaction = self.database.begin().await?;
        transaction.lock(&format!("the reading of {publisher}")).await?;
        for forget in [
            sql("DELETE FROM catalog_read_modules WHERE publisher = $1"),
            sql("DELETE FROM catalog_readings WHERE publisher = $1"),
        ] {
            forget.bind(publisher).execute(&mut transaction, FORGETTING).await?;
        }
        transaction.commit(FORGETTING).await
    }
}

/// The digests of the modules that the same reader kept before; what another one kept is removed.
async fn known(
    transaction: &mut Transaction,
    reading: &Reading,
) -> Result<BTreeMap<String, Digest>, BackendError> {
    let find = sql("SELECT 1 FROM catalog_readings WHERE publisher = $1 AND reader = $2");
    let find = find.bind(reading.publisher).bind(reading.reader.as_str());
    if !find.finds(&mut *transaction, KEEPING).await? {
        let clear = sql("DELETE FROM catalog_read_modules WHERE publisher = $1").bind(reading.publisher);
        clear.execute(transaction, KEEPING).await?;
        return Ok(BTreeMap::new());
    }
    let list = sql("SELECT name, digest FROM catalog_read_modules WHERE publisher = $1");
    let rows = list.bind(reading.publisher).rows(transaction, KEEPING).await?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("digest")?))).collect()
}

/// Writes the modules that are not `known` as they are, and removes those that are gone.
async fn write_modules(
    transaction: &mut Transaction,
    reading: &Reading,
    mut known: BTreeMap<String, Digest>,
) -> Result<(), BackendError> {
    let is_new = |module: &&FoundModule| known.remove(&module.name) != Some(module.digest);
    let new: Vec<&FoundModule> = reading.modules.iter().filter(is_new).collect();
    for modules in new.chunks(AT_ONCE) {
        let mut write = sql("INSERT INTO catalog_read_modules (publisher, name, digest, outcome) VALUES ");
        for (place, module) in modules.iter().enumerate() {
            write.push(if place == 0 { "(" } else { ", (" }).push_bind(reading.publisher);
            write.push(", ").push_bind(module.name.as_str());
            write.push(", ").push_bind(&module.digest);
            write.push(", ").push_bind(json(&module.outcome)?).push(")");
        }
        write.push(
            " ON CONFLICT (publisher, name) DO UPDATE SET digest = excluded.digest, outcome = excluded.outcome",
        );
        write.execute(&mut *transaction, KEEPING).await?;
    }
    let gone: Vec<String> = known.into_keys().collect();
    for names in gone.chunks(AT_ONCE) {
        let mut remove = sql("DELETE FROM catalog_read_modules WHERE publisher = ");
        remove.push_bind(reading.publisher);
        for (place, name) in names.iter().enumerate() {
            remove.push(if place == 0 { " AND name IN (" } else { ", " }).push_bind(name.as_str());
        }
        remove.push(")");
        remove.execute(&mut *transaction, KEEPING).await?;
    }
    Ok(())
}
