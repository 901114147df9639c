//! Small readings that pages need beside what a use case gives: names behind ids, what a deployment was charged.

use std::collections::{BTreeSet, HashMap};

use super::{Actor, Parts, PlatformError};
use crate::access::Role;
use crate::catalog::CatalogError;
use crate::directory::AccountQuery;
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::ledger::EntryQuery;
use crate::money::Credits;
use crate::revenue::{Bucket, EntryKind, Place};

impl Parts {
    /// The partners whose names contain a word; of very many the first ones.
    pub(super) async fn partners_named(&self, word: &str) -> Result<BTreeSet<AccountId>, PlatformError> {
        let (text, role) = (Some(word.to_owned()), Some(Role::Partner));
        let query = AccountQuery { text, role, after: None, limit: AccountQuery::MOST };
        let found = self.directory.accounts(&query).await?.items.into_iter();
        // The directory looks through e-mails too, which are nobody's business here.
        Ok(found
            .filter(|account| account.name.to_lowercase().contains(word))
            .map(|account| account.id)
            .collect())
    }
}

impl Actor {
    /// The names of modules that revenue or deployments shown to the account speak of, on offer or not; ids of no module
    /// are left out.
    ///
    /// # Errors
    /// A failure of a backend.
    pub async fn module_names(&self, ids: &[ModuleId]) -> Result<HashMap<ModuleId, String>, PlatformError> {
        let mut names = HashMap::new();
        for id in ids {
            if names.contains_key(id) {
                continue;
            }
            match self.parts.catalog.listing(*id).await {
                Ok(listing) => drop(names.insert(*id, listing.name)),
                Err(CatalogError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(names)
    }

    /// What the last charge of a deployment took of awarded and of purchased credits; `None` if nothing was charged.
    ///
    /// # Errors
    /// [`NotFound`](PlatformError::NotFound) for deployments not shown to the account.
    pub async fn charge_of(&self, id: DeploymentId) -> Result<Option<(Credits, Credits)>, PlatformError> {
        let deployment = self.visible_deployment(id).await?;
        let query = EntryQuery {
            kind: Some(EntryKind::Capture),
            deployment: Some(id),
            limit: 1,
            ..EntryQuery::new(deployment.owner)
        };
        let charge = self.parts.ledger.entries(&query).await?.items.pop();
        Ok(charge.map(|posted| {
            let spent = |bucket| {
                let moves = posted
                    .effect
                    .moves
                    .iter()
                    .filter(|step| step.to == Place::Spent && step.bucket == bucket);
                moves.fold(Credits::ZERO, |sum, step| sum.checked_add(step.credits).unwrap_or(sum))
            };
            (spent(Bucket::Awarded), spent(Bucket::Purchased))
        }))
    }
}
