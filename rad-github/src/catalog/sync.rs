//! A sync: the changes of one publisher, in a transaction that the caller commits.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::catalog::{CatalogChange, CatalogError, Revision, search_text};
use rad_core::error::BackendError;
use rad_core::id::ModuleId;
use serde::Serialize;
use sqlx::{Row as _, SqliteConnection};

use super::rows::{count, id, publisher_key};
use crate::sqlite::{column, failed};

const APPLYING: &str = "applying a sync";

/// The version of a publisher's catalogue; 0 before the first sync.
pub(super) async fn version(
    connection: &mut SqliteConnection,
    publisher: Publisher,
) -> Result<u64, BackendError> {
    let row = sqlx::query("SELECT version FROM catalog_versions WHERE publisher = ?")
        .bind(publisher_key(publisher))
        .fetch_optional(connection)
        .await
        .map_err(failed("reading the version of a catalogue"))?;
    row.map_or(Ok(0), |row| column(&row, "version", count))
}

pub(super) async fn apply(
    connection: &mut SqliteConnection,
    publisher: Publisher,
    expected: u64,
    changes: &[CatalogChange],
    at: DateTime<Utc>,
) -> Result<u64, CatalogError> {
    let actual = version(connection, publisher).await?;
    if actual != expected {
        return Err(CatalogError::Stale { expected, actual });
    }
    if changes.is_empty() {
        return Ok(actual);
    }
    for change in changes {
        match change {
            CatalogChange::Publish { name, revision } => {
                publish(connection, publisher, name, revision, at).await?;
            }
            CatalogChange::Update { module, revision } => {
                let name = offered(connection, publisher, *module).await?;
                write(connection, *module, &name, revision, at).await?;
            }
            CatalogChange::Withdraw { module } => {
                offered(connection, publisher, *module).await?;
                sqlx::query("UPDATE catalog_listings SET published = 0 WHERE id = ?")
                    .bind(module.as_bytes().as_slice())
                    .execute(&mut *connection)
                    .await
                    .map_err(failed(APPLYING))?;
            }
        }
    }
    sqlx::query(
        "INSERT INTO catalog_versions (publisher, version) VALUES (?, 1)
         ON CONFLICT (publisher) DO UPDATE SET version = version + 1",
    )
    .bind(publisher_key(publisher))
    .execute(&mut *connection)
    .await
    .map_err(failed(APPLYING))?;
    Ok(version(connection, publisher).await?)
}

async fn publish(
    connection: &mut SqliteConnection,
    publisher: Publisher,
    name: &str,
    revision: &Revision,
    at: DateTime<Utc>,
) -> Result<(), CatalogError> {
    let known = sqlx::query("SELECT id, published FROM catalog_listings WHERE publisher = ? AND name = ?")
        .bind(publisher_key(publisher))
        .bind(name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed(APPLYING))?;
    let module = match known {
        Some(row) if row.try_get("published").map_err(failed(APPLYING))? => {
            return Err(CatalogError::NameTaken { name: name.to_owned() });
        }
        Some(row) => id(&row)?,
        None => insert(connection, publisher, name).await?,
    };
    write(connection, module, name, revision, at).await
}

/// Makes the row of a new listing, which [`write`] then fills.
async fn insert(
    connection: &mut SqliteConnection,
    publisher: Publisher,
    name: &str,
) -> Result<ModuleId, CatalogError> {
    let module = ModuleId::new();
    sqlx::query(
        "INSERT INTO catalog_listings (id, publisher, name, published, public_access, repository, commit_id, digest,
             manifest, publish_values, search_text, updated_at)
         VALUES (?, ?, ?, 0, 0, '', '', zeroblob(32), '', '', '', 0)",
    )
    .bind(module.as_bytes().as_slice())
    .bind(publisher_key(publisher))
    .bind(name)
    .execute(connection)
    .await
    .map_err(failed(APPLYING))?;
    Ok(module)
}

/// Puts a revision on offer, with what searches and visibility need of it.
async fn write(
    connection: &mut SqliteConnection,
    module: ModuleId,
    name: &str,
    revision: &Revision,
    at: DateTime<Utc>,
) -> Result<(), CatalogError> {
    let manifest = &revision.manifest;
    sqlx::query(
        "UPDATE catalog_listings SET published = 1, public_access = ?, repository = ?, commit_id = ?, digest = ?,
             manifest = ?, publish_values = ?, search_text = ?, updated_at = ?
         WHERE id = ?",
    )
    .bind(manifest.metadata.public_access)
    .bind(&revision.repository)
    .bind(revision.commit.as_str())
    .bind(revision.digest.as_bytes().as_slice())
    .bind(json(manifest)?)
    .bind(json(&revision.values)?)
    .bind(search_text(name, manifest))
    .bind(at.timestamp_micros())
    .bind(module.as_bytes().as_slice())
    .execute(&mut *connection)
    .await
    .map_err(failed(APPLYING))?;

    sqlx::query("DELETE FROM catalog_trust WHERE module = ?")
        .bind(module.as_bytes().as_slice())
        .execute(&mut *connection)
        .await
        .map_err(failed(APPLYING))?;
    let trusted = manifest.metadata.trusted_users.iter().chain(&manifest.metadata.shared_users);
    let trusted: BTreeSet<String> = trusted.map(|email| email.to_ascii_lowercase()).collect();
    for email in trusted {
        sqlx::query("INSERT INTO catalog_trust (module, email) VALUES (?, ?)")
            .bind(module.as_bytes().as_slice())
            .bind(email)
            .execute(&mut *connection)
            .await
            .map_err(failed(APPLYING))?;
    }
    Ok(())
}

/// The name of a listing of this publisher that is on offer.
async fn offered(
    connection: &mut SqliteConnection,
    publisher: Publisher,
    module: ModuleId,
) -> Result<String, CatalogError> {
    let row = sqlx::query("SELECT name FROM catalog_listings WHERE id = ? AND publisher = ? AND published")
        .bind(module.as_bytes().as_slice())
        .bind(publisher_key(publisher))
        .fetch_optional(connection)
        .await
        .map_err(failed(APPLYING))?;
    Ok(column(&row.ok_or(CatalogError::NotFound)?, "name", Some)?)
}

fn json(value: &impl Serialize) -> Result<String, BackendError> {
    serde_json::to_string(value).map_err(|error| BackendError::permanent(APPLYING, error))
}
