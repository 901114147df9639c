//! Pages of the listings that a viewer may see.

use rad_core::access::Publisher;
use rad_core::catalog::{Card, CatalogQuery, CatalogSort, Viewer};
use rad_core::error::BackendError;
use rad_core::id::ModuleId;
use rad_core::page::{Cursor, Page};
use rad_sql::{Database, Statement, sql};

use super::rows;

const SEARCHING: &str = "searching the catalogue";

pub(super) async fn search(database: &Database, query: &CatalogQuery) -> Result<Page<Card>, BackendError> {
    let viewer = query.viewer.account;
    let mut find =
        sql("SELECT l.*, p.module IS NOT NULL AS pinned, r.stars AS my_stars FROM catalog_listings l
         LEFT JOIN catalog_pins p ON p.module = l.id AND p.account = ");
    find.push_bind(viewer);
    find.push(" LEFT JOIN catalog_ratings r ON r.module = l.id AND r.account = ").push_bind(viewer);
    find.push(" WHERE l.published AND l.publisher ").push(if query.platform { "= " } else { "<> " });
    find.push_bind(Publisher::Platform);
    only_visible(&mut find, &query.viewer);
    let words = query.words();
    for word in &words {
        find.push(" AND ");
        holds(&mut find, query, word, &Within::Anything);
    }
    let rank = rank(query.sort);
    if let Some(place) = place(database, query.after.as_ref()).await? {
        find.push(" AND (");
        relevance(&mut find, query, &words);
        find.push(" > ").push_bind(place.class).push(" OR (");
        relevance(&mut find, query, &words);
        find.push(" = ").push_bind(place.class);
        find.push(" AND (").push(rank).push(" < ").push_bind(place.rank);
        find.push(" OR (").push(rank).push(" = ").push_bind(place.rank);
        find.push(" AND (l.name, l.id) > (")
            .push_bind(place.name)
            .push(", ")
            .push_bind(place.id)
            .push(")))))");
    }
    let size = query.page_size();
    find.push(" ORDER BY ");
    relevance(&mut find, query, &words);
    find.push(", ").push(rank).push(" DESC, l.name, l.id LIMIT ").push_bind(i64::from(size) + 1);
    let rows = find.rows(database, SEARCHING).await?;
    let more = rows.len() > size as usize;
    let cards: Vec<Card> = rows.iter().take(size as usize).map(rows::card).collect::<Result<_, _>>()?;
    let last = cards.last().filter(|_| more);
    let next = last.map(|card| {
        let class = query.relevance(&card.listing).unwrap_or_default();
        Cursor::new(format!("{class}:{}:{}", card.rank(query.sort), card.listing.id))
    });
    Ok(Page::one_way(cards, next))
}

/// Which part of a listing a word is looked for in.
enum Within {
    /// The first line of what is searched: the name.
    Name,
    /// Name, services, and the publisher's name.
    Labels,
    /// All of it.
    Anything,
}

/// Whether a listing holds a word.
fn holds(find: &mut Statement, query: &CatalogQuery, word: &str, within: &Within) {
    find.push("(instr(l.search_text, ").push_bind(word.to_owned()).push(") ");
    match within {
        // No word has a line feed in it, so that what begins within a part ends there.
        Within::Name => find.push("BETWEEN 1 AND instr(l.search_text, ").push_bind("\n".to_owned()).push(")"),
        Within::Labels => {
            find.push("BETWEEN 1 AND instr(l.search_text, ").push_bind("\n\n".to_owned()).push(")")
        }
        Within::Anything => find.push("> 0"),
    };
    let named =
        query.publishers.get(word).filter(|named| !named.is_empty() && !matches!(within, Within::Name));
    if let Some(named) = named {
        find.push(" OR l.publisher IN (");
        for (place, partner) in named.iter().enumerate() {
            find.push(if place == 0 { "" } else { ", " }).push_bind(Publisher::Partner(*partner));
        }
        find.push(")");
    }
    find.push(")");
}

/// The rule of [`CatalogQuery::relevance`], in SQL.
fn relevance(find: &mut Statement, query: &CatalogQuery, words: &[String]) {
    if words.is_empty() {
        // Always 0; a literal would be taken for the number of a column.
        find.push("(l.deployments - l.deployments)");
        return;
    }
    find.push("(CASE");
    for (class, within) in [("0", Within::Name), ("1", Within::Labels)] {
        find.push(" WHEN ");
        for (place, word) in words.iter().enumerate() {
            find.push(if place == 0 { "" } else { " AND " });
            holds(find, query, word, &within);
        }
        find.push(" THEN ").push(class);
    }
    find.push(" ELSE 2 END)");
}

/// The rule of [`Viewer::sees`], in SQL.
fn only_visible(find: &mut Statement, viewer: &Viewer) {
    if viewer.sees_all {
        return;
    }
    find.push(" AND (l.public_access OR l.publisher IN (").push_bind(Publisher::Platform);
    find.push(", ").push_bind(viewer.account);
    find.push(") OR EXISTS (SELECT 1 FROM catalog_trust t WHERE t.module = l.id AND t.email = ");
    find.push_bind(viewer.email.to_ascii_lowercase()).push(")");
    if !viewer.groups.is_empty() {
        find.push(" OR EXISTS (SELECT 1 FROM catalog_trusted_groups t WHERE t.module = l.id AND (");
        for (place, group) in viewer.groups.iter().enumerate() {
            find.push(if place == 0 { "(t.name = " } else { " OR (t.name = " }).push_bind(group.name());
            if group.owner() != Publisher::Platform {
                find.push(" AND l.publisher = ").push_bind(group.owner());
            }
            find.push(")");
        }
        find.push("))");
    }
    find.push(")");
}

/// The rule of [`Card::rank`], in SQL.
fn rank(sort: CatalogSort) -> &'static str {
    match sort {
        CatalogSort::Pinned => "(CASE WHEN p.module IS NULL THEN 0 ELSE 1 END)",
        CatalogSort::Deployments => "l.deployments",
        CatalogSort::Rating => "(CASE WHEN l.ratings = 0 THEN 0 ELSE l.stars * 1000 / l.ratings END)",
        // Always 0; a literal would be taken for the number of a column.
        CatalogSort::Name => "(l.deployments - l.deployments)",
    }
}

/// Where a page begins: after the card of this relevance, rank, name and id.
struct Place {
    class: i64,
    rank: i64,
    name: String,
    id: ModuleId,
}

/// The place a cursor stands for; none if this catalogue did not make it.
async fn place(database: &Database, cursor: Option<&Cursor>) -> Result<Option<Place>, BackendError> {
    let parsed = cursor.and_then(|cursor| {
        let mut parts = cursor.as_str().splitn(3, ':');
        let (class, rank, id) = (parts.next()?, parts.next()?, parts.next()?);
        Some((class.parse().ok()?, rank.parse().ok()?, id.parse::<ModuleId>().ok()?))
    });
    let Some((class, rank, id)) = parsed else { return Ok(None) };
    let find = sql("SELECT name FROM catalog_listings WHERE id = $1").bind(id);
    let row = find.optional(database, SEARCHING).await?;
    row.map(|row| Ok(Place { class, rank, name: row.get("name")?, id })).transpose()
}
