//! The state as plain values, for ledgers that store it: whole, or as rows of lots, holds and charges.
//!
//! A durable ledger need not load an account's whole past to post an entry. What is open travels in the compact state
//! ([`AccountState::compact`]); what a refund or a reversal reaches back to is asked for by [`AccountState::needs`] and put in
//! with [`AccountState::attach`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::exact::Exact;
use super::super::{
    Balance, Body, BurnOrder, ChargeTerms, DebtOf, Effect, Entry, Hold, Lot, Part, Place, Shares, Violation,
};
use super::index::BurnIndex;
use super::moment::Moment;
use super::savepoint::Spare;
use super::{AccountState, ChargeHead, HoldHead, Reserved};
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::money::{Amount, Credits, Currency};

/// Everything an [`AccountState`] is, as plain values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The account.
    pub account: AccountId,
    /// The number of the last entry.
    pub seq: u64,
    /// Its time.
    pub last: DateTime<Utc>,
    /// The currency of the account's charges, once there are any.
    pub currency: Option<Currency>,
    /// All credits ever granted or debited for projects.
    pub volume: Credits,
    /// All that was ever paid.
    pub paid: Amount,
    /// Lots, in the order of their ids; of a compact state those that are open.
    pub lots: Vec<Lot>,
    /// Open holds, in the order of their ids.
    pub holds: Vec<OpenHold>,
    /// Charges, in the order of their ids; of a compact state those that owe credits.
    pub charges: Vec<Charge>,
    /// Debts, oldest first.
    pub debts: Vec<Debt>,
}

/// A hold that is neither captured nor released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHold {
    /// The number of the entry that holds.
    pub id: u64,
    /// How many credits it holds, those included that were reversed under it and are owed.
    pub amount: Credits,
    /// Which credits pay first.
    pub burn: BurnOrder,
    /// When it lapses.
    pub expires: Option<DateTime<Utc>>,
    /// The deployment it is for.
    pub deployment: Option<DeploymentId>,
    /// The module it is for.
    pub module: Option<ModuleId>,
    /// What it reserves: lots and credits, in burn order.
    pub parts: Vec<(u64, Credits)>,
}

/// A charge or a project debit, and what stands of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The number of the entry that captured or debited.
    pub id: u64,
    /// The deployment it was for.
    pub deployment: Option<DeploymentId>,
    /// Which credits paid first.
    pub burn: BurnOrder,
    /// Who earns how much; `None` for project debits, which earn nothing.
    pub terms: Option<Arc<ChargeTerms>>,
    /// How many credits were charged.
    pub credits: Credits,
    /// How many of them were refunded.
    pub refunded: Credits,
    /// What stands of its revenue.
    pub shares: Shares,
    /// What stands of its attribution, in its order.
    pub parts: Vec<Part>,
}

impl Charge {
    /// The charge that an entry made, as it was right after it; `None` of entries that charge nothing. A ledger need not store
    /// a charge that nothing has changed since.
    pub fn made_by(entry: &Entry, effect: &Effect) -> Option<Self> {
        let own = effect.lines.iter().find(|line| line.charge == entry.seq);
        let (deployment, credits, terms) = match &entry.body {
            Body::Capture(capture) => {
                (Some(capture.deployment), capture.amount, Some(Arc::clone(&capture.terms)))
            }
            Body::ProjectDebit(debit) => (debit.deployment, debit.amount, None),
            _ => return None,
        };
        let shares = own.map(|line| Shares {
            gross: line.gross,
            partner: line.partner,
            agent: line.agent,
            platform: line.platform,
        });
        Some(Self {
            id: entry.seq,
            deployment,
            burn: own.map_or(BurnOrder::AwardedFirst, |line| line.policies.burn),
            terms,
            credits,
            refunded: Credits::ZERO,
            shares: shares.unwrap_or_default(),
            parts: effect.parts.iter().filter(|part| part.charge == entry.seq).copied().collect(),
        })
    }
}

/// Credits owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Debt {
    /// The entry that made it.
    pub entry: u64,
    /// What it is owed for.
    pub of: DebtOf,
    /// How many: more than none.
    pub credits: Credits,
}

/// What of the past an entry reaches back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Needs {
    /// Nothing: the compact state is enough.
    Nothing,
    /// This lot, if there is one.
    Lot(u64),
    /// This charge, if there is one, and the lots of its parts.
    Charge(u64),
    /// This lot, if there is one, and every charge with a part of it.
    LotAndItsCharges(u64),
}

impl AccountState {
    /// What must be [attached](Self::attach) to a [compact](Self::compact) state before an entry with this body can be applied.
    pub const fn needs(body: &Body) -> Needs {
        match body {
            Body::Refund(refund) => Needs::Charge(refund.charge),
            Body::Reversal(reversal) => Needs::LotAndItsCharges(reversal.lot),
            Body::Freeze(freeze) => Needs::Lot(freeze.lot),
            Body::Unfreeze(unfreeze) => Needs::Lot(unfreeze.lot),
            Body::Expiry(expiry) => Needs::Lot(expiry.lot),
            _ => Needs::Nothing,
        }
    }

    /// Adds lots and charges of the account's past; what the state has already stays as it is.
    ///
    /// # Errors
    /// [`Violation::Inconsistent`] if one cannot be of this account's past.
    pub fn attach(
        &mut self,
        lots: impl IntoIterator<Item = Lot>,
        charges: impl IntoIterator<Item = Charge>,
    ) -> Result<(), Violation> {
        let mut whole = self.snapshot();
        let known = |id: u64, all: &[u64]| all.binary_search(&id).is_ok();
        let ids: Vec<u64> = whole.lots.iter().map(|lot| lot.id).collect();
        whole.lots.extend(lots.into_iter().filter(|lot| !known(lot.id, &ids)));
        let ids: Vec<u64> = whole.charges.iter().map(|charge| charge.id).collect();
        whole.charges.extend(charges.into_iter().filter(|charge| !known(charge.id, &ids)));
        whole.lots.sort_by_key(|lot| lot.id);
        whole.charges.sort_by_key(|charge| charge.id);
        *self = Self::try_from(whole)?;
        Ok(())
    }

    /// Lets go of what is settled: lots with nothing left to use and charges that owe nothing.
    pub fn compact(&mut self) {
        let owing = |charge: u64| self.debts.iter().any(|debt| debt.of == DebtOf::Charge(charge));
        self.charges.retain(|charge| owing(charge.id));
        self.spent.retain(|part| owing(part.charge));
        self.lots.retain(|lot| !lot.is_closed());
        self.spare = Spare::default();
        let known = std::mem::take(&mut self.terms);
        for charge in &mut self.charges {
            charge.terms = known.of(charge).map(|terms| self.terms.place(terms));
        }
        self.rebuild_index();
    }

    /// The lots the state knows, in the order of their ids.
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// A lot the state knows.
    pub fn lot(&self, id: u64) -> Option<&Lot> {
        self.lot_index(id).and_then(|index| self.lots.get(index))
    }

    /// The open holds, in the order of their ids.
    pub fn holds(&self) -> impl Iterator<Item = OpenHold> {
        self.holds.iter().map(|hold| self.whole_hold(hold))
    }

    /// An open hold.
    pub fn open_hold(&self, id: u64) -> Option<OpenHold> {
        let index = self.holds.binary_search_by_key(&id, |hold| hold.id).ok()?;
        self.holds.get(index).map(|hold| self.whole_hold(hold))
    }

    /// A charge or project debit the state knows.
    pub fn charge(&self, id: u64) -> Option<Charge> {
        let head = self.charge_index(id).and_then(|index| self.charges.get(index))?;
        let parts = self.spent.iter().filter(|part| part.charge == id).copied().collect();
        Some(self.whole_charge(head, parts))
    }

    /// Those of these charges and project debits that the state knows, in the order of their ids.
    pub fn charges(&self, ids: &BTreeSet<u64>) -> Vec<Charge> {
        if ids.is_empty() {
            return Vec::new();
        }
        let mut parts: BTreeMap<u64, Vec<Part>> = BTreeMap::new();
        for part in self.spent.iter().filter(|part| ids.contains(&part.charge)) {
            parts.entry(part.charge).or_default().push(*part);
        }
        let known = ids.iter().filter_map(|id| self.charges.get(self.charge_index(*id)?));
        known.map(|head| self.whole_charge(head, parts.remove(&head.id).unwrap_or_default())).collect()
    }

    /// What is owed, oldest first.
    pub fn debts(&self) -> &[Debt] {
        &self.debts
    }

    /// The state as plain values, without its lots, holds and charges.
    pub fn totals(&self) -> Snapshot {
        Snapshot {
            account: self.account,
            seq: self.seq,
            last: self.last,
            currency: self.currency,
            volume: self.volume,
            paid: self.paid,
            lots: Vec::new(),
            holds: Vec::new(),
            charges: Vec::new(),
            debts: self.debts.clone(),
        }
    }

    /// The state as plain values.
    pub fn snapshot(&self) -> Snapshot {
        let mut parts: BTreeMap<u64, Vec<Part>> = BTreeMap::new();
        self.spent.iter().for_each(|part| parts.entry(part.charge).or_default().push(*part));
        let whole = |head: &ChargeHead| self.whole_charge(head, parts.remove(&head.id).unwrap_or_default());
        Snapshot {
            lots: self.lots.clone(),
            holds: self.holds().collect(),
            charges: self.charges.iter().map(whole).collect(),
            ..self.totals()
        }
    }

    fn whole_hold(&self, hold: &HoldHead) -> OpenHold {
        OpenHold {
            id: hold.id,
            amount: hold.hold.amount,
            burn: hold.hold.burn,
            expires: hold.hold.expires,
            deployment: hold.hold.deployment,
            module: hold.hold.module,
            parts: self.reserved.iter().filter(|p| p.hold == hold.id).map(|p| (p.lot, p.credits)).collect(),
        }
    }

    fn whole_charge(&self, head: &ChargeHead, parts: Vec<Part>) -> Charge {
        Charge {
            id: head.id,
            deployment: head.deployment,
            burn: head.burn,
            terms: self.terms.of(head).cloned(),
            credits: head.credits,
            refunded: head.refunded,
            shares: head.shares,
            parts,
        }
    }

    /// Finds the places of lots again after the list of them changed.
    fn rebuild_index(&mut self) {
        self.index = BurnIndex::default();
        for part in &mut self.reserved {
            // A lot with reserved credits is open, and open ones are all there.
            part.index = self.lots.binary_search_by_key(&part.lot, |lot| lot.id).unwrap_or(usize::MAX);
        }
        for (index, lot) in self.lots.iter().enumerate() {
            if lot.gives() {
                self.index.insert(index, lot);
            }
        }
        for hold in &self.holds {
            self.index.note_lapse(Moment::end(hold.hold.expires));
        }
        if self.seq > 0 {
            self.index.set_next_expiry(self.now);
        }
    }
}

impl From<AccountState> for Snapshot {
    fn from(state: AccountState) -> Self {
        state.snapshot()
    }
}

impl TryFrom<Snapshot> for AccountState {
    type Error = Violation;

    /// Checks what can be checked without the entries: places fit into lots, holds are what lots have reserved, debts are
    /// somebody's.
    fn try_from(from: Snapshot) -> Result<Self, Violation> {
        check(&from)?;
        let mut state = Self::new(from.account);
        (state.seq, state.last, state.currency) = (from.seq, from.last, from.currency);
        if from.seq > 0 {
            state.now = Moment::up_to(from.last);
        }
        (state.volume, state.paid) = (from.volume, from.paid);
        for hold in from.holds {
            state.reserved.extend(hold.parts.iter().map(|(lot, credits)| Reserved {
                hold: hold.id,
                lot: *lot,
                index: 0,
                credits: *credits,
            }));
            let (amount, burn, expires) = (hold.amount, hold.burn, hold.expires);
            let (deployment, module) = (hold.deployment, hold.module);
            let body = Hold { amount, burn, expires, deployment, module };
            state.holds.push(HoldHead { id: hold.id, hold: body });
        }
        for charge in from.charges {
            state.spent.extend(charge.parts);
            state.charges.push(ChargeHead {
                id: charge.id,
                deployment: charge.deployment,
                burn: charge.burn,
                terms: charge.terms.as_ref().map(|terms| state.terms.place(terms)),
                credits: charge.credits,
                refunded: charge.refunded,
                shares: charge.shares,
            });
        }
        state.spent.sort_by_key(|part| (part.entry, part.charge));
        state.balance = balance_of(&from.lots, &from.debts)?;
        (state.lots, state.debts) = (from.lots, from.debts);
        state.rebuild_index();
        Ok(state)
    }
}

fn check(from: &Snapshot) -> Result<(), Violation> {
    let broken = |what| Err(Violation::Inconsistent { what });
    let rising = |ids: &[u64]| {
        ids.is_sorted_by(|one, next| one < next) && ids.iter().all(|id| (1..=from.seq).contains(id))
    };
    let lots: Vec<u64> = from.lots.iter().map(|lot| lot.id).collect();
    let holds: Vec<u64> = from.holds.iter().map(|hold| hold.id).collect();
    let charges: Vec<u64> = from.charges.iter().map(|charge| charge.id).collect();
    if ![lots, holds.clone(), charges.clone()].iter().all(|ids| rising(ids)) {
        return broken("lots, holds or charges are out of order");
    }
    let mut held: BTreeMap<u64, Credits> = BTreeMap::new();
    for (lot, credits) in from.holds.iter().flat_map(|hold| &hold.parts) {
        let sum = held.entry(*lot).or_default();
        *sum = sum.plus(*credits)?;
    }
    let mut spent: BTreeMap<u64, Credits> = BTreeMap::new();
    for part in from.charges.iter().flat_map(|charge| &charge.parts) {
        let sum = spent.entry(part.lot).or_default();
        *sum = sum.plus(part.credits)?;
    }
    for lot in &from.lots {
        if !lot.is_sound() {
            return broken("a lot has more or less in its places than arrived");
        }
        if held.remove(&lot.id).unwrap_or_default() != lot.held {
            return broken("a lot and the holds disagree about what is reserved");
        }
        if spent.get(&lot.id).is_some_and(|sum| *sum > lot.spent()) {
            return broken("charges took more from a lot than it spent");
        }
    }
    if !held.is_empty() {
        return broken("a hold reserves credits of a lot that is missing");
    }
    for hold in &from.holds {
        let owed = from.debts.iter().filter(|debt| debt.of == DebtOf::Hold(hold.id)).map(|debt| debt.credits);
        let reserved = hold.parts.iter().map(|(_, credits)| *credits);
        if Credits::checked_sum(reserved.chain(owed)) != Some(hold.amount) {
            return broken("a hold has neither reserved nor owed what it holds");
        }
    }
    let owner = |of: DebtOf| match of {
        DebtOf::Charge(id) => charges.binary_search(&id).is_ok(),
        DebtOf::Hold(id) => holds.binary_search(&id).is_ok(),
    };
    if !from.debts.iter().all(|debt| debt.credits.is_positive() && owner(debt.of)) {
        return broken("a debt is nobody's");
    }
    Ok(())
}

fn balance_of(lots: &[Lot], debts: &[Debt]) -> Result<Balance, Violation> {
    let mut balance = Balance::default();
    for lot in lots {
        for (place, credits) in
            [(Place::Open, lot.open), (Place::Frozen, lot.frozen), (Place::Held, lot.held)]
        {
            if let Some(sum) = balance.place_mut(lot.bucket, place) {
                *sum = sum.plus(credits)?;
            }
        }
    }
    for debt in debts {
        balance.debt = balance.debt.plus(debt.credits)?;
    }
    Ok(balance)
}
