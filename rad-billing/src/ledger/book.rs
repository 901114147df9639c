//! The open part of an account: put together from rows before posting, and the rows that changed after.

use std::collections::{BTreeMap, BTreeSet};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post, Posted, Topic};
use rad_core::revenue::{AccountState, Charge, DebtOf, Lot, Needs, OpenHold, Snapshot, Violation};
use rad_core::source::Digest;

use super::rows::{HeadRow, from_json, json, number};
use crate::database::bytes;

/// An account as far as posting needs it.
#[derive(Debug, Clone)]
pub(super) struct Book {
    account: AccountId,
    state: AccountState,
    /// The hash of the last entry.
    head: Digest,
    /// The last entry's number when the rows were read.
    loaded: u64,
    stored: StateRows,
}

/// The head of an account, before its open lots, holds and charges are there.
#[derive(Debug)]
pub(super) struct Head {
    snapshot: Snapshot,
    hash: Digest,
}

/// The rows of a state as they are in the database.
#[derive(Debug, Clone, Default)]
pub(super) struct StateRows {
    pub(super) lots: BTreeMap<u64, Lot>,
    pub(super) holds: BTreeMap<u64, OpenHold>,
    pub(super) charges: BTreeMap<u64, Charge>,
}

/// What an entry reaches back to and the book does not have.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    pub(super) lots: Vec<u64>,
    pub(super) charges: Vec<u64>,
    /// Every charge that ever took from this lot.
    pub(super) charges_of: Option<u64>,
}

/// What posting changed of the rows of a state.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) head: HeadRow,
    /// The number of the last entry that the head must still have in the database; 0 if it must not be there.
    pub(super) before: i64,
    /// Lots by id: whether they are open, and their text.
    pub(super) lots: Vec<(i64, bool, String)>,
    pub(super) holds: Vec<(i64, String)>,
    pub(super) closed_holds: Vec<i64>,
    pub(super) charges: Vec<(i64, String)>,
}

impl Head {
    pub(super) fn new(account: AccountId) -> Self {
        Self { snapshot: AccountState::new(account).into(), hash: Digest::ZERO }
    }

    pub(super) fn read(account: AccountId, row: &HeadRow) -> Result<Self, BackendError> {
        let snapshot: Snapshot = from_json("state", &row.state)?;
        if snapshot.account != account || i64::try_from(snapshot.seq) != Ok(row.seq) {
            return Err(inconsistent("the head is of another account or entry"));
        }
        let hash =
            bytes(&row.hash).map(Digest::from_bytes).ok_or_else(|| inconsistent("the hash is none"))?;
        Ok(Self { snapshot, hash })
    }

    /// The charges that owe: they belong to the open part.
    pub(super) fn owing(&self) -> BTreeSet<u64> {
        let charge = |of| match of {
            DebtOf::Charge(charge) => Some(charge),
            DebtOf::Hold(_) => None,
        };
        self.snapshot.debts.iter().filter_map(|debt| charge(debt.of)).collect()
    }
}

impl Book {
    /// Puts a book together from its head, the lots with something left, the holds, and the charges that owe.
    pub(super) fn new(
        head: Head,
        lots: Vec<Lot>,
        holds: Vec<OpenHold>,
        charges: Vec<Charge>,
    ) -> Result<Self, BackendError> {
        let snapshot = Snapshot { lots, holds, charges, ..head.snapshot };
        let (account, loaded, stored) = (snapshot.account, snapshot.seq, StateRows::of(&snapshot));
        let state = AccountState::try_from(snapshot).map_err(inconsistent)?;
        Ok(Self { account, state, head: head.hash, loaded, stored })
    }

    /// What of `needs` is not there. The lots of charges are known only once these are: see [`Book::lots_of`].
    pub(super) fn lacking(&self, needs: Needs) -> Result<Lacking, BackendError> {
        let mut lacking = Lacking::default();
        match needs {
            Needs::Nothing => {}
            Needs::Lot(lot) => lacking.lots.push(lot),
            Needs::Charge(charge) => lacking.charges.push(charge),
            Needs::LotAndItsCharges(lot) => {
                lacking.lots.push(lot);
                lacking.charges_of = Some(lot);
            }
            _ => return Err(BackendError::permanent("posting an entry", "its kind is not known here")),
        }
        lacking.lots.retain(|lot| self.state.lot(*lot).is_none());
        lacking.charges.retain(|charge| self.state.charge(*charge).is_none());
        Ok(lacking)
    }

    /// The lots that a needed charge has parts of, and that are not there; `fetched` are the charges that were not.
    pub(super) fn lots_of(&self, needs: Needs, fetched: &[Charge]) -> Vec<u64> {
        let Needs::Charge(id) = needs else { return Vec::new() };
        let known = self.state.charge(id);
        let charge = known.as_ref().or_else(|| fetched.iter().find(|charge| charge.id == id));
        let lots: BTreeSet<u64> =
            charge.iter().flat_map(|charge| &charge.parts).map(|part| part.lot).collect();
        lots.into_iter().filter(|lot| self.state.lot(*lot).is_none()).collect()
    }

    /// Adds what was lacking.
    pub(super) fn attach(&mut self, lots: Vec<Lot>, mut charges: Vec<Charge>) -> Result<(), BackendError> {
        charges.retain(|charge| self.state.charge(charge.id).is_none());
        if lots.is_empty() && charges.is_empty() {
            return Ok(());
        }
        self.stored.lots.extend(lots.iter().map(|lot| (lot.id, lot.clone())));
        self.stored.charges.extend(charges.iter().map(|charge| (charge.id, charge.clone())));
        self.state.attach(lots, charges).map_err(inconsistent)
    }

    /// Lets the engine apply an entry; `index` is its place in its batch. A refusal changes nothing.
    pub(super) fn apply(&mut self, index: usize, post: &Post) -> Result<Posted, LedgerError> {
        let entry = self.state.draft(post.at, post.key, post.actor, post.body.clone());
        let topic = Topic::of(&entry.body, &self.state);
        let effect = self.state.apply(&entry).map_err(|violation| match violation {
            Violation::Inconsistent { what } => inconsistent(what).into(),
            violation => LedgerError::Refused { index, violation },
        })?;
        let hash = entry.hash(&self.head);
        self.head = hash;
        Ok(Posted { entry, hash, effect, topic, repeated: false })
    }

    /// The rows that must be written, and what the head must still be for it.
    pub(super) fn changes(&self) -> Result<Changes, BackendError> {
        let snapshot = self.state.snapshot();
        let head = HeadRow {
            account: self.account.as_bytes().to_vec(),
            seq: number(snapshot.seq)?,
            hash: self.head.as_bytes().to_vec(),
            state: head_text(&snapshot)?,
        };
        let rows = StateRows::of(&snapshot);
        let lots = changed(&rows.lots, &self.stored.lots)
            .map(|(id, lot)| Ok((number(id)?, !lot.is_closed(), json(lot)?)));
        let holds = changed(&rows.holds, &self.stored.holds).map(|(id, hold)| Ok((number(id)?, json(hold)?)));
        let charges =
            changed(&rows.charges, &self.stored.charges).map(|(id, charge)| Ok((number(id)?, json(charge)?)));
        let closed = self.stored.holds.keys().filter(|id| !rows.holds.contains_key(id));
        Ok(Changes {
            head,
            before: number(self.loaded)?,
            lots: lots.collect::<Result<_, BackendError>>()?,
            holds: holds.collect::<Result<_, BackendError>>()?,
            closed_holds: closed.map(|id| number(*id)).collect::<Result<_, _>>()?,
            charges: charges.collect::<Result<_, BackendError>>()?,
        })
    }

    pub(super) fn into_state(self) -> AccountState {
        self.state
    }
}

impl StateRows {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            lots: snapshot.lots.iter().map(|lot| (lot.id, lot.clone())).collect(),
            holds: snapshot.holds.iter().map(|hold| (hold.id, hold.clone())).collect(),
            charges: snapshot.charges.iter().map(|charge| (charge.id, charge.clone())).collect(),
        }
    }
}

/// The state without what has rows of its own.
pub(super) fn head_text(snapshot: &Snapshot) -> Result<String, BackendError> {
    let Snapshot { account, seq, last, currency, volume, paid, .. } = *snapshot;
    let (lots, holds, charges) = (Vec::new(), Vec::new(), Vec::new());
    let debts = snapshot.debts.clone();
    json(&Snapshot { account, seq, last, currency, volume, paid, lots, holds, charges, debts })
}

fn changed<'a, T: PartialEq>(
    now: &'a BTreeMap<u64, T>,
    before: &'a BTreeMap<u64, T>,
) -> impl Iterator<Item = (u64, &'a T)> {
    now.iter().filter(|(id, row)| before.get(id) != Some(row)).map(|(id, row)| (*id, row))
}

fn inconsistent(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::corrupt("reading a state", what)
}
