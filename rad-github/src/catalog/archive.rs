//! The sources of published modules by their digest.

use async_trait::async_trait;
use rad_core::catalog::{ARCHIVE_LIMIT, CatalogError, SourceArchive};
use rad_core::error::BackendError;
use rad_core::source::{Digest, SourceTree};
use sqlx::sqlite::SqlitePool;

use super::packed;
use crate::sqlite::{column, failed};

/// A [`SourceArchive`] in a SQLite file, compressed.
///
/// What is stored is the very bytes that [`SourceTree::digest`] is taken of, so that reading checks all of it.
#[derive(Debug, Clone)]
pub struct SqliteArchive {
    pool: SqlitePool,
}

impl SqliteArchive {
    /// The archive in a database that [`open`](crate::sqlite::open) opened or [`migrate`](crate::sqlite::migrate)
    /// prepared.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl SourceArchive for SqliteArchive {
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
        sqlx::query("INSERT INTO catalog_archives (digest, packed) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(digest.as_bytes().as_slice())
            .bind(packed)
            .execute(&self.pool)
            .await
            .map_err(failed("storing a source"))?;
        Ok(digest)
    }

    async fn load(&self, digest: &Digest) -> Result<SourceTree, CatalogError> {
        let row = sqlx::query("SELECT packed FROM catalog_archives WHERE digest = ?")
            .bind(digest.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a source"))?;
        let packed: Vec<u8> = column(&row.ok_or(CatalogError::NotFound)?, "packed", Some)?;
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
