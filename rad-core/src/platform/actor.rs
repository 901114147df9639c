//! A signed-in account, and what its roles allow.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{Parts, PlatformError};
use crate::access::{Publisher, Role, Roles};
use crate::catalog::Viewer;
use crate::directory::Account;
use crate::id::AccountId;

/// An account that acts, with the roles stored for it when it was built. All use cases of people are its methods.
#[derive(Debug, Clone)]
pub struct Actor {
    pub(super) parts: Arc<Parts>,
    account: Account,
    /// On whose behalf it was chosen to publish.
    pub(super) publishing: Option<Publisher>,
}

/// Something that roles allow or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Publish modules of one's own.
    Publish,
    /// Publish platform modules.
    PublishForPlatform,
    /// Deploy modules.
    Deploy,
    /// See everybody's deployments.
    SeeAllDeployments,
    /// Act on everybody's deployments.
    ChangeAllDeployments,
    /// See some revenue.
    SeeRevenue,
    /// See all revenue.
    SeeAllRevenue,
    /// Change the credit settings.
    ChangeCreditSettings,
    /// Change all settings.
    ChangeAllSettings,
    /// Change balances of other accounts.
    AwardCredits,
    /// List accounts.
    SeeAccounts,
    /// Make accounts and change their roles.
    ChangeAccounts,
}

impl Capability {
    fn granted_to(self, roles: Roles) -> bool {
        let needed: &[Role] = match self {
            Self::Publish => &[Role::Partner],
            Self::PublishForPlatform
            | Self::ChangeAccounts
            | Self::ChangeAllDeployments
            | Self::ChangeAllSettings => &[Role::Admin],
            Self::Deploy => return roles != Roles::default(),
            Self::SeeAllDeployments => &[Role::Admin, Role::Support],
            Self::SeeRevenue => &[Role::Admin, Role::Finance, Role::Partner, Role::Agent],
            Self::SeeAllRevenue | Self::ChangeCreditSettings | Self::AwardCredits | Self::SeeAccounts => {
                &[Role::Admin, Role::Finance]
            }
        };
        roles.has_any(needed)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish modules",
            Self::PublishForPlatform => "publish platform modules",
            Self::Deploy => "deploy modules",
            Self::SeeAllDeployments => "see the deployments of others",
            Self::ChangeAllDeployments => "change the deployments of others",
            Self::SeeRevenue => "see revenue",
            Self::SeeAllRevenue => "see all revenue",
            Self::ChangeCreditSettings => "change credit settings",
            Self::ChangeAllSettings => "change settings other than those of credits",
            Self::AwardCredits => "change the balances of others",
            Self::SeeAccounts => "list accounts",
            Self::ChangeAccounts => "change accounts",
        })
    }
}

impl Actor {
    pub(super) fn new(parts: Arc<Parts>, account: Account) -> Self {
        Self { parts, account, publishing: None }
    }

    /// The account that acts.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The id of the account that acts.
    pub fn id(&self) -> AccountId {
        self.account.id
    }

    /// Whether the account's roles allow it.
    pub fn can(&self, capability: Capability) -> bool {
        capability.granted_to(self.account.roles)
    }

    /// Refuses what the account's roles do not allow.
    pub(super) fn require(&self, capability: Capability) -> Result<(), PlatformError> {
        if self.can(capability) { Ok(()) } else { Err(PlatformError::Forbidden { capability }) }
    }

    /// Who the account is when it looks at the catalogue: staff read every module.
    pub(super) async fn reader(&self, private_mode: bool) -> Result<Viewer, PlatformError> {
        let reads_all = self.account.roles.has_any(&[Role::Admin, Role::Finance, Role::Support]);
        self.viewer(private_mode || reads_all).await
    }

    /// Who the account is when it deploys: in private mode everybody deploys every module, otherwise only admins do.
    pub(super) async fn deployer(&self, private_mode: bool) -> Result<Viewer, PlatformError> {
        self.viewer(private_mode || self.account.roles.has(Role::Admin)).await
    }

    async fn viewer(&self, sees_all: bool) -> Result<Viewer, PlatformError> {
        let email = self.account.email.clone();
        let groups = if sees_all { BTreeSet::new() } else { self.parts.groups.groups_of(&email).await? };
        Ok(Viewer { account: self.account.id, email, groups, sees_all })
    }
}
