//! Entries, revenue lines and heads as rows: made, read back, and compared column by column.

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{Posted, Topic};
use rad_core::revenue::{Effect, Entry, EntryKey, RevenueLine};
use rad_core::source::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{FromRow, Row};

use super::micros::Micros;
use crate::database::{bytes, failed, time};

/// A row of `ledger_entries`.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct EntryRow {
    pub(super) account: Vec<u8>,
    pub(super) seq: i64,
    pub(super) at: Micros,
    pub(super) key: Vec<u8>,
    pub(super) actor: Option<Vec<u8>>,
    pub(super) kind: String,
    pub(super) category: Option<String>,
    pub(super) deployment: Option<String>,
    pub(super) body: String,
    pub(super) effect: String,
    pub(super) hash: Vec<u8>,
}

/// A row of `ledger_lines`.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct LineRow {
    pub(super) account: Vec<u8>,
    pub(super) entry: i64,
    pub(super) place: i64,
    pub(super) at: Micros,
    pub(super) partner: Option<Vec<u8>>,
    pub(super) agent: Option<Vec<u8>>,
    pub(super) module: Vec<u8>,
    pub(super) gross: i64,
    pub(super) partner_share: i64,
    pub(super) agent_share: i64,
    pub(super) platform_share: i64,
    pub(super) line: String,
}

/// A row of `ledger_accounts`: the account after its last entry.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct HeadRow {
    pub(super) account: Vec<u8>,
    pub(super) seq: i64,
    pub(super) hash: Vec<u8>,
    /// Totals and debts: the state without what has rows of its own.
    pub(super) state: String,
}

impl EntryRow {
    pub(super) fn of(posted: &Posted) -> Result<Self, BackendError> {
        let Posted { entry, topic, .. } = posted;
        Ok(Self {
            account: entry.account.as_bytes().to_vec(),
            seq: number(entry.seq)?,
            at: Micros(entry.at.timestamp_micros()),
            key: entry.key.as_bytes().to_vec(),
            actor: entry.actor.map(|actor| actor.as_bytes().to_vec()),
            kind: entry.body.kind().to_owned(),
            category: topic.category.map(|category| category.as_str().to_owned()),
            deployment: topic.deployment.map(|deployment| deployment.to_string()),
            body: json(&entry.body)?,
            effect: json(&posted.effect)?,
            hash: posted.hash.as_bytes().to_vec(),
        })
    }

    pub(super) fn read<'r, R: Row>(row: &'r R) -> Result<Self, BackendError>
    where
        Self: FromRow<'r, R>,
    {
        Self::from_row(row).map_err(failed("reading an entry"))
    }

    pub(super) fn posted(&self) -> Result<Posted, BackendError> {
        let posted = self.posted_without_effect()?;
        Ok(Posted { effect: from_json("effect", &self.effect)?, ..posted })
    }

    /// As [`posted`](Self::posted), with an effect that says nothing.
    pub(super) fn posted_without_effect(&self) -> Result<Posted, BackendError> {
        let category = self.category.as_deref().map(|text| parsed("category", text.parse().ok()));
        let deployment = self.deployment.as_deref().map(|text| parsed("deployment", text.parse().ok()));
        let topic = Topic { category: category.transpose()?, deployment: deployment.transpose()? };
        let hash = parsed("hash", bytes(&self.hash).map(Digest::from_bytes))?;
        Ok(Posted { entry: self.entry()?, hash, effect: Effect::default(), topic, repeated: false })
    }

    /// Which entry it is, for messages.
    pub(super) fn place(&self) -> String {
        let account = bytes(&self.account).map(AccountId::from_bytes);
        let account = account.map_or_else(|| "without an id".to_owned(), |account| account.to_string());
        format!("entry {} of account {account}", self.seq)
    }

    /// The entry alone: what it did follows from the engine.
    pub(super) fn entry(&self) -> Result<Entry, BackendError> {
        let id = |stored: &[u8]| bytes(stored).map(AccountId::from_bytes);
        Ok(Entry {
            account: parsed("account", id(&self.account))?,
            seq: parsed("seq", u64::try_from(self.seq).ok())?,
            at: parsed("at", time(self.at.0))?,
            key: parsed("key", bytes(&self.key).map(EntryKey::from_bytes))?,
            actor: self.actor.as_deref().map(|actor| parsed("actor", id(actor))).transpose()?,
            body: from_json("body", &self.body)?,
        })
    }

    /// The columns in which two rows differ.
    pub(super) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let columns = [
            ("account", self.account == other.account),
            ("seq", self.seq == other.seq),
            ("at", self.at == other.at),
            ("key", self.key == other.key),
            ("actor", self.actor == other.actor),
            ("kind", self.kind == other.kind),
            ("category", self.category == other.category),
            ("deployment", self.deployment == other.deployment),
            ("body", self.body == other.body),
            ("effect", self.effect == other.effect),
            ("hash", self.hash == other.hash),
        ];
        columns.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

impl LineRow {
    pub(super) fn of(place: usize, line: &RevenueLine) -> Result<Self, BackendError> {
        Ok(Self {
            account: line.account.as_bytes().to_vec(),
            entry: number(line.entry)?,
            place: number(place as u64)?,
            at: Micros(line.at.timestamp_micros()),
            partner: line.publisher.map(|partner| partner.as_bytes().to_vec()),
            agent: line.agent_account.map(|agent| agent.as_bytes().to_vec()),
            module: line.module.as_bytes().to_vec(),
            gross: line.gross,
            partner_share: line.partner,
            agent_share: line.agent,
            platform_share: line.platform,
            line: json(line)?,
        })
    }

    pub(super) fn read<'r, R: Row>(row: &'r R) -> Result<Self, BackendError>
    where
        Self: FromRow<'r, R>,
    {
        Self::from_row(row).map_err(failed("reading a revenue line"))
    }

    pub(super) fn revenue_line(&self) -> Result<RevenueLine, BackendError> {
        from_json("line", &self.line)
    }
}

/// A number of an entry as databases keep it.
pub(super) fn number(number: u64) -> Result<i64, BackendError> {
    i64::try_from(number).map_err(|error| BackendError::permanent("numbering an entry", error))
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, BackendError> {
    serde_json::to_string(value).map_err(|error| BackendError::permanent("writing a column", error))
}

pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, BackendError> {
    serde_json::from_str(text)
        .map_err(|error| BackendError::corrupt("reading a row", format!("column {column}: {error}")))
}

fn parsed<T>(column: &'static str, value: Option<T>) -> Result<T, BackendError> {
    value.ok_or_else(|| BackendError::corrupt("reading a row", format!("column {column} has no valid value")))
}
