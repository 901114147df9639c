//! The catalogue in memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::catalog::{
    Card, CatalogChange, CatalogError, CatalogQuery, CatalogSort, Listing, ModuleCatalog, ModuleStats,
    Publisher, Revision,
};
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::page::{Cursor, Page};

/// A [`ModuleCatalog`] that lasts as long as the process.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rad_core::catalog::CatalogError> {
/// use rad_core::catalog::{ModuleCatalog, Publisher};
/// use rad_core::memory::MemoryCatalog;
///
/// let catalog = MemoryCatalog::default();
/// assert_eq!(catalog.catalogue_of(Publisher::Platform).await?, (0, vec![]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    tables: Mutex<Tables>,
}

#[derive(Debug, Clone, Default)]
struct Tables {
    versions: HashMap<Publisher, u64>,
    listings: HashMap<ModuleId, Listing>,
    /// By publisher and name, which is the order of a publisher's catalogue.
    names: HashMap<Publisher, BTreeMap<String, ModuleId>>,
    pins: HashSet<(AccountId, ModuleId)>,
    ratings: HashMap<(AccountId, ModuleId), u8>,
    deployments: HashSet<(ModuleId, DeploymentId)>,
}

impl MemoryCatalog {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn listing_mut(&mut self, id: ModuleId) -> Result<&mut Listing, CatalogError> {
        self.listings.get_mut(&id).ok_or(CatalogError::NotFound)
    }

    fn offered_mut(&mut self, publisher: Publisher, id: ModuleId) -> Result<&mut Listing, CatalogError> {
        let listing = self.listing_mut(id)?;
        let offered = listing.published && listing.publisher == publisher;
        offered.then_some(listing).ok_or(CatalogError::NotFound)
    }

    fn change(
        &mut self,
        publisher: Publisher,
        change: &CatalogChange,
        at: DateTime<Utc>,
    ) -> Result<(), CatalogError> {
        match change {
            CatalogChange::Publish { name, revision } => return self.publish(publisher, name, revision, at),
            CatalogChange::Update { module, revision } => {
                let listing = self.offered_mut(publisher, *module)?;
                listing.revision = revision.clone();
                listing.updated_at = at;
            }
            CatalogChange::Withdraw { module } => self.offered_mut(publisher, *module)?.published = false,
            CatalogChange::Outdate => {}
        }
        Ok(())
    }

    fn publish(
        &mut self,
        publisher: Publisher,
        name: &str,
        revision: &Revision,
        at: DateTime<Utc>,
    ) -> Result<(), CatalogError> {
        let known = self.names.entry(publisher).or_default();
        let id = *known.entry(name.to_owned()).or_insert_with(ModuleId::new);
        let listing = self.listings.entry(id).or_insert_with(|| Listing {
            id,
            publisher,
            name: name.to_owned(),
            revision: revision.clone(),
            published: false,
            stats: ModuleStats::default(),
            updated_at: at,
        });
        if listing.published {
            return Err(CatalogError::NameTaken { name: name.to_owned() });
        }
        listing.revision = revision.clone();
        listing.published = true;
        listing.updated_at = at;
        Ok(())
    }

    fn card(&self, listing: &Listing, viewer: AccountId) -> Card {
        Card {
            listing: listing.clone(),
            pinned: self.pins.contains(&(viewer, listing.id)),
            my_stars: self.ratings.get(&(viewer, listing.id)).copied(),
        }
    }

    /// The place in the listing that a cursor stands for; `None` if this catalogue did not make it.
    fn place(&self, cursor: &Cursor) -> Option<SortKey<'_>> {
        let mut parts = cursor.as_str().splitn(3, ':');
        let (class, rank, id) = (parts.next()?, parts.next()?, parts.next()?);
        let listing = self.listings.get(&id.parse().ok()?)?;
        Some((class.parse().ok()?, Reverse(rank.parse().ok()?), &listing.name, listing.id))
    }
}

/// What pages are sorted by.
type SortKey<'a> = (u8, Reverse<u64>, &'a str, ModuleId);

fn sort_key((class, card): &(u8, Card), sort: CatalogSort) -> SortKey<'_> {
    (*class, Reverse(card.rank(sort)), &card.listing.name, card.listing.id)
}

#[async_trait]
impl ModuleCatalog for MemoryCatalog {
    async fn catalogue_of(&self, publisher: Publisher) -> Result<(u64, Vec<Listing>), CatalogError> {
        let tables = self.tables();
        let version = tables.versions.get(&publisher).copied().unwrap_or(0);
        let ids = tables.names.get(&publisher).into_iter().flat_map(BTreeMap::values);
        Ok((version, ids.filter_map(|id| tables.listings.get(id)).cloned().collect()))
    }

    async fn named(&self, names: &[String]) -> Result<Vec<Listing>, CatalogError> {
        let tables = self.tables();
        let offered = tables.listings.values().filter(|listing| listing.published);
        Ok(offered.filter(|listing| names.contains(&listing.name)).cloned().collect())
    }

    async fn apply(
        &self,
        publisher: Publisher,
        expected: u64,
        changes: &[CatalogChange],
        at: DateTime<Utc>,
    ) -> Result<u64, CatalogError> {
        let mut tables = self.tables();
        let actual = tables.versions.get(&publisher).copied().unwrap_or(0);
        if actual != expected {
            return Err(CatalogError::Stale { expected, actual });
        }
        if changes.is_empty() {
            return Ok(actual);
        }
        let mut changed = tables.clone();
        for change in changes {
            changed.change(publisher, change, at)?;
        }
        changed.versions.insert(publisher, actual + 1);
        *tables = changed;
        Ok(actual + 1)
    }

    async fn listing(&self, id: ModuleId) -> Result<Listing, CatalogError> {
        self.tables().listings.get(&id).cloned().ok_or(CatalogError::NotFound)
    }

    async fn search(&self, query: &CatalogQuery) -> Result<Page<Card>, CatalogError> {
        let tables = self.tables();
        let mut cards: Vec<(u8, Card)> = tables
            .listings
            .values()
            .filter(|listing| listing.published && query.viewer.sees(listing))
            .filter(|listing| (listing.publisher == Publisher::Platform) == query.platform)
            .filter_map(|listing| {
                Some((query.relevance(listing)?, tables.card(listing, query.viewer.account)))
            })
            .collect();
        if let Some(place) = query.after.as_ref().and_then(|cursor| tables.place(cursor)) {
            cards.retain(|card| sort_key(card, query.sort) > place);
        }
        cards.sort_by(|a, b| sort_key(a, query.sort).cmp(&sort_key(b, query.sort)));
        let size = query.page_size() as usize;
        let more = cards.len() > size;
        cards.truncate(size);
        let last = cards.last().filter(|_| more);
        let next = last.map(|(class, card)| {
            Cursor::new(format!("{class}:{}:{}", card.rank(query.sort), card.listing.id))
        });
        Ok(Page::one_way(cards.into_iter().map(|(_, card)| card).collect(), next))
    }

    async fn pin(&self, account: AccountId, module: ModuleId, pinned: bool) -> Result<(), CatalogError> {
        let mut tables = self.tables();
        tables.listing_mut(module)?;
        if pinned {
            tables.pins.insert((account, module));
        } else {
            tables.pins.remove(&(account, module));
        }
        Ok(())
    }

    async fn rate(&self, account: AccountId, module: ModuleId, stars: u8) -> Result<(), CatalogError> {
        if !(1..=5).contains(&stars) {
            return Err(CatalogError::Stars { stars });
        }
        let mut tables = self.tables();
        tables.listing_mut(module)?;
        let before = tables.ratings.insert((account, module), stars);
        let stats = &mut tables.listing_mut(module)?.stats;
        stats.ratings += u64::from(before.is_none());
        stats.stars = stats.stars + u64::from(stars) - u64::from(before.unwrap_or(0));
        Ok(())
    }

    async fn count_deployment(&self, module: ModuleId, deployment: DeploymentId) -> Result<(), CatalogError> {
        let mut tables = self.tables();
        tables.listing_mut(module)?;
        if tables.deployments.insert((module, deployment)) {
            tables.listing_mut(module)?.stats.deployments += 1;
        }
        Ok(())
    }
}
