//! The open part of an account: put together from rows before posting, and the rows that changed after.

use std::collections::BTreeSet;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post, Posted, Topic};
use rad_core::revenue::{
    AccountState, Body, Charge, DebtOf, Effect, Entry, Lot, Needs, OpenHold, Snapshot, Violation,
};
use rad_core::source::Digest;

use super::rows::{EntryRow, HeadRow, StateRow, compact, number};
use crate::database::bytes;

/// How many settled lots and charges a book keeps at least before it lets go of them.
const SETTLED: usize = 64;

/// An account as far as posting needs it.
#[derive(Debug, Clone)]
pub(super) struct Book {
    account: AccountId,
    state: AccountState,
    /// The hash of the last entry.
    head: Digest,
    /// The last entry's number when the rows were read or written last.
    loaded: u64,
    touched: Touched,
    /// How many charges were made since.
    made: usize,
    /// How many lots and charges were settled or fetched since the book was made compact, at the most.
    settled: usize,
}

/// The parts of a state.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) lots: Vec<Lot>,
    pub(super) holds: Vec<OpenHold>,
    pub(super) charges: Vec<Charge>,
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
    pub(super) rows: Vec<StateRow>,
    /// Holds that are closed.
    pub(super) gone: Vec<i64>,
}

/// The rows of a state that may have changed since it was read or written.
#[derive(Debug, Clone, Default)]
struct Touched {
    lots: BTreeSet<u64>,
    holds: BTreeSet<u64>,
    charges: BTreeSet<u64>,
}

impl Book {
    /// Puts a book together from its head, the lots with something left, the holds, and the charges that owe. Parts come in
    /// any order, and some perhaps twice.
    pub(super) fn new(head: &HeadRow, parts: Parts) -> Result<Self, BackendError> {
        let totals: Snapshot = compact("state", &head.state)?;
        if totals.account.as_bytes().as_slice() != head.account || i64::try_from(totals.seq) != Ok(head.seq) {
            return Err(inconsistent("the head is of another account or entry"));
        }
        let hash =
            bytes(&head.hash).map(Digest::from_bytes).ok_or_else(|| inconsistent("the hash is none"))?;
        let Parts { mut lots, mut holds, mut charges } = parts;
        each_once(&mut lots, |lot| lot.id);
        each_once(&mut holds, |hold| hold.id);
        each_once(&mut charges, |charge| charge.id);
        let snapshot = Snapshot { lots, holds, charges, ..totals };
        let (account, loaded) = (snapshot.account, snapshot.seq);
        let state = AccountState::try_from(snapshot).map_err(inconsistent)?;
        Ok(Self { account, state, head: hash, loaded, touched: Touched::default(), made: 0, settled: 0 })
    }

    /// The book of an account without entries.
    pub(super) fn empty(account: AccountId) -> Self {
        Self {
            account,
            state: AccountState::new(account),
            head: Digest::ZERO,
            loaded: 0,
            touched: Touched::default(),
            made: 0,
            settled: 0,
        }
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

    /// Whether everything that `needs` names is surely there.
    pub(super) fn has(&self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing => true,
            Needs::Lot(lot) => self.state.lot(lot).is_some(),
            Needs::Charge(charge) => {
                self.state.charge(charge).is_some() && self.lots_of(needs, &[]).is_empty()
            }
            // Which charges took from a lot, only the rows know.
            _ => false,
        }
    }

    /// Adds what was lacking.
    pub(super) fn attach(&mut self, lots: Vec<Lot>, mut charges: Vec<Charge>) -> Result<(), BackendError> {
        charges.retain(|charge| self.state.charge(charge.id).is_none());
        if lots.is_empty() && charges.is_empty() {
            return Ok(());
        }
        self.settled += lots.len() + charges.len();
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
        self.made += usize::from(matches!(entry.body, Body::Capture(_) | Body::ProjectDebit(_)));
        self.touched.note(&entry, &effect, &self.state);
        let hash = entry.hash(&self.head);
        self.head = hash;
        Ok(Posted { entry, hash, effect, topic, repeated: false })
    }

    /// The rows that must be written, and what the head must still be for it.
    pub(super) fn changes(&self) -> Result<Changes, BackendError> {
        let (mut rows, mut gone) = (Vec::new(), Vec::new());
        for lot in self.touched.lots.iter().filter_map(|id| self.state.lot(*id)) {
            rows.push(StateRow::lot(self.account, lot)?);
        }
        for id in &self.touched.holds {
            match self.state.open_hold(*id) {
                Some(hold) => rows.push(StateRow::hold(self.account, &hold)?),
                None => gone.push(number(*id)?),
            }
        }
        for charge in self.state.charges(&self.touched.charges) {
            rows.push(StateRow::charge(self.account, &charge, self.state.debts())?);
        }
        let head = HeadRow::of(&self.state, &self.head)?;
        Ok(Changes { head, before: number(self.loaded)?, rows, gone })
    }

    /// Notes that the changes were written: the book is what the rows say.
    pub(super) fn written(&mut self) {
        self.loaded = self.state.seq();
        self.settled += self.touched.lots.len() + self.made;
        self.made = 0;
        self.touched = Touched::default();
        // In proportion to what stays, so that it costs little for each entry.
        if self.settled > SETTLED + self.state.lots().len() / 2 {
            self.state.compact();
            self.settled = 0;
        }
    }

    /// The number of the last entry.
    pub(super) fn seq(&self) -> Result<i64, BackendError> {
        number(self.state.seq())
    }

    /// Whether the book ends with the entry that a head is at.
    pub(super) fn ends_with(&self, head: &HeadRow) -> bool {
        i64::try_from(self.state.seq()) == Ok(head.seq) && self.head.as_bytes().as_slice() == head.hash
    }

    /// Applies an entry that somebody else posted. False if the book does not have what it takes for that.
    pub(super) fn follow(&mut self, row: &EntryRow) -> Result<bool, BackendError> {
        let entry = row.entry()?;
        if !self.has(AccountState::needs(&entry.body)) || self.state.apply(&entry).is_err() {
            return Ok(false);
        }
        self.head = entry.hash(&self.head);
        self.loaded = self.state.seq();
        self.settled += 1;
        Ok(true)
    }

    /// How much memory it takes, in lots.
    pub(super) fn size(&self) -> usize {
        1 + self.state.lots().len()
    }

    pub(super) fn into_state(self) -> AccountState {
        self.state
    }
}

impl Touched {
    /// Notes which rows an entry may have changed: what it names, what it made, and what it did.
    fn note(&mut self, entry: &Entry, effect: &Effect, state: &AccountState) {
        match &entry.body {
            Body::Grant(_) | Body::Adjustment(_) => drop(self.lots.insert(entry.seq)),
            Body::Hold(_) => drop(self.holds.insert(entry.seq)),
            Body::Capture(capture) => drop(self.holds.insert(capture.hold)),
            Body::Release(release) => drop(self.holds.insert(release.hold)),
            Body::Freeze(freeze) => drop(self.lots.insert(freeze.lot)),
            Body::Unfreeze(unfreeze) => drop(self.lots.insert(unfreeze.lot)),
            Body::Reversal(reversal) => drop(self.lots.insert(reversal.lot)),
            Body::Expiry(expiry) => drop(self.lots.insert(expiry.lot)),
            _ => {}
        }
        self.lots.extend(effect.parts.iter().map(|part| part.lot));
        self.lots.extend(effect.moves.iter().map(|step| step.lot));
        self.holds.extend(&effect.lapsed);
        self.holds.extend(effect.debts.iter().filter_map(|debt| match debt.of {
            DebtOf::Hold(hold) => Some(hold),
            DebtOf::Charge(_) => None,
        }));
        self.charges.extend(stored_charges(entry, effect, state));
    }
}

/// The charges that are not, or no longer, what the entry that made them says, since the entry that led to `state`: those have
/// rows. A charge that owes is one of them from the beginning, for posting has to know it.
pub(super) fn stored_charges(entry: &Entry, effect: &Effect, state: &AccountState) -> BTreeSet<u64> {
    let mut charges = BTreeSet::new();
    if let Body::Refund(refund) = &entry.body {
        charges.insert(refund.charge);
    }
    charges.extend(effect.parts.iter().map(|part| part.charge).filter(|charge| *charge != entry.seq));
    charges.extend(effect.debts.iter().filter_map(|debt| charge_of(debt.of)));
    // A capture takes over what its hold owed.
    let owed = state.debts().iter().filter_map(|debt| charge_of(debt.of));
    charges.extend(owed.filter(|charge| *charge == entry.seq));
    charges
}

const fn charge_of(of: DebtOf) -> Option<u64> {
    match of {
        DebtOf::Charge(charge) => Some(charge),
        DebtOf::Hold(_) => None,
    }
}

fn each_once<T>(parts: &mut Vec<T>, id: impl Fn(&T) -> u64) {
    parts.sort_by_key(&id);
    parts.dedup_by_key(|part| id(part));
}

fn inconsistent(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::corrupt("reading a state", what)
}
