//! The catalogue: which modules are published, by whom, at which commit, and who may see them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use crate::access::Publisher;
use crate::error::BackendError;
use crate::group::GroupName;
use crate::id::{AccountId, ModuleId};
use crate::module::{Manifest, Values};
use crate::page::{Cursor, Page};
use crate::source::{CommitId, Digest, SourceTree};

/// What a listing offers: one module directory at one commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// The repository it was read from, as its source names it.
    pub repository: String,
    /// The commit it is pinned to.
    pub commit: CommitId,
    /// The digest of the module's directory, under which its source is archived.
    pub digest: Digest,
    /// What the source declares, its metadata as the publisher's answers change it.
    pub manifest: Manifest,
    /// The publisher's answers to the variables of group 0.
    pub values: Values,
}

/// How people took to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModuleStats {
    /// Deployments that reached success at least once.
    pub deployments: u64,
    /// How many accounts rated it.
    pub ratings: u64,
    /// The sum of their stars.
    pub stars: u64,
}

impl ModuleStats {
    /// The average of the stars in thousandths, rounded down; 0 while nobody rated.
    pub fn average_milli_stars(&self) -> u64 {
        self.stars.saturating_mul(1000).checked_div(self.ratings).unwrap_or(0)
    }
}

/// A module in the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Stable over revisions, and over withdrawing and publishing again.
    pub id: ModuleId,
    /// Whose module it is.
    pub publisher: Publisher,
    /// The module's directory name: unique per publisher.
    pub name: String,
    /// What is offered now, or was last.
    pub revision: Revision,
    /// Whether it is on offer; a withdrawn listing is kept for the deployments made from it.
    pub published: bool,
    /// How people took to it.
    pub stats: ModuleStats,
    /// When this revision was published.
    pub updated_at: DateTime<Utc>,
}

impl Listing {
    /// What a search looks through, in lower case: the name on the first line, each service on one of its own, and after an
    /// empty line the description.
    pub fn search_text(&self) -> String {
        search_text(&self.name, &self.revision.manifest)
    }
}

/// The [`search_text`](Listing::search_text) of a module that is not a listing yet.
pub fn search_text(name: &str, manifest: &Manifest) -> String {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = line(name);
    for service in
        manifest.metadata.services.iter().map(|service| line(service)).filter(|line| !line.is_empty())
    {
        text.push('\n');
        text.push_str(&service);
    }
    text.push_str("\n\n");
    text.push_str(&manifest.description);
    text.to_lowercase()
}

/// One step of a sync, applied together with the others or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum CatalogChange {
    /// Publishes a module that is not on offer; a withdrawn listing of that name comes back with its id.
    Publish {
        /// The module's directory name.
        name: String,
        /// What is offered.
        revision: Revision,
    },
    /// Moves a published module to another revision.
    Update {
        /// The listing.
        module: ModuleId,
        /// What is offered from now on.
        revision: Revision,
    },
    /// Takes a published module off the catalogue.
    Withdraw {
        /// The listing.
        module: ModuleId,
    },
    /// Changes no listing, and makes every sync planned before a stale one.
    Outdate,
}

/// Who looks at the catalogue: decides which listings are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The account.
    pub account: AccountId,
    /// Its e-mail, which modules can trust.
    pub email: String,
    /// The groups it is a member of, which modules can trust.
    pub groups: BTreeSet<GroupName>,
    /// Whether it sees every listing.
    pub sees_all: bool,
}

impl Viewer {
    /// Whether the viewer may see and deploy `listing`: platform modules, public modules, the viewer's own and those
    /// that trust the viewer, by e-mail or by a group of the listing's publisher or of the platform.
    pub fn sees(&self, listing: &Listing) -> bool {
        let metadata = &listing.revision.manifest.metadata;
        self.sees_all
            || listing.publisher == Publisher::Platform
            || listing.publisher == Publisher::Partner(self.account)
            || metadata.public_access
            || metadata
                .trusted_users
                .iter()
                .chain(&metadata.shared_users)
                .any(|email| email.eq_ignore_ascii_case(&self.email))
            || metadata.trusted_groups.iter().any(|name| {
                let owners = [listing.publisher, Publisher::Platform];
                owners.into_iter().any(|owner| self.groups.contains(&GroupName::new(owner, name)))
            })
    }
}

/// The order of a catalogue page. Ties fall back to the name, then the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogSort {
    /// The viewer's pins first.
    #[default]
    Pinned,
    /// Most deployed first.
    Deployments,
    /// Best rated first.
    Rating,
    /// By name.
    Name,
}

/// Which listings to show.
#[derive(Debug, Clone)]
pub struct CatalogQuery {
    /// Who asks.
    pub viewer: Viewer,
    /// Only platform modules (`true`) or only partners' (`false`).
    pub platform: bool,
    /// Only listings whose name, description, services or publisher's name contain every word of this, whatever the case:
    /// those that hold all of them in the name first, then those that hold them in name, services and publisher's name.
    pub text: String,
    /// The partners whose names contain a word of the text, by [word](Self::words): catalogues know publishers by their ids.
    pub publishers: BTreeMap<String, BTreeSet<AccountId>>,
    /// The order among those that answer the text as well.
    pub sort: CatalogSort,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// How many at the most; backends cap it at 200.
    pub limit: u32,
}

impl CatalogQuery {
    /// The most words of a query that count.
    pub const MAX_WORDS: usize = 16;

    /// The words that a listing's [`search_text`](Listing::search_text) or publisher must hold; what comes after the first 16 words or
    /// 200 characters is ignored.
    pub fn words(&self) -> Vec<String> {
        let text: String = self.text.chars().take(200).collect();
        text.to_lowercase().split_whitespace().take(Self::MAX_WORDS).map(str::to_owned).collect()
    }

    /// How well a listing answers the text: 0 with its name alone, 1 with its services and its publisher, 2 with its description;
    /// `None` if it lacks a word.
    pub fn relevance(&self, listing: &Listing) -> Option<u8> {
        let text = listing.search_text();
        let (name, _) = text.split_once('\n').unwrap_or((&text, ""));
        let (labels, _) = text.split_once("\n\n").unwrap_or((&text, ""));
        let class = |word: &String| {
            let of_publisher = || {
                let named = self.publishers.get(word);
                named
                    .zip(listing.publisher.partner())
                    .is_some_and(|(named, partner)| named.contains(&partner))
            };
            if name.contains(word.as_str()) {
                Some(0)
            } else if labels.contains(word.as_str()) || of_publisher() {
                Some(1)
            } else {
                text.contains(word.as_str()).then_some(2)
            }
        };
        self.words().iter().try_fold(0, |worst: u8, word| Some(worst.max(class(word)?)))
    }

    /// The number of cards on the page: what was asked for, from 1 to 200.
    pub fn page_size(&self) -> u32 {
        self.limit.clamp(1, 200)
    }
}

/// A listing as one viewer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The listing.
    pub listing: Listing,
    /// Whether the viewer pinned it.
    pub pinned: bool,
    /// The viewer's own stars, 1 to 5.
    pub my_stars: Option<u8>,
}

impl Card {
    /// What a page is sorted by before the name, the largest first; 0 where only the name counts.
    pub fn rank(&self, sort: CatalogSort) -> u64 {
        match sort {
            CatalogSort::Pinned => u64::from(self.pinned),
            CatalogSort::Deployments => self.listing.stats.deployments,
            CatalogSort::Rating => self.listing.stats.average_milli_stars(),
            CatalogSort::Name => 0,
        }
    }
}

/// Stores the catalogue.
///
/// # Contract
/// - [`apply`](Self::apply) is all or nothing, and refuses with [`CatalogError::Stale`] when the publisher's catalogue
///   moved on since `expected` was read: of two racing syncs one wins and the other plans anew.
/// - Names are unique per publisher; publishers never touch each other's listings.
/// - The version of a publisher's catalogue is 0 before the first sync and grows with every one that changes something.
/// - Times are kept to the microsecond.
/// - A withdrawn listing is still found by its id, and keeps its statistics.
#[async_trait]
pub trait ModuleCatalog: Send + Sync + fmt::Debug {
    /// The publisher's listings, withdrawn ones included, in the order of names, and the version of that list.
    async fn catalogue_of(&self, publisher: Publisher) -> Result<(u64, Vec<Listing>), CatalogError>;

    /// The listings on offer under these names, of every publisher, whoever may see them; in no order.
    async fn named(&self, names: &[String]) -> Result<Vec<Listing>, CatalogError>;

    /// Applies a sync and gives the new version.
    ///
    /// # Errors
    /// [`Stale`](CatalogError::Stale), [`NameTaken`](CatalogError::NameTaken), [`NotFound`](CatalogError::NotFound)
    /// for a module that is not this publisher's.
    async fn apply(
        &self,
        publisher: Publisher,
        expected: u64,
        changes: &[CatalogChange],
        at: DateTime<Utc>,
    ) -> Result<u64, CatalogError>;

    /// The listing with this id, on offer or not.
    ///
    /// # Errors
    /// [`NotFound`](CatalogError::NotFound).
    async fn listing(&self, id: ModuleId) -> Result<Listing, CatalogError>;

    /// A page of the listings on offer that the viewer may see (see [`Viewer::sees`]).
    async fn search(&self, query: &CatalogQuery) -> Result<Page<Card>, CatalogError>;

    /// Pins or unpins a listing for an account; doing so twice changes nothing.
    ///
    /// # Errors
    /// [`NotFound`](CatalogError::NotFound).
    async fn pin(&self, account: AccountId, module: ModuleId, pinned: bool) -> Result<(), CatalogError>;

    /// Sets an account's stars for a module; a second rating replaces the first.
    ///
    /// # Errors
    /// [`NotFound`](CatalogError::NotFound), [`Stars`](CatalogError::Stars) outside 1 to 5.
    async fn rate(&self, account: AccountId, module: ModuleId, stars: u8) -> Result<(), CatalogError>;

    /// Counts a deployment of the module, once for each `deployment` named.
    ///
    /// # Errors
    /// [`NotFound`](CatalogError::NotFound).
    async fn count_deployment(
        &self,
        module: ModuleId,
        deployment: crate::id::DeploymentId,
    ) -> Result<(), CatalogError>;
}

/// The most content that one archived source may have, in bytes: 32 MiB.
pub const ARCHIVE_LIMIT: u64 = 32 << 20;

/// Keeps the sources of published modules by their digest, so that a revoked token or a deleted repository never
/// blocks a later destroy.
///
/// # Contract
/// - What is read back has the digest asked for, checked at every reading.
/// - Storing what is there already changes nothing.
#[async_trait]
pub trait SourceArchive: Send + Sync + fmt::Debug {
    /// Stores a tree and gives its digest.
    ///
    /// # Errors
    /// [`TooLarge`](CatalogError::TooLarge) above [`ARCHIVE_LIMIT`].
    async fn store(&self, tree: &SourceTree) -> Result<Digest, CatalogError>;

    /// The tree with this digest.
    ///
    /// # Errors
    /// [`NotFound`](CatalogError::NotFound); a [`Backend`](CatalogError::Backend) failure of kind corrupt if what is
    /// stored has another digest.
    async fn load(&self, digest: &Digest) -> Result<SourceTree, CatalogError>;
}

/// What a catalogue refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// No such listing or archived source.
    #[error("no such module")]
    NotFound,
    /// The catalogue changed since it was read.
    #[error("the catalogue changed meanwhile (version {actual}, not {expected}): look at a fresh plan")]
    Stale {
        /// The version the changes were planned on.
        expected: u64,
        /// The version there is.
        actual: u64,
    },
    /// The publisher offers a module of this name already.
    #[error("a module named {name:?} is published already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A rating outside 1 to 5.
    #[error("stars must be 1 to 5, not {stars}")]
    Stars {
        /// What was given.
        stars: u8,
    },
    /// A source over the limit.
    #[error("the module's source has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// Bytes in the source.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// What the backend stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
