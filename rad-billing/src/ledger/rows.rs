//! Entries, revenue lines and heads as rows: made, read back, and compared column by column.

use rad_core::error::BackendError;
use rad_core::id::{AccountId, ModuleId};
use rad_core::ledger::{Posted, Topic};
use rad_core::revenue::{
    AccountState, Body, Charge, CodingError, Compact, Debt, DebtOf, Effect, Entry, EntryKey, Lot, OpenHold,
    RevenueLine,
};
use rad_core::source::Digest;
use sqlx::{FromRow, Row};

use super::book::Parts;
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
    pub(super) module: Option<Vec<u8>>,
    pub(super) note: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) effect: Vec<u8>,
    pub(super) hash: Vec<u8>,
}

/// A row of `ledger_lines`.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// A row of `ledger_state`: a lot, a hold or a charge.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct StateRow {
    pub(super) account: Vec<u8>,
    pub(super) kind: i16,
    pub(super) id: i64,
    /// 1 if it is, else 0.
    pub(super) is_open: i16,
    pub(super) value: Vec<u8>,
}

/// The kinds of rows of a state.
pub(super) const LOT: i16 = 1;
pub(super) const HOLD: i16 = 2;
pub(super) const CHARGE: i16 = 3;

/// A row of `ledger_accounts`: the account after its last entry.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct HeadRow {
    pub(super) account: Vec<u8>,
    pub(super) seq: i64,
    pub(super) hash: Vec<u8>,
    /// Totals and debts: the state without what has rows of its own.
    pub(super) state: Vec<u8>,
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
            module: topic.module.map(|module| module.as_bytes().to_vec()),
            note: entry.body.note(),
            body: entry.body.canonical_bytes(),
            effect: posted.effect.to_compact(),
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
        Ok(Posted { effect: self.effect()?, ..posted })
    }

    fn effect(&self) -> Result<Effect, BackendError> {
        compact("effect", &self.effect)
    }

    /// As [`posted`](Self::posted), with an effect that says nothing.
    pub(super) fn posted_without_effect(&self) -> Result<Posted, BackendError> {
        let category = self.category.as_deref().map(|text| parsed("category", text.parse().ok()));
        let deployment = self.deployment.as_deref().map(|text| parsed("deployment", text.parse().ok()));
        let module = self.module.as_deref().map(|id| parsed("module", bytes(id).map(ModuleId::from_bytes)));
        let topic = Topic {
            category: category.transpose()?,
            deployment: deployment.transpose()?,
            module: module.transpose()?,
        };
        let hash = parsed("hash", bytes(&self.hash).map(Digest::from_bytes))?;
        Ok(Posted { entry: self.entry()?, hash, effect: Effect::default(), topic, repeated: false })
    }

    /// The charge that the entry made, as it was right after it.
    pub(super) fn charge(&self) -> Result<Option<Charge>, BackendError> {
        Ok(Charge::made_by(&self.entry()?, &self.effect()?))
    }

    /// The account it belongs to.
    pub(super) fn owner(&self) -> Result<AccountId, BackendError> {
        owner(&self.account)
    }

    /// Which entry it is, for messages.
    pub(super) fn place(&self) -> String {
        let account = bytes(&self.account).map(AccountId::from_bytes);
        let account = account.map_or_else(|| "without an id".to_owned(), |account| account.to_string());
        format!("entry {} of account {account}", self.seq)
    }

    /// The entry alone: what it did follows from the engine.
    pub(super) fn entry(&self) -> Result<Entry, BackendError> {
        let seq = parsed("seq", u64::try_from(self.seq).ok())?;
        entry(self.owner()?, seq, self.at, &self.key, self.actor.as_deref(), &self.body)
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
        })
    }
}

/// The revenue line at a place among those that an entry booked, given what the entry did.
pub(super) fn line_at(place: i64, effect: &[u8]) -> Result<RevenueLine, BackendError> {
    let effect: Effect = compact("effect", effect)?;
    let line = usize::try_from(place).ok().and_then(|place| effect.lines.get(place).copied());
    parsed("place", line)
}

impl HeadRow {
    /// The head of an account after its last entry, which has this hash.
    pub(super) fn of(state: &AccountState, hash: &Digest) -> Result<Self, BackendError> {
        Ok(Self {
            account: state.account().as_bytes().to_vec(),
            seq: number(state.seq())?,
            hash: hash.as_bytes().to_vec(),
            state: state.totals().to_compact(),
        })
    }

    /// The account it belongs to.
    pub(super) fn owner(&self) -> Result<AccountId, BackendError> {
        owner(&self.account)
    }
}

impl StateRow {
    pub(super) fn lot(account: AccountId, lot: &Lot) -> Result<Self, BackendError> {
        Self::new(account, LOT, lot.id, !lot.is_closed(), lot)
    }

    pub(super) fn hold(account: AccountId, hold: &OpenHold) -> Result<Self, BackendError> {
        Self::new(account, HOLD, hold.id, true, hold)
    }

    /// A charge is open while it [`owes`].
    pub(super) fn charge(account: AccountId, charge: &Charge, debts: &[Debt]) -> Result<Self, BackendError> {
        Self::new(account, CHARGE, charge.id, owes(debts, charge.id), charge)
    }

    fn new(
        account: AccountId,
        kind: i16,
        id: u64,
        is_open: bool,
        value: &impl Compact,
    ) -> Result<Self, BackendError> {
        let account = account.as_bytes().to_vec();
        Ok(Self { account, kind, id: number(id)?, is_open: i16::from(is_open), value: value.to_compact() })
    }

    /// The account it belongs to.
    pub(super) fn owner(&self) -> Result<AccountId, BackendError> {
        owner(&self.account)
    }

    /// Adds what the row says to the parts of a state.
    pub(super) fn add_to(&self, parts: &mut Parts) -> Result<(), BackendError> {
        match self.kind {
            LOT => parts.lots.push(compact("value", &self.value)?),
            HOLD => parts.holds.push(compact("value", &self.value)?),
            CHARGE => parts.charges.push(compact("value", &self.value)?),
            _ => return parsed("kind", None),
        }
        Ok(())
    }
}

/// An entry, given the columns that have it.
pub(super) fn entry(
    account: AccountId,
    seq: u64,
    at: Micros,
    key: &[u8],
    actor: Option<&[u8]>,
    body: &[u8],
) -> Result<Entry, BackendError> {
    let actor = actor.map(|actor| parsed("actor", bytes(actor).map(AccountId::from_bytes)));
    Ok(Entry {
        account,
        seq,
        at: parsed("at", time(at.0))?,
        key: parsed("key", bytes(key).map(EntryKey::from_bytes))?,
        actor: actor.transpose()?,
        body: coded("body", Body::from_canonical_bytes(body))?,
    })
}

/// Whether a charge owes something: then a later entry may change it without naming it.
pub(super) fn owes(debts: &[Debt], charge: u64) -> bool {
    debts.iter().any(|debt| debt.of == DebtOf::Charge(charge))
}

/// A number of an entry as databases keep it.
pub(super) fn number(number: u64) -> Result<i64, BackendError> {
    i64::try_from(number).map_err(|error| BackendError::permanent("numbering an entry", error))
}

fn owner(account: &[u8]) -> Result<AccountId, BackendError> {
    parsed("account", bytes(account).map(AccountId::from_bytes))
}

/// The value of a column in the compact form.
pub(super) fn compact<T: Compact>(column: &'static str, bytes: &[u8]) -> Result<T, BackendError> {
    coded(column, T::from_compact(bytes))
}

/// The value that was read from a column.
pub(super) fn coded<T>(column: &'static str, read: Result<T, CodingError>) -> Result<T, BackendError> {
    read.map_err(|error| BackendError::corrupt("reading a row", format!("column {column}: {error}")))
}

/// The valid value of a column.
pub(super) fn parsed<T>(column: &'static str, value: Option<T>) -> Result<T, BackendError> {
    value.ok_or_else(|| BackendError::corrupt("reading a row", format!("column {column} has no valid value")))
}
