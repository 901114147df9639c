//! One record of an export: an entry, its hash, and what the books say it did.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::ledger::Posted;
use crate::revenue::{Balance, Body, Effect, Entry, EntryKey, Freeze, PLATFORM_ACCOUNT, Part, RevenueLine};
use crate::source::Digest;

/// One record of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The entry.
    pub entry: Entry,
    /// The hash recorded for it; `None` where the export leaves hashes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Digest>,
    /// What the books say it did; `None` where the export leaves that out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
}

/// What the books say an entry did. A replay must come to the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// The attribution: which lots paid for which charge; negative where that was taken back.
    pub parts: Vec<Part>,
    /// What was earned, one line for each charge concerned.
    pub lines: Vec<RecordedLine>,
    /// The balance right after the entry.
    pub balance_after: Balance,
}

/// What an entry earned on one charge, in minor units of the platform's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordedLine {
    /// The charge: the number of the entry that captured it.
    pub charge: u64,
    /// True revenue.
    pub gross: i64,
    /// The partner's share.
    pub partner: i64,
    /// The agent's share.
    pub agent: i64,
    /// What the platform keeps.
    pub platform: i64,
}

impl Record {
    /// The record of an entry with this hash and this effect.
    pub fn new(entry: Entry, hash: Digest, effect: &Effect) -> Self {
        Self { entry, hash: Some(hash), recorded: Some(effect.into()) }
    }

    /// The record of an entry in a ledger.
    pub fn of(posted: &Posted) -> Self {
        Self::new(posted.entry.clone(), posted.hash, &posted.effect)
    }
}

impl Default for Record {
    /// A record to read into. Its entry has the number 0, which no entry has.
    fn default() -> Self {
        let entry = Entry {
            account: PLATFORM_ACCOUNT,
            seq: 0,
            at: DateTime::UNIX_EPOCH,
            key: EntryKey::from_bytes([0; 16]),
            actor: None,
            body: Body::Freeze(Freeze { lot: 0 }),
        };
        Self { entry, hash: None, recorded: None }
    }
}

impl From<&Effect> for Recorded {
    fn from(effect: &Effect) -> Self {
        Self {
            parts: effect.parts.clone(),
            lines: effect.lines.iter().map(RecordedLine::from).collect(),
            balance_after: effect.balance_after,
        }
    }
}

impl From<&RevenueLine> for RecordedLine {
    fn from(line: &RevenueLine) -> Self {
        Self {
            charge: line.charge,
            gross: line.gross,
            partner: line.partner,
            agent: line.agent,
            platform: line.platform,
        }
    }
}
