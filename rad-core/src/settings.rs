//! The platform's settings, with their bounds.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::BackendError;
use crate::id::AccountId;
use crate::money::{Credits, CreditsPerUnit, Currency, Rate};

/// The most partners with a share of their own: all of them go into every version of the share rules.
const MOST_RATES: usize = 1_000;

/// What finance and admins set. A change counts from its moment on, never backwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The currency credits are sold in; fixed after the first purchase.
    pub currency: Currency,
    /// Credits for one unit of the currency; fixed after the first purchase.
    pub credits_per_unit: CreditsPerUnit,
    /// Awarded credits a new account starts with: 0 to 100 000.
    pub signup_credits: Credits,
    /// A partner's share of the true revenue of own modules.
    pub partner_revenue_share: Rate,
    /// Partners with a share of their own in place of `partner_revenue_share`: at most 1 000.
    pub partner_rates: BTreeMap<AccountId, Rate>,
    /// An agent's share of the true revenue from accounts the agent referred.
    pub agent_revenue_share: Rate,
    /// Whether deployments cost credits at all.
    pub enable_credits: bool,
    /// Whether credits can be bought.
    pub enable_purchases: bool,
    /// Whether partners deploy their own modules free.
    pub own_modules_free: bool,
    /// Whether the credits of allowances earn revenue, at `credits_per_unit`.
    pub allowance_earns_revenue: bool,
    /// Whether purchased credits yield their worth at `credits_per_unit` in place of what was paid for them.
    pub revenue_at_price: bool,
    /// Whether partners have the revenue page.
    pub partner_revenue_page: bool,
    /// Whether agents have the revenue page.
    pub agent_revenue_page: bool,
    /// One organisation's own installation: partners read all deployments, and everybody may deploy every module.
    pub private_mode: bool,
}

impl Settings {
    /// Checks every bound, and those between settings.
    ///
    /// # Errors
    /// [`SettingsError::Invalid`] with the first field out of its bounds.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let most = Credits::from_micros(100_000 * 1_000_000);
        if self.signup_credits < Credits::ZERO || self.signup_credits > most {
            return Err(SettingsError::Invalid {
                field: "signup_credits",
                value: self.signup_credits.to_string(),
                bounds: "0 to 100000",
            });
        }
        self.validate_shares()
    }

    /// A partner's share: the own one, where there is one.
    pub fn partner_share(&self, partner: AccountId) -> Rate {
        self.partner_rates.get(&partner).copied().unwrap_or(self.partner_revenue_share)
    }

    fn validate_shares(&self) -> Result<(), SettingsError> {
        let fits = |partner: Rate| {
            partner.basis_points() + self.agent_revenue_share.basis_points() <= Rate::FULL.basis_points()
        };
        if !fits(self.partner_revenue_share) {
            return Err(SettingsError::Invalid {
                field: "agent_revenue_share",
                value: self.agent_revenue_share.to_string(),
                bounds: "0 % to what partner_revenue_share leaves of 100 %",
            });
        }
        if self.partner_rates.len() > MOST_RATES {
            return Err(SettingsError::Invalid {
                field: "partner_rates",
                value: format!("{} of them", self.partner_rates.len()),
                bounds: "at most 1000",
            });
        }
        match self.partner_rates.iter().find(|(_, share)| !fits(**share)) {
            None => Ok(()),
            Some((partner, share)) => Err(SettingsError::Invalid {
                field: "partner_rates",
                value: format!("{share} for {partner}"),
                bounds: "0 % to what agent_revenue_share leaves of 100 %",
            }),
        }
    }
}

/// Settings as they stand, and who set them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VersionedSettings {
    /// Counts changes, from 0 for the defaults.
    pub version: u32,
    /// The settings.
    pub settings: Settings,
    /// Who set them; `None` for the defaults.
    pub by: Option<AccountId>,
    /// Since when they count; `None` for the defaults.
    pub since: Option<DateTime<Utc>>,
}

/// Stores settings, every version of them.
///
/// # Contract
/// - Versions are gapless and never change once stored; of two racing changes one wins.
#[async_trait]
pub trait SettingsStore: Send + Sync + fmt::Debug {
    /// The settings in force.
    async fn current(&self) -> Result<VersionedSettings, SettingsError>;

    /// Puts settings in force, as version `expected + 1`.
    ///
    /// # Errors
    /// [`Invalid`](SettingsError::Invalid), [`Stale`](SettingsError::Stale) if `expected` is not the version in force.
    async fn save(
        &self,
        expected: u32,
        settings: &Settings,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<VersionedSettings, SettingsError>;

    /// Every version that was in force, newest first, at most `limit`.
    async fn history(&self, limit: u32) -> Result<Vec<VersionedSettings>, SettingsError>;
}

/// What a settings store refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A value out of its bounds.
    #[error("{field} must be {bounds}, not {value}")]
    Invalid {
        /// The setting.
        field: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        bounds: &'static str,
    },
    /// Somebody else changed the settings meanwhile.
    #[error("the settings were changed meanwhile (version {actual}, not {expected}): look at them again")]
    Stale {
        /// The version that was read.
        expected: u32,
        /// The version in force.
        actual: u32,
    },
    /// What the store stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            currency: Currency::USD,
            credits_per_unit: CreditsPerUnit::default(),
            signup_credits: Credits::ZERO,
            partner_revenue_share: Rate::default(),
            partner_rates: BTreeMap::new(),
            agent_revenue_share: Rate::default(),
            enable_credits: true,
            enable_purchases: true,
            own_modules_free: false,
            allowance_earns_revenue: false,
            revenue_at_price: false,
            partner_revenue_page: true,
            agent_revenue_page: true,
            private_mode: false,
        }
    }
}
