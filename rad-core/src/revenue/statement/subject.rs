//! What a statement is about, and whose share it counts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::{ChargeTerms, EntryKey, RevenueLine, Totals};
use super::Period;
use crate::id::{AccountId, ModuleId, ParseIdError};
use crate::money::Rate;

/// What a statement is about, and whose share it counts. Written as its kind, a colon and the id: `partner:018f…`, or
/// `platform`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Subject {
    /// Charges of modules a partner published: the partner's share.
    Partner(AccountId),
    /// Charges of accounts an agent referred: the agent's share.
    Agent(AccountId),
    /// Charges of a module: everybody's shares, which are the gross.
    Module(ModuleId),
    /// Charges to a payer: everybody's shares, which are the gross.
    Account(AccountId),
    /// All charges: the platform's share.
    Platform,
}

impl Subject {
    /// Who earns the shares that a statement counts, as in its column `payee`: `partner:` or `agent:` and an id,
    /// `platform`, or `all` where the shares are everybody's.
    pub fn payee(self) -> String {
        match self {
            Self::Partner(_) | Self::Agent(_) | Self::Platform => self.to_string(),
            Self::Module(_) | Self::Account(_) => "all".to_owned(),
        }
    }

    /// Whether a charge to `account` at these terms, and all that becomes of it, belongs into the statement.
    pub fn concerns(self, account: AccountId, terms: &ChargeTerms) -> bool {
        match self {
            Self::Partner(partner) => terms.publisher == Some(partner),
            Self::Agent(agent) => terms.agent == Some(agent),
            Self::Module(module) => terms.module == module,
            Self::Account(payer) => account == payer,
            Self::Platform => true,
        }
    }

    /// The share of sums that the subject counts, in minor units.
    pub const fn share_of(self, totals: &Totals) -> i64 {
        match self {
            Self::Partner(_) => totals.partner,
            Self::Agent(_) => totals.agent,
            Self::Module(_) | Self::Account(_) => totals.gross,
            Self::Platform => totals.platform,
        }
    }

    pub(super) fn concerns_line(self, line: &RevenueLine) -> bool {
        match self {
            Self::Partner(partner) => line.publisher == Some(partner),
            Self::Agent(agent) => line.agent_account == Some(agent),
            Self::Module(module) => line.module == module,
            Self::Account(payer) => line.account == payer,
            Self::Platform => true,
        }
    }

    pub(super) const fn share_of_line(self, line: &RevenueLine) -> i64 {
        match self {
            Self::Partner(_) => line.partner,
            Self::Agent(_) => line.agent,
            Self::Module(_) | Self::Account(_) => line.gross,
            Self::Platform => line.platform,
        }
    }

    /// The rate of the share at these terms, in basis points.
    pub(super) fn rate_at(self, terms: &ChargeTerms) -> u16 {
        let all = Rate::FULL.basis_points();
        let (partner, agent) = terms.points();
        match self {
            Self::Partner(_) => partner,
            Self::Agent(_) => agent,
            Self::Module(_) | Self::Account(_) => all,
            Self::Platform => all.saturating_sub(partner).saturating_sub(agent),
        }
    }

    pub(super) fn statement_id(self, period: Period) -> String {
        let (start, end) = (period.start().timestamp_micros(), period.end().timestamp_micros());
        let parts = [self.to_string().into_bytes(), start.to_be_bytes().to_vec(), end.to_be_bytes().to_vec()];
        EntryKey::derive("statement", &parts.each_ref().map(Vec::as_slice)).to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partner(id) => write!(f, "partner:{id}"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::Module(id) => write!(f, "module:{id}"),
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Platform => f.write_str("platform"),
        }
    }
}

impl FromStr for Subject {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match text.split_once(':') {
            Some(("partner", id)) => id.parse().map(Self::Partner),
            Some(("agent", id)) => id.parse().map(Self::Agent),
            Some(("module", id)) => id.parse().map(Self::Module),
            Some(("account", id)) => id.parse().map(Self::Account),
            None if text == "platform" => Ok(Self::Platform),
            _ => Err(ParseIdError::new("Subject", text)),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_round_trip_as_text() {
        let id = "018f3c5e-7a00-7000-8000-000000000001";
        for text in
            [format!("partner:{id}"), format!("agent:{id}"), format!("module:{id}"), format!("account:{id}")]
        {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
        assert_eq!("platform".parse(), Ok(Subject::Platform));
        for bad in ["", "partner", "partner:", "platform:", "owner:x", id] {
            assert!(bad.parse::<Subject>().is_err(), "{bad}");
        }
    }
}
