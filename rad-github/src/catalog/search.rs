//! Pages of the listings that a viewer may see.

use rad_core::catalog::{Card, CatalogQuery, CatalogSort, Viewer};
use rad_core::error::BackendError;
use rad_core::id::ModuleId;
use rad_core::page::{Cursor, Page};
use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Sqlite};

use super::rows;
use crate::sqlite::{column, failed};

const SEARCHING: &str = "searching the catalogue";

pub(super) async fn search(pool: &SqlitePool, query: &CatalogQuery) -> Result<Page<Card>, BackendError> {
    let viewer = query.viewer.account.as_bytes().to_vec();
    let mut sql = QueryBuilder::new(
        "SELECT l.*, p.module IS NOT NULL AS pinned, r.stars AS my_stars FROM catalog_listings l
         LEFT JOIN catalog_pins p ON p.module = l.id AND p.account = ",
    );
    sql.push_bind(viewer.clone());
    sql.push(" LEFT JOIN catalog_ratings r ON r.module = l.id AND r.account = ").push_bind(viewer);
    sql.push(" WHERE l.published AND l.publisher ").push(if query.platform { "= x''" } else { "<> x''" });
    only_visible(&mut sql, &query.viewer);
    for word in query.words() {
        sql.push(" AND instr(l.search_text, ").push_bind(word).push(") > 0");
    }
    let rank = rank(query.sort);
    if let Some(place) = place(pool, query.after.as_ref()).await? {
        sql.push(" AND (").push(rank).push(" < ").push_bind(place.rank);
        sql.push(" OR (").push(rank).push(" = ").push_bind(place.rank);
        sql.push(" AND (l.name, l.id) > (").push_bind(place.name).push(", ").push_bind(place.id).push(")))");
    }
    let size = query.page_size();
    sql.push(" ORDER BY ").push(rank).push(" DESC, l.name, l.id LIMIT ").push_bind(i64::from(size) + 1);
    let rows = sql.build().fetch_all(pool).await.map_err(failed(SEARCHING))?;
    let more = rows.len() > size as usize;
    let cards: Vec<Card> = rows.iter().take(size as usize).map(rows::card).collect::<Result<_, _>>()?;
    let last = cards.last().filter(|_| more);
    let next = last.map(|card| Cursor::new(format!("{}:{}", card.rank(query.sort), card.listing.id)));
    Ok(Page { items: cards, next, previous: None })
}

/// The rule of [`Viewer::sees`], in SQL.
fn only_visible(sql: &mut QueryBuilder<Sqlite>, viewer: &Viewer) {
    if viewer.sees_all {
        return;
    }
    sql.push(" AND (l.publisher = x'' OR l.public_access OR l.publisher = ");
    sql.push_bind(viewer.account.as_bytes().to_vec());
    sql.push(" OR EXISTS (SELECT 1 FROM catalog_trust t WHERE t.module = l.id AND t.email = ");
    sql.push_bind(viewer.email.to_ascii_lowercase()).push("))");
}

/// The rule of [`Card::rank`], in SQL.
fn rank(sort: CatalogSort) -> &'static str {
    match sort {
        CatalogSort::Pinned => "(p.module IS NOT NULL)",
        CatalogSort::Deployments => "l.deployments",
        CatalogSort::Rating => "iif(l.ratings = 0, 0, l.stars * 1000 / l.ratings)",
        // Always 0; a literal would be taken for the number of a column.
        CatalogSort::Name => "(l.id IS NULL)",
    }
}

/// Where a page begins: after the card of this rank, name and id.
struct Place {
    rank: i64,
    name: String,
    id: Vec<u8>,
}

/// The place a cursor stands for; none if this catalogue did not make it.
async fn place(pool: &SqlitePool, cursor: Option<&Cursor>) -> Result<Option<Place>, BackendError> {
    let parsed = cursor.and_then(|cursor| {
        let (rank, id) = cursor.as_str().split_once(':')?;
        Some((rank.parse().ok()?, id.parse::<ModuleId>().ok()?))
    });
    let Some((rank, id)) = parsed else { return Ok(None) };
    let id = id.as_bytes().to_vec();
    let row = sqlx::query("SELECT name FROM catalog_listings WHERE id = ?")
        .bind(id.clone())
        .fetch_optional(pool)
        .await
        .map_err(failed(SEARCHING))?;
    row.map(|row| Ok(Place { rank, name: column(&row, "name", Some)?, id })).transpose()
}
