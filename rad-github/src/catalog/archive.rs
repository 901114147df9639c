//! The sources of published modules by their digest.

use async_trait::async_trait;
use rad_core::catalog::{ARCHIVE_LIMIT, CatalogError, SourceArchive};
use rad_core::error::BackendError;
use rad_core::source::{Digest, SourceTree};
use rad_sql::{Database, sql};

use super::packed;

/// A [`SourceArchive`] in a SQLite file or a PostgreSQL database, compressed.
///
/// What is stored is the very bytes that [`SourceTree::digest`] is taken of, so that reading checks all of it.
#[derive(Debug, Clone)]
pub struct SqlArchive {
    database: Database,
}

impl SqlArchive {
    /// The archive in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }
}

#[async_trait]
impl SourceArchive for SqlArchive {
    async fn store(&self, tree: &SourceTree) -> Result<Digest, CatalogError> {
        let size = tree.content_bytes();
        if size > ARCHIVE_LIMIT {
            return Err(CatalogError::TooLarge { size, limit: ARCHIVE_LIMIT });
        }
        let size = packed::size(tree);
        if size > packed::LIMIT {
            return Err(CatalogError::TooLarge { size, limit: packed::LIMIT });
        }
        let tree = tree.clone();
        let (digest, packed) = blocking(move || {
            let packed = packed::pack(&tree).map_err(|e| BackendError::permanent("packing a source", e))?;
            Ok((tree.digest(), packed))
        })
        .await?;
        let insert =
            sql("INSERT INTO catalog_archives (digest, packed) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        insert.bind(&digest).bind(packed).execute(&self.database, "storing a source").await?;
        Ok(digest)
    }

    async fn load(&self, digest: &Digest) -> Result<SourceTree, CatalogError> {
        let find = sql("SELECT packed FROM catalog_archives WHERE digest = $1").bind(digest);
        let row = find.optional(&self.database, "reading a source").await?;
        let packed: Vec<u8> = row.ok_or(CatalogError::NotFound)?.get("packed")?;
        let digest = *digest;
        blocking(move || {
            packed::unpack(&packed, &digest).map_err(|reason| {
                BackendError::corrupt("reading a source", format!("the archive {digest} {reason}"))
            })
        })
        .await
    }
}

/// Runs work that keeps a processor busy where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackendError> + Send + 'static,
) -> Result<T, CatalogError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.unwrap_or_else(|e| Err(BackendError::permanent("packing a source", e)))?)
}
