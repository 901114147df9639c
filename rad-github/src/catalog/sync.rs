//! A sync: the changes of one publisher, in a transaction that the caller commits.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::catalog::{CatalogChange, CatalogError, Revision, search_text};
use rad_core::error::BackendError;
use rad_core::group::GroupName;
use rad_core::id::ModuleId;
use rad_core::source::Digest;
use rad_sql::{Transaction, json, sql};

const APPLYING: &str = "applying a sync";

/// The version of a publisher's catalogue; 0 before the first sync.
pub(super) async fn version(
    transaction: &mut Transaction,
    publisher: Publisher,
) -> Result<u64, BackendError> {
    let find = sql("SELECT version FROM catalog_versions WHERE publisher = $1").bind(publisher);
    let row = find.optional(transaction, "reading the version of a catalogue").await?;
    row.map_or(Ok(0), |row| row.get("version"))
}

pub(super) async fn apply(
    transaction: &mut Transaction,
    publisher: Publisher,
    expected: u64,
    changes: &[CatalogChange],
    at: DateTime<Utc>,
) -> Result<u64, CatalogError> {
    transaction.lock(&format!("the catalogue of {publisher}")).await?;
    let actual = version(transaction, publisher).await?;
    if actual != expected {
        return Err(CatalogError::Stale { expected, actual });
    }
    if changes.is_empty() {
        return Ok(actual);
    }
    for change in changes {
        match change {
            CatalogChange::Publish { name, revision } => {
                publish(transaction, publisher, name, revision, at).await?;
            }
            CatalogChange::Update { module, revision } => {
                let name = offered(transaction, publisher, *module).await?;
                write(transaction, *module, &name, revision, at).await?;
            }
            CatalogChange::Withdraw { module } => {
                offered(transaction, publisher, *module).await?;
                let withdraw =
                    sql("UPDATE catalog_listings SET published = FALSE WHERE id = $1").bind(*module);
                withdraw.execute(&mut *transaction, APPLYING).await?;
            }
            CatalogChange::Outdate => {}
        }
    }
    sql("INSERT INTO catalog_versions (publisher, version) VALUES ($1, $2)
         ON CONFLICT (publisher) DO UPDATE SET version = excluded.version")
    .bind(publisher)
    .bind(actual + 1)
    .execute(transaction, APPLYING)
    .await?;
    Ok(actual + 1)
}

async fn publish(
    transaction: &mut Transaction,
    publisher: Publisher,
    name: &str,
    revision: &Revision,
    at: DateTime<Utc>,
) -> Result<(), CatalogError> {
    let find = sql("SELECT id, published FROM catalog_listings WHERE publisher = $1 AND name = $2");
    let known = find.bind(publisher).bind(name).optional(&mut *transaction, APPLYING).await?;
    let module = match known {
        Some(row) if row.get("published")? => {
            return Err(CatalogError::NameTaken { name: name.to_owned() });
        }
        Some(row) => row.get("id")?,
        None => insert(transaction, publisher, name, at).await?,
    };
    write(transaction, module, name, revision, at).await
}

/// Makes the row of a new listing, which [`write`] then fills.
async fn insert(
    transaction: &mut Transaction,
    publisher: Publisher,
    name: &str,
    at: DateTime<Utc>,
) -> Result<ModuleId, CatalogError> {
    let module = ModuleId::new();
    sql("INSERT INTO catalog_listings (id, publisher, name, published, public_access, repository, commit_id, digest,
             manifest, publish_values, search_text, updated_at)
         VALUES ($1, $2, $3, FALSE, FALSE, '', '', $4, '', '', '', $5)")
    .bind(module)
    .bind(publisher)
    .bind(name)
    .bind(&Digest::ZERO)
    .bind(at)
    .execute(transaction, APPLYING)
    .await?;
    Ok(module)
}

/// Puts a revision on offer, with what searches and visibility need of it.
async fn write(
    transaction: &mut Transaction,
    module: ModuleId,
    name: &str,
    revision: &Revision,
    at: DateTime<Utc>,
) -> Result<(), CatalogError> {
    let manifest = &revision.manifest;
    sql("UPDATE catalog_listings SET published = TRUE, public_access = $1, repository = $2, commit_id = $3, digest = $4,
             manifest = $5, publish_values = $6, search_text = $7, updated_at = $8
         WHERE id = $9")
    .bind(manifest.metadata.public_access)
    .bind(&revision.repository)
    .bind(revision.commit.as_str())
    .bind(&revision.digest)
    .bind(json(manifest)?)
    .bind(json(&revision.values)?)
    .bind(search_text(name, manifest))
    .bind(at)
    .bind(module)
    .execute(&mut *transaction, APPLYING)
    .await?;

    let clear = sql("DELETE FROM catalog_trust WHERE module = $1").bind(module);
    clear.execute(&mut *transaction, APPLYING).await?;
    let trusted = manifest.metadata.trusted_users.iter().chain(&manifest.metadata.shared_users);
    let trusted: BTreeSet<String> = trusted.map(|email| email.to_ascii_lowercase()).collect();
    for email in trusted {
        let insert =
            sql("INSERT INTO catalog_trust (module, email) VALUES ($1, $2)").bind(module).bind(email);
        insert.execute(&mut *transaction, APPLYING).await?;
    }
    let clear = sql("DELETE FROM catalog_trusted_groups WHERE module = $1").bind(module);
    clear.execute(&mut *transaction, APPLYING).await?;
    let groups = &manifest.metadata.trusted_groups;
    let groups: BTreeSet<GroupName> =
        groups.iter().map(|name| GroupName::new(Publisher::Platform, name)).collect();
    for group in groups {
        let insert = sql("INSERT INTO catalog_trusted_groups (module, name) VALUES ($1, $2)");
        insert.bind(module).bind(group.name()).execute(&mut *transaction, APPLYING).await?;
    }
    Ok(())
}

/// The name of a listing of this publisher that is on offer.
async fn offered(
    transaction: &mut Transaction,
    publisher: Publisher,
    module: ModuleId,
) -> Result<String, CatalogError> {
    let find = sql("SELECT name FROM catalog_listings WHERE id = $1 AND publisher = $2 AND published");
    let row = find.bind(module).bind(publisher).optional(transaction, APPLYING).await?;
    Ok(row.ok_or(CatalogError::NotFound)?.get("name")?)
}
