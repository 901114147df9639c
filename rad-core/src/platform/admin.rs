//! What admins and finance do: accounts, awards, settings.

use uuid::Uuid;

use super::{Actor, Capability, PlatformError, billing, sharing};
use crate::access::{Role, Roles};
use crate::directory::{Account, AccountQuery, DirectoryError, NewAccount};
use crate::id::AccountId;
use crate::ledger::{LedgerError, LedgerExt, Post, Posted};
use crate::money::{Amount, Credits};
use crate::notify::Notice;
use crate::page::Page;
use crate::revenue::{Body, Bucket, EntryKey, Grant, LotSource};
use crate::settings::{Settings, VersionedSettings};

/// The most credits one award gives.
const MOST_AWARDED: Credits = Credits::from_micros(1_000_000 * 1_000_000);

impl Actor {
    /// A page of accounts.
    ///
    /// # Errors
    /// Forbidden without [`Capability::SeeAccounts`].
    pub async fn accounts(&self, query: &AccountQuery) -> Result<Page<Account>, PlatformError> {
        self.require(Capability::SeeAccounts)?;
        Ok(self.parts.directory.accounts(query).await?)
    }

    /// The account with this id: names behind the ids of revenue and deployments.
    ///
    /// # Errors
    /// Forbidden without [`Capability::SeeAccounts`], except for the account itself.
    pub async fn account_of(&self, id: AccountId) -> Result<Account, PlatformError> {
        if id != self.id() {
            self.require(Capability::SeeAccounts)?;
        }
        Ok(self.parts.directory.account(id).await?)
    }

    /// Makes an account with roles, and grants the credits of signing up.
    ///
    /// # Errors
    /// Forbidden without [`Capability::ChangeAccounts`]; what is wrong with the e-mail.
    pub async fn create_account(&self, new: NewAccount) -> Result<Account, PlatformError> {
        self.require(Capability::ChangeAccounts)?;
        billing::open_account(&self.parts, new).await
    }

    /// Replaces the roles of another account. What somebody who is no partner any more has on offer stays there as it is, and
    /// nothing new of theirs is published: [`withdraw_offer_of`](Self::withdraw_offer_of) takes it off the catalogue.
    ///
    /// # Errors
    /// Forbidden without [`Capability::ChangeAccounts`], and on oneself: so that there is always an admin left.
    pub async fn set_roles(&self, account: AccountId, roles: Roles) -> Result<(), PlatformError> {
        self.require(Capability::ChangeAccounts)?;
        if account == self.id() {
            return Err(PlatformError::Forbidden { capability: Capability::ChangeAccounts });
        }
        Ok(self.parts.directory.set_roles(account, roles).await?)
    }

    /// Awards credits to another account. The same `submission` again awards nothing more.
    ///
    /// # Errors
    /// Forbidden without [`Capability::AwardCredits`], and to oneself; [`Invalid`](PlatformError::Invalid) for an amount
    /// outside 0.000001 to 1 000 000, another amount under the same `submission`, or while credits are switched off.
    pub async fn award(
        &self,
        account: AccountId,
        credits: Credits,
        submission: Uuid,
    ) -> Result<Posted, PlatformError> {
        self.require(Capability::AwardCredits)?;
        if account == self.id() {
            return Err(PlatformError::Forbidden { capability: Capability::AwardCredits });
        }
        if credits <= Credits::ZERO || credits > MOST_AWARDED {
            let reason =
                format!("an award gives more than 0 and at most {MOST_AWARDED} credits, not {credits}");
            return Err(PlatformError::Invalid { field: "credits", reason });
        }
        if !self.settings().await?.enable_credits {
            let reason = "credits are switched off on this platform".to_owned();
            return Err(PlatformError::Invalid { field: "credits", reason });
        }
        self.parts.directory.account(account).await?;
        let at = self.parts.clock.now();
        let body = Body::Grant(Grant {
            source: LotSource::AdminAward,
            bucket: Bucket::Awarded,
            credits,
            cost: Amount::ZERO,
            paid: None,
            expires: None,
            reference: None,
        });
        let key = EntryKey::derive("award", &[submission.as_bytes()]);
        let post = Post { account, key, at, actor: Some(self.id()), body };
        let posted = self.parts.ledger.post(post).await.map_err(|error| match error {
            LedgerError::KeyReused { .. } => {
                let reason = "this form was sent before with another amount: open it anew for another award";
                PlatformError::Invalid { field: "credits", reason: reason.to_owned() }
            }
            error => error.into(),
        })?;
        let notice = Notice::CreditsAwarded { credits };
        self.parts.notifier.notify(account, &format!("award:{submission}"), &notice, at).await?;
        Ok(posted)
    }

    /// The settings in force, with their version.
    ///
    /// # Errors
    /// Forbidden without [`Capability::ChangeCreditSettings`].
    pub async fn platform_settings(&self) -> Result<VersionedSettings, PlatformError> {
        self.require(Capability::ChangeCreditSettings)?;
        Ok(self.parts.settings.current().await?)
    }

    /// Puts settings in force from now on, if `expected` is still the version in force. What they say about shares goes
    /// into the ledger; where that fails, a start or the next charge does it.
    ///
    /// # Errors
    /// Forbidden without [`Capability::ChangeCreditSettings`], and for `private_mode` without
    /// [`Capability::ChangeAllSettings`]; [`Settings`](PlatformError::Settings) naming the field out
    /// of its bounds, or that somebody else changed them; [`Invalid`](PlatformError::Invalid) for another currency or
    /// price once credits were sold, and for the rate of an account that is no partner.
    pub async fn change_settings(
        &self,
        expected: u32,
        settings: &Settings,
    ) -> Result<VersionedSettings, PlatformError> {
        self.require(Capability::ChangeCreditSettings)?;
        let now = self.parts.settings.current().await?.settings;
        if now.private_mode != settings.private_mode {
            self.require(Capability::ChangeAllSettings)?;
        }
        let repriced = [
            ("currency", now.currency != settings.currency),
            ("credits_per_unit", now.credits_per_unit != settings.credits_per_unit),
        ];
        if let Some((field, _)) = repriced.into_iter().find(|(_, changed)| *changed)
            && self.parts.orders.any_paid().await?
        {
            let reason = "it is fixed since the first credits were sold".to_owned();
            return Err(PlatformError::Invalid { field, reason });
        }
        settings.validate()?;
        self.check_partners(&now, settings).await?;
        let at = self.parts.clock.now();
        let saved = self.parts.settings.save(expected, settings, self.id(), at).await?;
        if let Err(error) = sharing::post_rules(&self.parts).await {
            tracing::warn!(%error, "the settings are saved; the share rules in the ledger will follow");
        }
        Ok(saved)
    }

    /// Whoever gets a rate of their own is a partner now. Rates that stand may stay: their accounts may have changed.
    async fn check_partners(&self, now: &Settings, settings: &Settings) -> Result<(), PlatformError> {
        for account in settings.partner_rates.keys().filter(|id| !now.partner_rates.contains_key(id)) {
            let known = match self.parts.directory.account(*account).await {
                Ok(account) => account.roles.has(Role::Partner),
                Err(DirectoryError::NotFound) => false,
                Err(error) => return Err(error.into()),
            };
            if !known {
                let reason = format!("only a partner can have a rate of their own, and {account} is none");
                return Err(PlatformError::Invalid { field: "partner_rates", reason });
            }
        }
        Ok(())
    }
}
