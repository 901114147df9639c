//! Published modules, and the archive of their sources, in a SQLite file.

mod archive;
mod packed;
mod rows;
mod search;
mod sync;

pub use archive::SqliteArchive;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::catalog::{Card, CatalogChange, CatalogError, CatalogQuery, Listing, ModuleCatalog};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::page::Page;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

pub(crate) use self::rows::publisher_key;
use crate::sqlite::{begin, failed};

/// A [`ModuleCatalog`] in a SQLite file.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::catalog::{ModuleCatalog as _, Publisher};
/// use rad_github::catalog::SqliteCatalog;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("rad.db");
/// let pool = rad_github::sqlite::open(&path).await?;
/// let catalog = SqliteCatalog::new(pool);
/// let (version, listings) = catalog.catalogue_of(Publisher::Platform).await?;
/// assert_eq!((version, listings.len()), (0, 0));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteCatalog {
    pool: SqlitePool,
}

impl SqliteCatalog {
    /// The catalogue in a database that [`open`](crate::sqlite::open) opened or [`migrate`](crate::sqlite::migrate)
    /// prepared.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl ModuleCatalog for SqliteCatalog {
    async fn catalogue_of(&self, publisher: Publisher) -> Result<(u64, Vec<Listing>), CatalogError> {
        // One snapshot: the version belongs to the list it is given with.
        let mut snapshot = self.pool.begin().await.map_err(failed("reading a catalogue"))?;
        let version = sync::version(&mut snapshot, publisher).await?;
        let listings = sqlx::query("SELECT * FROM catalog_listings WHERE publisher = ? ORDER BY name")
            .bind(publisher_key(publisher))
            .fetch_all(&mut *snapshot)
            .await
            .map_err(failed("reading a catalogue"))?;
        Ok((version, listings.iter().map(rows::listing).collect::<Result<_, _>>()?))
    }

    async fn apply(
        &self,
        publisher: Publisher,
        expected: u64,
        changes: &[CatalogChange],
        at: DateTime<Utc>,
    ) -> Result<u64, CatalogError> {
        let mut transaction = begin(&self.pool).await?;
        let version = sync::apply(&mut transaction, publisher, expected, changes, at).await?;
        transaction.commit().await.map_err(failed("applying a sync"))?;
        Ok(version)
    }

    async fn listing(&self, id: ModuleId) -> Result<Listing, CatalogError> {
        let row = sqlx::query("SELECT * FROM catalog_listings WHERE id = ?")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a listing"))?;
        Ok(rows::listing(&row.ok_or(CatalogError::NotFound)?)?)
    }

    async fn search(&self, query: &CatalogQuery) -> Result<Page<Card>, CatalogError> {
        Ok(search::search(&self.pool, query).await?)
    }

    async fn pin(&self, account: AccountId, module: ModuleId, pinned: bool) -> Result<(), CatalogError> {
        let mut transaction = begin(&self.pool).await?;
        must_exist(&mut transaction, module).await?;
        let sql = if pinned {
            "INSERT INTO catalog_pins (account, module) VALUES (?, ?) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM catalog_pins WHERE account = ? AND module = ?"
        };
        sqlx::query(sql)
            .bind(account.as_bytes().as_slice())
            .bind(module.as_bytes().as_slice())
            .execute(&mut *transaction)
            .await
            .map_err(failed("pinning a module"))?;
        Ok(transaction.commit().await.map_err(failed("pinning a module"))?)
    }

    async fn rate(&self, account: AccountId, module: ModuleId, stars: u8) -> Result<(), CatalogError> {
        if !(1..=5).contains(&stars) {
            return Err(CatalogError::Stars { stars });
        }
        let mut transaction = begin(&self.pool).await?;
        must_exist(&mut transaction, module).await?;
        sqlx::query(
            "INSERT INTO catalog_ratings (module, account, stars) VALUES (?, ?, ?)
             ON CONFLICT (module, account) DO UPDATE SET stars = excluded.stars",
        )
        .bind(module.as_bytes().as_slice())
        .bind(account.as_bytes().as_slice())
        .bind(stars)
        .execute(&mut *transaction)
        .await
        .map_err(failed("rating a module"))?;
        sqlx::query(
            "UPDATE catalog_listings SET (ratings, stars) =
                 (SELECT count(*), coalesce(sum(r.stars), 0) FROM catalog_ratings r WHERE r.module = ?1)
             WHERE id = ?1",
        )
        .bind(module.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("rating a module"))?;
        Ok(transaction.commit().await.map_err(failed("rating a module"))?)
    }

    async fn count_deployment(&self, module: ModuleId, deployment: DeploymentId) -> Result<(), CatalogError> {
        let mut transaction = begin(&self.pool).await?;
        must_exist(&mut transaction, module).await?;
        let counted = sqlx::query(
            "INSERT INTO catalog_deployments (module, deployment) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(module.as_bytes().as_slice())
        .bind(deployment.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed("counting a deployment"))?;
        if counted.rows_affected() > 0 {
            sqlx::query("UPDATE catalog_listings SET deployments = deployments + 1 WHERE id = ?")
                .bind(module.as_bytes().as_slice())
                .execute(&mut *transaction)
                .await
                .map_err(failed("counting a deployment"))?;
        }
        Ok(transaction.commit().await.map_err(failed("counting a deployment"))?)
    }
}

async fn must_exist(connection: &mut SqliteConnection, module: ModuleId) -> Result<(), CatalogError> {
    let found = sqlx::query("SELECT 1 FROM catalog_listings WHERE id = ?")
        .bind(module.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(failed("looking for a listing"))?;
    found.map(|_| ()).ok_or(CatalogError::NotFound)
}
