//! Choosing a module, seeing what it asks and costs, deploying it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use uuid::Uuid;

use super::{Actor, Capability, PlatformError, settling};
use crate::catalog::{Card, CatalogQuery, CatalogSort, Listing, Publisher};
use crate::deployment::{Deployment, NewDeployment, RunStatus, SecretValues, Target};
use crate::id::{DeploymentId, ModuleId, RunId};
use crate::module::{CheckedValues, Values};
use crate::money::Credits;
use crate::page::{Cursor, Page};
use crate::revenue::{BurnOrder, Split};
use crate::runner::Engine;
use crate::settings::Settings;
use crate::source::CommitId;

/// The most bytes that the values of one module take, as JSON.
const MOST_VALUES: usize = 256 * 1024;

/// What the deploy form shows.
#[derive(Debug, Clone)]
pub struct DeployForm {
    /// The module; its manifest lays out the pages of the form.
    pub listing: Listing,
    /// What it takes.
    pub quote: Quote,
    /// Modules that must be deployed first, and are not.
    pub unmet: Vec<String>,
}

impl DeployForm {
    /// What the form shows to its deployer, to be sent back with it.
    pub fn offer(&self) -> Offer {
        Offer { commit: self.listing.revision.commit.clone(), cost: self.quote.cost }
    }
}

/// What a deployer agrees to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The commit that is deployed.
    pub commit: CommitId,
    /// The fee.
    pub cost: Credits,
}

/// A form that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its id: the same again gives the deployment made the first time.
    pub id: Uuid,
    /// What its deployer saw; `None` where nobody saw a form, and whatever is on offer is wanted.
    pub seen: Option<Offer>,
}

impl From<Uuid> for Submission {
    fn from(id: Uuid) -> Self {
        Self { id, seen: None }
    }
}

/// What a deployment would take, by the same code that takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// The module's fee; zero where the module or the platform is free.
    pub cost: Credits,
    /// Whether only purchased credits may pay.
    pub purchased_only: bool,
    /// How the fee splits into awarded and purchased credits, or why it cannot be paid now.
    pub split: Result<Split, QuoteRefusal>,
}

/// Why a fee cannot be paid now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteRefusal {
    /// The sentence for the person.
    pub message: String,
    /// The stable code, where there is one.
    pub code: Option<&'static str>,
}

impl Actor {
    /// A page of the modules the account may see; those that answer the text best come first, see
    /// [`CatalogQuery::text`].
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn search_modules(
        &self,
        platform: bool,
        text: &str,
        sort: CatalogSort,
        after: Option<Cursor>,
    ) -> Result<Page<Card>, PlatformError> {
        let private_mode = self.settings().await?.private_mode;
        let viewer = self.reader(private_mode).await?;
        let text = text.chars().take(200).collect();
        let mut query =
            CatalogQuery { viewer, platform, text, publishers: BTreeMap::new(), sort, after, limit: 60 };
        if !platform {
            for word in query.words() {
                let named = self.parts.partners_named(&word).await?;
                query.publishers.insert(word, named);
            }
        }
        Ok(self.parts.catalog.search(&query).await?)
    }

    /// Pins or unpins a module.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) for modules not shown to the account.
    pub async fn pin_module(&self, module: ModuleId, pinned: bool) -> Result<(), PlatformError> {
        let settings = self.settings().await?;
        let listing = self.parts.catalog.listing(module).await?;
        if !self.reader(settings.private_mode).await?.sees(&listing) {
            return Err(PlatformError::NotFound { what: "module" });
        }
        Ok(self.parts.catalog.pin(self.id(), module, pinned).await?)
    }

    /// Which engine would carry out a run.
    ///
    /// # Errors
    /// [`Runner`](PlatformError::Runner) with the page to install one from, where there is none.
    pub async fn engine(&self) -> Result<Engine, PlatformError> {
        Ok(self.parts.runner.engine().await?)
    }

    /// What the deploy form of a module shows.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) for modules the account may not deploy.
    pub async fn deploy_form(&self, module: ModuleId) -> Result<DeployForm, PlatformError> {
        let settings = self.settings().await?;
        let listing = self.deployable(module, &settings).await?;
        let quote = self.quote(&listing, &settings).await?;
        let needs = &listing.revision.manifest.metadata.dependencies;
        let unmet = settling::unmet(&self.parts, self.id(), needs).await?;
        Ok(DeployForm { listing, quote, unmet })
    }

    /// Deploys a module: checks the values, stores the deployment, holds its fee and queues its run.
    ///
    /// The same `submission` again gives the deployment made the first time.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound), [`OfferChanged`](PlatformError::OfferChanged) where the deployer saw another commit
    /// or fee, [`Values`](PlatformError::Values) with a reason for each value,
    /// [`Runner`](PlatformError::Runner) where nothing can be run, [`EngineVersion`](PlatformError::EngineVersion) where the
    /// module wants another engine, [`InsufficientPurchasedCredits`](PlatformError::InsufficientPurchasedCredits),
    /// [`InsufficientTotalCredits`](PlatformError::InsufficientTotalCredits). Whatever is refused leaves nothing behind.
    pub async fn deploy(
        &self,
        module: ModuleId,
        typed: &Values,
        submission: impl Into<Submission>,
    ) -> Result<Deployment, PlatformError> {
        self.require(Capability::Deploy)?;
        within_limit("values", typed)?;
        let settings = self.settings().await?;
        let listing = self.deployable(module, &settings).await?;
        let revision = &listing.revision;
        let cost = self.fee(&listing, &settings);
        let Submission { id: submission, seen } = submission.into();
        if seen.is_some_and(|seen| seen.commit != revision.commit || seen.cost != cost) {
            return Err(PlatformError::OfferChanged { commit: revision.commit.clone(), cost });
        }
        let id = DeploymentId::new();
        let given = platform_values(id, &self.account().email);
        let checked = revision
            .manifest
            .check(&given, &revision.values, typed)
            .map_err(|problems| PlatformError::Values { problems })?;
        self.parts.engine_for(&revision.manifest).await?;
        let (values, secrets) = split_secrets(checked);
        let target = Target {
            commit: revision.commit.clone(),
            source: revision.digest,
            values,
            secrets,
            needs: revision.manifest.metadata.dependencies.clone(),
            may_purge: revision.manifest.metadata.enable_purge,
        };
        let new = NewDeployment {
            id,
            submission,
            owner: self.id(),
            module: listing.id,
            publisher: listing.publisher,
            module_name: listing.name.clone(),
            target,
            cost,
            purchased_only: revision.manifest.metadata.require_credit_purchases,
        };
        let now = self.parts.clock.now();
        let (deployment, run) = self.parts.deployments.create(new, RunId::new(), now).await?;
        if run.status == RunStatus::Pending {
            settling::begin(&self.parts, &deployment, &run).await?;
        }
        Ok(self.parts.deployments.deployment(deployment.id).await?)
    }

    pub(super) async fn settings(&self) -> Result<Settings, PlatformError> {
        Ok(self.parts.settings.current().await?.settings)
    }

    async fn quote(&self, listing: &Listing, settings: &Settings) -> Result<Quote, PlatformError> {
        let cost = self.fee(listing, settings);
        let purchased_only = listing.revision.manifest.metadata.require_credit_purchases;
        let state = self.parts.ledger.state(self.id()).await?;
        let split = if cost == Credits::ZERO {
            Ok(Split::default())
        } else {
            state.preview(cost, BurnOrder::of_module(purchased_only), self.parts.clock.now()).map_err(
                |violation| {
                    let refusal = PlatformError::from(violation);
                    QuoteRefusal { message: refusal.to_string(), code: refusal.code() }
                },
            )
        };
        Ok(Quote { cost, purchased_only, split })
    }

    fn fee(&self, listing: &Listing, settings: &Settings) -> Credits {
        let own = listing.publisher == Publisher::Partner(self.id());
        if !settings.enable_credits || (own && settings.own_modules_free) {
            Credits::ZERO
        } else {
            listing.revision.manifest.metadata.credit_cost
        }
    }

    pub(super) async fn deployable(
        &self,
        module: ModuleId,
        settings: &Settings,
    ) -> Result<Listing, PlatformError> {
        let listing = self.parts.catalog.listing(module).await?;
        if listing.published && self.deployer(settings.private_mode).await?.sees(&listing) {
            Ok(listing)
        } else {
            Err(PlatformError::NotFound { what: "module" })
        }
    }
}

/// What the platform sets for every module that has these variables.
pub(super) fn platform_values(id: DeploymentId, creator: &str) -> Values {
    Values::from_iter([
        ("deployment_id".to_owned(), id.to_string().into()),
        ("resource_creator_identity".to_owned(), creator.into()),
    ])
}

/// Refuses values that are too much to be kept with every run.
pub(super) fn within_limit(field: &'static str, values: &Values) -> Result<(), PlatformError> {
    let size = serde_json::to_vec(values).map_or(usize::MAX, |json| json.len());
    if size <= MOST_VALUES {
        return Ok(());
    }
    let reason = format!("the values of a module take at most {MOST_VALUES} bytes as JSON, not {size}");
    Err(PlatformError::Invalid { field, reason })
}

pub(super) fn split_secrets(checked: CheckedValues) -> (Values, SecretValues) {
    let (secret, plain): (Values, Values) =
        checked.values.into_iter().partition(|(name, _)| checked.sensitive.contains(name));
    let secrets =
        secret.into_iter().map(|(name, value)| (name, SecretString::from(value.to_string()))).collect();
    (plain, secrets)
}
