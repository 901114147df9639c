//! Listings as rows.

use chrono::DateTime;
use rad_core::access::Publisher;
use rad_core::catalog::{Card, Listing, ModuleStats, Revision};
use rad_core::error::BackendError;
use rad_core::id::{AccountId, ModuleId};
use rad_core::source::Digest;
use sqlx::sqlite::SqliteRow;

use crate::sqlite::column;

/// A publisher as it is stored: the partner's account, or nothing for the platform.
pub(crate) fn publisher_key(publisher: Publisher) -> Vec<u8> {
    publisher.partner().map(|partner| partner.as_bytes().to_vec()).unwrap_or_default()
}

/// The listing in a row of `catalog_listings`.
pub(super) fn listing(row: &SqliteRow) -> Result<Listing, BackendError> {
    Ok(Listing {
        id: column(row, "id", |id: &[u8]| Some(ModuleId::from_bytes(id.try_into().ok()?)))?,
        publisher: column(row, "publisher", publisher)?,
        name: column(row, "name", Some)?,
        revision: Revision {
            repository: column(row, "repository", Some)?,
            commit: column(row, "commit_id", |commit: &str| commit.parse().ok())?,
            digest: column(row, "digest", |digest: &[u8]| Some(Digest::from_bytes(digest.try_into().ok()?)))?,
            manifest: column(row, "manifest", |json: &str| serde_json::from_str(json).ok())?,
            values: column(row, "publish_values", |json: &str| serde_json::from_str(json).ok())?,
        },
        published: column(row, "published", Some)?,
        stats: ModuleStats {
            deployments: column(row, "deployments", count)?,
            ratings: column(row, "ratings", count)?,
            stars: column(row, "stars", count)?,
        },
        updated_at: column(row, "updated_at", DateTime::from_timestamp_micros)?,
    })
}

/// The card in a row of the search.
pub(super) fn card(row: &SqliteRow) -> Result<Card, BackendError> {
    Ok(Card {
        listing: listing(row)?,
        pinned: column(row, "pinned", Some)?,
        my_stars: column(row, "my_stars", Some)?,
    })
}

/// The identity of the listing in a row.
pub(super) fn id(row: &SqliteRow) -> Result<ModuleId, BackendError> {
    column(row, "id", |id: &[u8]| Some(ModuleId::from_bytes(id.try_into().ok()?)))
}

/// A count, which is never negative.
pub(super) fn count(stored: i64) -> Option<u64> {
    u64::try_from(stored).ok()
}

fn publisher(stored: &[u8]) -> Option<Publisher> {
    if stored.is_empty() {
        return Some(Publisher::Platform);
    }
    Some(Publisher::Partner(AccountId::from_bytes(stored.try_into().ok()?)))
}
