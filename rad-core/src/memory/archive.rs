//! Archived sources in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::catalog::{ARCHIVE_LIMIT, CatalogError, SourceArchive};
use crate::source::{Digest, SourceTree};

/// A [`SourceArchive`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryArchive {
    trees: Mutex<HashMap<Digest, SourceTree>>,
}

#[async_trait]
impl SourceArchive for MemoryArchive {
    async fn store(&self, tree: &SourceTree) -> Result<Digest, CatalogError> {
        let size = tree.content_bytes();
        if size > ARCHIVE_LIMIT {
            return Err(CatalogError::TooLarge { size, limit: ARCHIVE_LIMIT });
        }
        let digest = tree.digest();
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.entry(digest).or_insert_with(|| tree.clone());
        Ok(digest)
    }

    async fn load(&self, digest: &Digest) -> Result<SourceTree, CatalogError> {
        let trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.get(digest).cloned().ok_or(CatalogError::NotFound)
    }
}
