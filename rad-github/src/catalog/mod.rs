//! Published modules, and the archive of their sources, in either database.

mod archive;
mod packed;
mod rows;
mod search;
mod sync;

pub use archive::SqlArchive;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::access::Publisher;
use rad_core::catalog::{Card, CatalogChange, CatalogError, CatalogQuery, Listing, ModuleCatalog};
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::page::Page;
use rad_sql::{Database, Transaction, sql};

const READING: &str = "reading a catalogue";

/// A [`ModuleCatalog`] in a SQLite file or a PostgreSQL database.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::catalog::{ModuleCatalog as _, Publisher};
/// use rad_github::SqlCatalog;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("rad.db");
/// let database = rad_sql::sqlite::open(&path).await?.into();
/// rad_github::migrate(&database).await?;
/// let catalog = SqlCatalog::new(database);
/// let (version, listings) = catalog.catalogue_of(Publisher::Platform).await?;
/// assert_eq!((version, listings.len()), (0, 0));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqlCatalog {
    database: Database,
}

impl SqlCatalog {
    /// The catalogue in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl ModuleCatalog for SqlCatalog {
    async fn catalogue_of(&self, publisher: Publisher) -> Result<(u64, Vec<Listing>), CatalogError> {
        // One snapshot: the version belongs to the list it is given with.
        let mut snapshot = self.database.snapshot().await?;
        let version = sync::version(&mut snapshot, publisher).await?;
        let list = sql("SELECT * FROM catalog_listings WHERE publisher = $1 ORDER BY name").bind(publisher);
        let listings = list.rows(&mut snapshot, READING).await?;
        Ok((version, listings.iter().map(rows::listing).collect::<Result<_, _>>()?))
    }

    async fn named(&self, names: &[String]) -> Result<Vec<Listing>, CatalogError> {
        let mut listings = Vec::new();
        // One statement takes only so many values.
        for names in names.chunks(500) {
            let mut list = sql("SELECT * FROM catalog_listings WHERE published AND name IN (");
            for (place, name) in names.iter().enumerate() {
                list.push(if place == 0 { "" } else { ", " }).push_bind(name);
            }
            list.push(")");
            for row in list.rows(&self.database, READING).await? {
                listings.push(rows::listing(&row)?);
            }
        }
        Ok(listings)
    }

    async fn apply(
        &self,
        publisher: Publisher,
        expected: u64,
        changes: &[CatalogChange],
        at: DateTime<Utc>,
    ) -> Result<u64, CatalogError> {
        let mut transaction = self.database.begin().await?;
        let version = sync::apply(&mut transaction, publisher, expected, changes, at).await?;
        transaction.commit("applying a sync").await?;
        Ok(version)
    }

    async fn listing(&self, id: ModuleId) -> Result<Listing, CatalogError> {
        let find = sql("SELECT * FROM catalog_listings WHERE id = $1").bind(id);
        let row = find.optional(&self.database, "reading a listing").await?;
        Ok(rows::listing(&row.ok_or(CatalogError::NotFound)?)?)
    }

    async fn search(&self, query: &CatalogQuery) -> Result<Page<Card>, CatalogError> {
        Ok(search::search(&self.database, query).await?)
    }

    async fn pin(&self, account: AccountId, module: ModuleId, pinned: bool) -> Result<(), CatalogError> {
        let during = "pinning a module";
        let mut transaction = self.database.begin().await?;
        take(&mut transaction, module).await?;
        let change = if pinned {
            "INSERT INTO catalog_pins (account, module) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM catalog_pins WHERE account = $1 AND module = $2"
        };
        sql(change).bind(account).bind(module).execute(&mut transaction, during).await?;
        Ok(transaction.commit(during).await?)
    }

    async fn rate(&self, account: AccountId, module: ModuleId, stars: u8) -> Result<(), CatalogError> {
        if !(1..=5).contains(&stars) {
            return Err(CatalogError::Stars { stars });
        }
        let during = "rating a module";
        let mut transaction = self.database.begin().await?;
        take(&mut transaction, module).await?;
        sql("INSERT INTO catalog_ratings (module, account, stars) VALUES ($1, $2, $3)
             ON CONFLICT (module, account) DO UPDATE SET stars = excluded.stars")
        .bind(module)
        .bind(account)
        .bind(stars)
        .execute(&mut transaction, during)
        .await?;
        let count = sql("UPDATE catalog_listings SET
                 ratings = (SELECT count(*) FROM catalog_ratings r WHERE r.module = $1),
                 stars = (SELECT coalesce(sum(r.stars), 0) FROM catalog_ratings r WHERE r.module = $1)
             WHERE id = $1");
        count.bind(module).execute(&mut transaction, during).await?;
        Ok(transaction.commit(during).await?)
    }

    async fn count_deployment(&self, module: ModuleId, deployment: DeploymentId) -> Result<(), CatalogError> {
        let during = "counting a deployment";
        let mut transaction = self.database.begin().await?;
        take(&mut transaction, module).await?;
        let insert = sql(
            "INSERT INTO catalog_deployments (module, deployment) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        );
        if insert.bind(module).bind(deployment).execute(&mut transaction, during).await? > 0 {
            let count = sql("UPDATE catalog_listings SET deployments = deployments + 1 WHERE id = $1");
            count.bind(module).execute(&mut transaction, during).await?;
        }
        Ok(transaction.commit(during).await?)
    }
}

/// Has the listing for this transaction alone: its counts follow from rows that others may be writing.
async fn take(transaction: &mut Transaction, module: ModuleId) -> Result<(), CatalogError> {
    let find = sql("SELECT 1 FROM catalog_listings WHERE id = $1").bind(module).for_update();
    let found = find.finds(transaction, "looking for a listing").await?;
    if found { Ok(()) } else { Err(CatalogError::NotFound) }
}
