//! Small readings that pages need beside what a use case gives: names behind ids, what a deployment was charged.

use std::collections::HashMap;

use super::{Actor, PlatformError};
use crate::catalog::CatalogError;
use crate::id::{DeploymentId, ModuleId};
use crate::ledger::EntryQuery;
use crate::money::Credits;
use crate::revenue::{Bucket, EntryKind, Place};

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
