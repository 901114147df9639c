//! Following repositories: what a source tells about one is a reason to read it again, and never believed for itself.

use std::collections::BTreeSet;

use super::billing::with_role;
use super::grid::{ModuleGrid, Selection};
use super::publishing::Done;
use super::{Operations, Parts, PlatformError};
use crate::access::{Publisher, Role};
use crate::catalog::{CatalogChange, Listing};
use crate::module::module_names;
use crate::notify::{MOST_TOLD, Notice};
use crate::repo::{Head, RepoConnection, RepoError};
use crate::source::{CommitId, SourceTree};
use crate::watch::{Look, PlannedStep, StepKind, Watch};

/// How often a catalogue that somebody else changes at the same time is looked at.
const TRIES: u32 = 5;

/// What a source tells about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepoNews {
    /// A branch moved, appeared or went.
    Pushed {
        /// The branch.
        branch: String,
        /// Whether it is the repository's default branch.
        is_default: bool,
    },
    /// It is gone.
    Deleted,
    /// It has another name or owner.
    Renamed {
        /// The name it has now.
        to: String,
    },
    /// It has another default branch, other readers.
    Changed,
}

impl RepoNews {
    /// Whether it can have changed what is read through a connection.
    fn concerns(&self, connection: &RepoConnection) -> bool {
        match (self, &connection.branch) {
            (Self::Pushed { branch, .. }, Some(connected)) => branch == connected,
            (Self::Pushed { is_default, .. }, None) => *is_default,
            (Self::Deleted | Self::Renamed { .. } | Self::Changed, _) => true,
        }
    }

    /// Whether a repository that is refused like this holds no module any more. One that is not found may only be hidden
    /// from a token, unless it is said to be gone.
    fn leaves_nothing(&self, refusal: &RepoError) -> bool {
        match refusal {
            RepoError::Empty { .. } | RepoError::NoBranch { .. } | RepoError::NoDirectory { .. } => true,
            RepoError::NotFound { .. } => *self == Self::Deleted,
            _ => false,
        }
    }
}

/// What following a repository did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Followed {
    /// Modules that were taken off the catalogue.
    pub withdrawn: usize,
    /// Modules that were published anew.
    pub updated: usize,
    /// Published modules that changed and cannot be published as they are.
    pub kept: usize,
}

impl Followed {
    fn of(steps: &[PlannedStep]) -> Self {
        let count = |kind| steps.iter().filter(|step| step.kind == kind).count();
        Self {
            withdrawn: count(StepKind::Withdraw),
            updated: count(StepKind::Update),
            kept: count(StepKind::Keep),
        }
    }
}

impl Operations {
    /// Acts on what a source tells about the repository that a publisher is connected to: reads it again, with the publisher's
    /// own token, and takes the modules that are gone off the catalogue; with auto-update on, those that changed are published
    /// anew, with the publish-time values they have, unless the publisher is no partner any more. All of it or none.
    ///
    /// A repository that was renamed stays connected, under its new name, if that can be published from.
    ///
    /// Nothing is published that was not, and no deployment is touched. News that are not true, or about another repository,
    /// change nothing.
    ///
    /// # Errors
    /// A failure of a backend; the news can be told again. A publisher whose token or repository is refused keeps what is
    /// published, and that is no error.
    pub async fn follow_repository(
        &self,
        publisher: Publisher,
        repository: &str,
        news: &RepoNews,
    ) -> Result<Followed, PlatformError> {
        let parts = &self.parts;
        let connection = parts.directory.connection(publisher).await?;
        let concerned = connection.filter(|connection| {
            connection.repository.eq_ignore_ascii_case(repository) && news.concerns(connection)
        });
        let Some(connection) = concerned else { return Ok(Followed::default()) };
        let Some(watch) = parts.watches.watch(publisher).await? else { return Ok(Followed::default()) };
        match parts.follow(watch, connection, news).await {
            Ok(followed) => Ok(followed),
            Err(error) if error.backend().is_none() => {
                tracing::warn!(%publisher, repository, %error, "a repository that changed could not be followed");
                Ok(Followed::default())
            }
            Err(error) => Err(error),
        }
    }
}

impl Parts {
    async fn follow(
        &self,
        watch: Watch,
        connection: RepoConnection,
        news: &RepoNews,
    ) -> Result<Followed, PlatformError> {
        let mut watch = self.watch_of(watch, &connection).await?;
        if let RepoNews::Renamed { to } = news {
            watch.connection.repository = to.clone();
            let repo = self.open(watch.publisher, &watch.connection).await?;
            repo.check_publishing().await?;
            repo.head().await?;
            self.directory.set_connection(watch.publisher, Some(&watch.connection)).await?;
            self.watches.begin(&watch).await?;
        }
        let connection = watch.connection.clone();
        let (watch, followed) = self.look(watch, &connection, news).await?;
        self.watches.looked(&watch).await?;
        Ok(followed)
    }

    /// Brings a publisher's catalogue up to what the connected repository holds, unless the watch saw that already; gives the
    /// watch as it is afterwards.
    pub(super) async fn look(
        &self,
        mut watch: Watch,
        connection: &RepoConnection,
        news: &RepoNews,
    ) -> Result<(Watch, Followed), PlatformError> {
        let mut tries = 1;
        let (commit, followed) = loop {
            match self.catch_up(&watch, connection, news).await {
                // Somebody else changed the catalogue meanwhile.
                Err(PlatformError::PlanChanged) if tries < TRIES => tries += 1,
                other => break other?,
            }
        };
        watch.last = Look { read_at: Some(self.clock.now()), commit, failures: 0, problem: None };
        Ok((watch, followed))
    }

    async fn catch_up(
        &self,
        watch: &Watch,
        connection: &RepoConnection,
        news: &RepoNews,
    ) -> Result<(Option<CommitId>, Followed), PlatformError> {
        let publisher = watch.publisher;
        // The catalogue first: what is published or connected while the repository is read makes this version a stale one.
        let (version, listings) = self.catalog.catalogue_of(publisher).await?;
        if self.directory.connection(publisher).await?.as_ref() != Some(connection) {
            return Ok((None, Followed::default()));
        }
        if !listings.iter().any(|listing| listing.published) {
            return Ok((None, Followed::default()));
        }
        let (head, tree) = match self.read_unless(publisher, connection, watch.last.commit.as_ref()).await {
            Ok((head, Some(tree))) => (Some(head), tree),
            Ok((head, None)) => return Ok((Some(head.commit), Followed::default())),
            Err(PlatformError::Repo(refusal)) if news.leaves_nothing(&refusal) => {
                (None, SourceTree::default())
            }
            Err(error) => return Err(error),
        };
        let commit = head.as_ref().map(|head| head.commit.clone());
        let followed = match head {
            Some(head) if watch.auto_update && self.may_publish(publisher).await? => {
                let scan = self.scan_tree(publisher, connection, head, &tree).await;
                let repository = connection.repository.clone();
                let grid = ModuleGrid::of(publisher, repository, scan, (version, listings));
                self.update(&grid, &tree).await?
            }
            _ => {
                let repository = &connection.repository;
                let done = Done { publisher, repository, commit: commit.as_ref(), by: None };
                self.withdraw_all_but(&module_names(&tree), done, version, &listings).await?
            }
        };
        Ok((commit, followed))
    }

    /// Brings what is published up to what is in the repository.
    async fn update(&self, grid: &ModuleGrid, tree: &SourceTree) -> Result<Followed, PlatformError> {
        let steps = self.without_circles(grid, grid.update_steps()).await?;
        let done = self.carry_out(grid, tree, steps, &Selection::default(), None).await?;
        self.tell_kept(grid, &done.steps).await?;
        Ok(Followed::of(&done.steps))
    }

    /// Tells whoever publishes which modules could not be updated, once for each commit.
    async fn tell_kept(&self, grid: &ModuleGrid, steps: &[PlannedStep]) -> Result<(), PlatformError> {
        let kept: Vec<&PlannedStep> = steps.iter().filter(|step| step.kind == StepKind::Keep).collect();
        if kept.is_empty() {
            return Ok(());
        }
        let notice = Notice::ModulesKept {
            repository: grid.repository.clone(),
            commit: grid.head.commit.clone(),
            modules: kept.len() as u64,
            steps: kept.into_iter().take(MOST_TOLD).cloned().collect(),
        };
        let key = format!("kept:{}:{}", grid.repository, grid.head.commit);
        let told = match grid.publisher {
            Publisher::Partner(partner) => vec![partner],
            Publisher::Platform => with_role(self, Role::Admin).await?,
        };
        for account in told {
            self.notifier.notify(account, &key, &notice, self.clock.now()).await?;
        }
        Ok(())
    }

    /// The head of what a publisher is connected to, and the tree there, read with the publisher's token.
    pub(super) async fn read(
        &self,
        publisher: Publisher,
        connection: &RepoConnection,
    ) -> Result<(Head, SourceTree), PlatformError> {
        let (head, tree) = self.read_unless(publisher, connection, None).await?;
        Ok((head, tree.unwrap_or_default()))
    }

    /// The same; no tree if the head is at a commit that is `known`.
    async fn read_unless(
        &self,
        publisher: Publisher,
        connection: &RepoConnection,
        known: Option<&CommitId>,
    ) -> Result<(Head, Option<SourceTree>), PlatformError> {
        let repo = self.open(publisher, connection).await?;
        let head = repo.head().await?;
        if known == Some(&head.commit) {
            return Ok((head, None));
        }
        let tree = repo.tree(&head).await?;
        Ok((head, Some(tree)))
    }

    /// Takes what is not among `found` off a publisher's catalogue, and makes everything stale that was planned for what was
    /// connected before.
    pub(super) async fn begin_anew(
        &self,
        found: &BTreeSet<&str>,
        done: Done<'_>,
    ) -> Result<(), PlatformError> {
        let mut tries = 1;
        loop {
            let (version, listings) = self.catalog.catalogue_of(done.publisher).await?;
            let (mut changes, steps) = withdrawals(found, &listings);
            changes.push(CatalogChange::Outdate);
            match self.change_catalogue(done, version, &changes, &steps).await {
                Err(PlatformError::PlanChanged) if tries < TRIES => tries += 1,
                other => return other.map(drop),
            }
        }
    }

    /// Takes what is not among `found` off a publisher's catalogue, as it stood at `version`.
    async fn withdraw_all_but(
        &self,
        found: &BTreeSet<&str>,
        done: Done<'_>,
        version: u64,
        listings: &[Listing],
    ) -> Result<Followed, PlatformError> {
        let (changes, steps) = withdrawals(found, listings);
        self.change_catalogue(done, version, &changes, &steps).await?;
        Ok(Followed::of(&steps))
    }
}

/// What takes the modules that are not among `found` off a catalogue, and says why.
fn withdrawals(found: &BTreeSet<&str>, listings: &[Listing]) -> (Vec<CatalogChange>, Vec<PlannedStep>) {
    let gone = listings.iter().filter(|listing| listing.published && !found.contains(listing.name.as_str()));
    gone.map(|listing| (CatalogChange::Withdraw { module: listing.id }, PlannedStep::gone(&listing.name)))
        .unzip()
}
