//! Roles, which add up on one account, and on whose behalf modules are published.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ParseIdError};

/// What an account may do; an account can hold several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// All revenue, costs, invoices and balances; tiers and credit settings.
    Finance,
    /// Reads all modules and deployments.
    Support,
    /// Publishes modules and earns a share of what they charge.
    Partner,
    /// Refers users and earns a share of what they are charged.
    Agent,
    /// Deploys modules.
    User,
}

impl Role {
    /// Every role, in the order shown to people.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Finance, Self::Support, Self::Partner, Self::Agent, Self::User];

    /// The role's name, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Finance => "finance",
            Self::Support => "support",
            Self::Partner => "partner",
            Self::Agent => "agent",
            Self::User => "user",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| ParseIdError::new("Role", text))
    }
}

/// A set of roles.
///
/// ```
/// use rad_core::access::{Role, Roles};
///
/// let roles = Roles::from([Role::Partner, Role::Agent]);
/// assert!(roles.has(Role::Agent) && !roles.has(Role::Admin));
/// assert_eq!(roles.to_string(), "partner, agent");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Role>", into = "Vec<Role>")]
pub struct Roles(u8);

impl Roles {
    /// Whether the set holds `role`.
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// Whether the set holds any of `roles`.
    pub fn has_any(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.has(*role))
    }

    /// The set with `role` in it.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// The set without `role`.
    #[must_use]
    pub const fn without(self, role: Role) -> Self {
        Self(self.0 & !(1 << role as u8))
    }

    /// The roles in the set.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl<I: IntoIterator<Item = Role>> From<I> for Roles {
    fn from(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

impl From<Roles> for Vec<Role> {
    fn from(roles: Roles) -> Self {
        roles.iter().collect()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, role) in self.iter().enumerate() {
            write!(f, "{}{role}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Whose module a listing is. Written as `platform` or as the id of the partner's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Publisher {
    /// The platform's own repository; it earns no partner share.
    Platform,
    /// A partner's repository.
    Partner(AccountId),
}

impl Publisher {
    /// The partner behind the listing.
    pub fn partner(self) -> Option<AccountId> {
        match self {
            Self::Platform => None,
            Self::Partner(account) => Some(account),
        }
    }

    /// The bytes that databases know it by: those of the partner's account, none for the platform.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Platform => &[],
            Self::Partner(account) => account.as_bytes(),
        }
    }

    /// The publisher that these bytes stand for, if they stand for one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::Platform);
        }
        Some(Self::Partner(AccountId::from_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.pad("platform"),
            Self::Partner(account) => account.fmt(f),
        }
    }
}

impl FromStr for Publisher {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text == "platform" { Ok(Self::Platform) } else { text.parse().map(Self::Partner) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_come_back_from_text_and_bytes() {
        for publisher in [Publisher::Platform, Publisher::Partner(AccountId::new())] {
            assert_eq!(publisher.to_string().parse(), Ok(publisher));
            assert_eq!(Publisher::from_bytes(publisher.as_bytes()), Some(publisher));
        }
        assert!("platforms".parse::<Publisher>().is_err());
        assert_eq!(Publisher::from_bytes(&[1, 2]), None);
    }
}
