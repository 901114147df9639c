//! Listings as rows.

use rad_core::catalog::{Card, Listing, ModuleStats, Revision};
use rad_core::error::BackendError;
use rad_sql::Row;

/// The listing in a row of `catalog_listings`.
pub(super) fn listing(row: &Row) -> Result<Listing, BackendError> {
    Ok(Listing {
        id: row.get("id")?,
        publisher: row.get("publisher")?,
        name: row.get("name")?,
        revision: Revision {
            repository: row.get("repository")?,
            commit: row.parse("commit_id")?,
            digest: row.get("digest")?,
            manifest: row.json("manifest")?,
            values: row.json("publish_values")?,
        },
        published: row.get("published")?,
        stats: ModuleStats {
            deployments: row.get("deployments")?,
            ratings: row.get("ratings")?,
            stars: row.get("stars")?,
        },
        updated_at: row.get("updated_at")?,
    })
}

/// The card in a row of the search.
pub(super) fn card(row: &Row) -> Result<Card, BackendError> {
    Ok(Card { listing: listing(row)?, pinned: row.get("pinned")?, my_stars: row.get("my_stars")? })
}
