//! The history of share rules: which were in force when, and whether a charge followed them.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{AccountState, Body, ChargeTerms, Entry, PLATFORM_ACCOUNT, RevenueBasis, ShareRules, Violation};

/// The share rules of a platform over time, built from the entries of [`PLATFORM_ACCOUNT`], first to last.
///
/// Rules are in force from their effective time until that of rules with a higher version. Where several have begun, the
/// highest version counts: rules that were to begin later can so be replaced before they do.
///
/// ```
/// use std::sync::Arc;
///
/// use rad_core::money::Currency;
/// use rad_core::revenue::{
///     AccountState, Body, EntryKey, PLATFORM_ACCOUNT, RevenueBasis, Rounding, ShareHistory, ShareRules,
/// };
///
/// let noon = "2026-10-01T12:00:00Z".parse()?;
/// let rules = ShareRules {
///     version: 1,
///     effective: noon,
///     currency: Currency::USD,
///     partner_share: "20".parse()?,
///     agent_share: "5".parse()?,
///     overrides: Vec::new(),
///     basis: RevenueBasis::LotCost,
///     allowance_earns: None,
///     rounding: Rounding::default(),
/// };
/// let body = Body::ShareRules(Arc::new(rules));
/// let entry = AccountState::new(PLATFORM_ACCOUNT).draft(noon, EntryKey::derive("rules", &[]), None, body);
/// let history = ShareHistory::of([&entry])?;
/// assert_eq!(history.at(noon).map(|rules| rules.version), Some(1));
/// assert_eq!(history.at("2026-09-30T12:00:00Z".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareHistory {
    state: AccountState,
    /// In the order of versions, which is that of entries: 1, 2, 3 …
    periods: Vec<Period>,
}

/// Rules, and when later ones took their place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Period {
    rules: Arc<ShareRules>,
    until: DateTime<Utc>,
}

impl ShareHistory {
    /// How long after a change a charge may still carry the rules it replaced: its terms were read just before, and in a
    /// platform of several machines clocks differ. Once rules were replaced for longer, a charge at them is wrong.
    pub const UNDER_WAY: TimeDelta = TimeDelta::seconds(60);

    /// A history without rules.
    pub fn new() -> Self {
        Self { state: AccountState::new(PLATFORM_ACCOUNT), periods: Vec::new() }
    }

    /// The history that these entries of the platform account tell.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, Violation> {
        let mut history = Self::new();
        for entry in entries {
            history.add(entry)?;
        }
        Ok(history)
    }

    /// Adds the next entry of the platform account, through the engine.
    ///
    /// # Errors
    /// Why the engine refuses it; the history is as before.
    pub fn add(&mut self, entry: &Entry) -> Result<(), Violation> {
        self.state.apply(entry)?;
        if let Body::ShareRules(rules) = &entry.body {
            for earlier in &mut self.periods {
                earlier.until = earlier.until.min(rules.effective);
            }
            self.periods.push(Period { rules: Arc::clone(rules), until: DateTime::<Utc>::MAX_UTC });
        }
        Ok(())
    }

    /// The rules in force at a time; `None` before the first ones.
    pub fn at(&self, at: DateTime<Utc>) -> Option<&Arc<ShareRules>> {
        self.periods.iter().rev().map(|period| &period.rules).find(|rules| rules.effective <= at)
    }

    /// The rules of a version.
    pub fn version(&self, version: u32) -> Option<&Arc<ShareRules>> {
        self.period(version).map(|period| &period.rules)
    }

    /// All rules, oldest first.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Arc<ShareRules>> {
        self.periods.iter().map(|period| &period.rules)
    }

    /// Checks that a charge has the terms of the rules it names, and that those were in force at its time or up to
    /// [`UNDER_WAY`](Self::UNDER_WAY) before it. Other entries carry no terms and pass.
    ///
    /// # Errors
    /// [`TermsError`]; fields are compared with the rules that the charge names, where those were in force, otherwise
    /// with those that were.
    pub fn check(&self, entry: &Entry) -> Result<(), TermsError> {
        let Body::Capture(capture) = &entry.body else { return Ok(()) };
        let named = self.period(capture.terms.rule_version).filter(|period| period.covers(entry.at));
        let Some(rules) = named.map(|period| &period.rules).or_else(|| self.at(entry.at)) else {
            let first = self.rules().map(|rules| rules.effective).min();
            return Err(TermsError::NoRules { at: entry.at, first });
        };
        let differences = differences(rules, &capture.terms);
        if differences.is_empty() { Ok(()) } else { Err(TermsError::Differ { differences }) }
    }

    fn period(&self, version: u32) -> Option<&Period> {
        self.periods.get(usize::try_from(version.checked_sub(1)?).ok()?)
    }
}

impl Default for ShareHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl Period {
    fn covers(&self, at: DateTime<Utc>) -> bool {
        let end = self.until.checked_add_signed(ShareHistory::UNDER_WAY).unwrap_or(self.until);
        // Rules replaced before they began were never in force.
        self.rules.effective <= at && at <= end && self.rules.effective <= self.until
    }
}

/// Why the terms of a charge are not those of the share rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TermsError {
    /// The history has no rules that were in force at the charge's time, so nothing says what is right.
    #[error("no share rules were in force at {at}: {}", match first {
        Some(first) => format!("the first ones begin at {first}"),
        None => "the history has none".to_owned(),
    })]
    NoRules {
        /// The charge's time.
        at: DateTime<Utc>,
        /// When the first rules begin; `None` for a history without rules.
        first: Option<DateTime<Utc>>,
    },
    /// Terms that the rules do not give.
    #[error("{}", Listed(differences))]
    Differ {
        /// Each field that is not as the rules say.
        differences: Vec<TermDifference>,
    },
}

/// A field of a charge's terms that is not as the share rules say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TermDifference {
    /// The field of [`ChargeTerms`].
    pub field: &'static str,
    /// What the rules say.
    pub expected: String,
    /// What the charge carries.
    pub actual: String,
}

struct Listed<'a>(&'a [TermDifference]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the terms are not those of the share rules: ")?;
        for (index, TermDifference { field, expected, actual }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{field} is {actual}, not {expected}")?;
        }
        Ok(())
    }
}

/// Shares that nobody earns are not compared: they decide nothing.
fn differences(rules: &ShareRules, terms: &ChargeTerms) -> Vec<TermDifference> {
    let mut found = Vec::new();
    differ(&mut found, "rule_version", rules.version, terms.rule_version, |version| version.to_string());
    if let Some(partner) = terms.publisher {
        differ(&mut found, "partner_share", rules.share_of(partner), terms.partner_share, |rate| {
            rate.to_string()
        });
    }
    if terms.agent.is_some() {
        differ(&mut found, "agent_share", rules.agent_share, terms.agent_share, |rate| rate.to_string());
    }
    differ(&mut found, "basis", rules.basis, terms.basis, |basis| match basis {
        RevenueBasis::LotCost => "what was paid for the lot".to_owned(),
        RevenueBasis::CreditsPerUnit(price) => format!("{price} credits per unit"),
    });
    differ(&mut found, "allowance_earns", rules.allowance_earns, terms.allowance_earns, |price| {
        price.map_or_else(|| "nothing".to_owned(), |price| format!("{price} credits per unit"))
    });
    differ(&mut found, "rounding", rules.rounding, terms.rounding, |rule| rule.as_str().to_owned());
    differ(&mut found, "currency", rules.currency, terms.currency, |currency| currency.to_string());
    found
}

fn differ<T: Copy + PartialEq>(
    found: &mut Vec<TermDifference>,
    field: &'static str,
    expected: T,
    actual: T,
    text: impl Fn(T) -> String,
) {
    if expected != actual {
        found.push(TermDifference { field, expected: text(expected), actual: text(actual) });
    }
}
