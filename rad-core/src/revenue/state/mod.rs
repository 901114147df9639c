//! The state of one account: a fold of its entries, and the only place where credits move.

mod capture;
mod grant;
mod hold;
mod index;
mod moment;
mod refund;
mod reversal;
mod savepoint;
mod snapshot;
mod spend;
mod terms;

use chrono::{DateTime, Timelike, Utc};
use serde::{Deserialize, Serialize};

pub use snapshot::{Charge, Debt, Needs, OpenHold, Snapshot};

use self::index::BurnIndex;
use self::moment::{Moment, Step};
use self::savepoint::Spare;
use self::terms::TermsTable;
use super::exact::Exact;
use super::{
    Balance, Body, Bucket, BurnOrder, DebtChange, DebtOf, Effect, Entry, EntryKey, Hold, Lot, Move, Observer,
    PLATFORM_ACCOUNT, Part, Place, Shares, Split, SplitPart, Violation,
};
use crate::id::{AccountId, DeploymentId};
use crate::money::{Amount, Credits, Currency};

/// The state of one account after some of its entries.
///
/// [`apply`](Self::apply) is the only thing that changes it. It does no I/O, reads no clock, cannot panic, and gives the
/// same for the same entries everywhere: live books, audits and what-ifs run through it.
///
/// ```
/// use rad_core::id::AccountId;
/// use rad_core::money::Amount;
/// use rad_core::revenue::{AccountState, Body, Bucket, EntryKey, Grant, LotSource};
///
/// let mut state = AccountState::new(AccountId::new());
/// let signup = Body::Grant(Grant {
///     source: LotSource::Signup,
///     bucket: Bucket::Awarded,
///     credits: "30".parse()?,
///     cost: Amount::ZERO,
///     paid: None,
///     expires: None,
///     reference: None,
/// });
/// let entry = state.draft("2026-10-01T08:00:00Z".parse()?, EntryKey::derive("signup", &[]), None, signup);
/// let effect = state.apply(&entry)?;
/// assert_eq!(effect.balance_after.spendable().to_string(), "30");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct AccountState {
    account: AccountId,
    /// Whether the account is the platform's own.
    is_platform: bool,
    seq: u64,
    last: DateTime<Utc>,
    /// The same, to compare with.
    now: Moment,
    currency: Option<Currency>,
    /// All credits ever granted or debited for projects. They fit twice, so every sum over parts of them does, debt too.
    volume: Credits,
    /// All that was ever paid.
    paid: Amount,
    balance: Balance,
    /// In the order of their ids.
    lots: Vec<Lot>,
    /// In the order of their ids.
    holds: Vec<HoldHead>,
    /// What each hold reserves, of one hold in burn order.
    reserved: Vec<Reserved>,
    /// In the order of their ids.
    charges: Vec<ChargeHead>,
    terms: TermsTable,
    /// What of each charge stands, in the order of attribution: by entry, then by charge.
    spent: Vec<Part>,
    /// In the order it arose, oldest first.
    debts: Vec<Debt>,
    index: BurnIndex,
    spare: Spare,
}

#[derive(Debug, Clone, Copy)]
struct HoldHead {
    id: u64,
    /// Its amount is what it reserves and what was reversed under it, together.
    hold: Hold,
}

/// Those of one hold stand together, holds in the order of their ids.
#[derive(Debug, Clone, Copy)]
struct Reserved {
    hold: u64,
    lot: u64,
    /// The place of the lot.
    index: usize,
    credits: Credits,
}

#[derive(Debug, Clone, Copy)]
struct ChargeHead {
    id: u64,
    deployment: Option<DeploymentId>,
    burn: BurnOrder,
    /// Their place in the table; `None` for project debits: they earn nothing.
    terms: Option<usize>,
    credits: Credits,
    refunded: Credits,
    /// What stands of its revenue.
    shares: Shares,
}

/// What an account can be granted and debited in all: half of what fits, so that debt fits too.
const MOST_VOLUME: Credits = Credits::from_micros(i64::MAX / 2);

#[cold]
const fn lot_lost() -> Violation {
    Violation::Inconsistent { what: "a lot is missing" }
}

impl AccountState {
    /// The state of an account before its first entry.
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            is_platform: account == PLATFORM_ACCOUNT,
            seq: 0,
            last: DateTime::UNIX_EPOCH,
            now: Moment::BEGINNING,
            currency: None,
            volume: Credits::ZERO,
            paid: Amount::ZERO,
            balance: Balance::default(),
            lots: Vec::new(),
            holds: Vec::new(),
            reserved: Vec::new(),
            charges: Vec::new(),
            terms: TermsTable::default(),
            spent: Vec::new(),
            debts: Vec::new(),
            index: BurnIndex::default(),
            spare: Spare::default(),
        }
    }

    /// Applies the next entry and says what it did.
    ///
    /// # Errors
    /// The reason why the entry cannot be; the state is as before. After [`Violation::Inconsistent`] alone, which only
    /// a state put together from wrong parts can meet, it is not and must be thrown away.
    pub fn apply(&mut self, entry: &Entry) -> Result<Effect, Violation> {
        let mut effect = Effect::default();
        self.apply_into(entry, &mut effect)?;
        Ok(effect)
    }

    /// As [`apply`](Self::apply), telling an observer: an [`Effect`] whose memory is used again, or one that looks only at
    /// what it needs. After an error what it learned of the entry means nothing.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    #[inline]
    pub fn apply_into(&mut self, entry: &Entry, effect: &mut impl Observer) -> Result<(), Violation> {
        effect.begin();
        let step = Step { entry, at: self.check(entry)? };
        let is_due = self.index.is_due(step.at);
        if is_due || self.repays(&entry.body) {
            self.act_with_what_is_due(step, is_due, effect)?;
        } else {
            self.act(step, effect)?;
        }
        self.pass(step);
        effect.applied(self.balance);
        Ok(())
    }

    /// Advances the number and the time past an entry without doing what it says: for asking what would have been, where
    /// an entry of the real history cannot happen. Live books never do.
    ///
    /// # Errors
    /// [`WrongAccount`](Violation::WrongAccount), [`OutOfSequence`](Violation::OutOfSequence),
    /// [`TimeBackwards`](Violation::TimeBackwards), [`TimePrecision`](Violation::TimePrecision).
    pub fn pass_over(&mut self, entry: &Entry) -> Result<(), Violation> {
        let at = self.check(entry)?;
        self.pass(Step { entry, at });
        Ok(())
    }

    /// Becomes the state of another account before its first entry, and keeps its memory: for replaying account after
    /// account.
    pub fn reset(&mut self, account: AccountId) {
        self.account = account;
        self.is_platform = account == PLATFORM_ACCOUNT;
        self.seq = 0;
        self.last = DateTime::UNIX_EPOCH;
        self.now = Moment::BEGINNING;
        self.currency = None;
        self.volume = Credits::ZERO;
        self.paid = Amount::ZERO;
        self.balance = Balance::default();
        self.lots.clear();
        self.holds.clear();
        self.reserved.clear();
        self.charges.clear();
        self.terms.reset();
        self.spent.clear();
        self.debts.clear();
        self.index.clear();
    }

    /// The entry that would come next: its number assigned, its time not before the last one and cut to whole microseconds.
    pub fn draft(&self, now: DateTime<Utc>, key: EntryKey, actor: Option<AccountId>, body: Body) -> Entry {
        let nanos = now.timestamp_subsec_nanos();
        let whole = nanos.checked_rem(1_000).and_then(|rest| nanos.checked_sub(rest));
        let now = whole.and_then(|whole| now.with_nanosecond(whole.min(999_999_000))).unwrap_or(now);
        let at = if self.seq == 0 { now } else { now.max(self.last) };
        Entry { account: self.account, seq: self.seq.saturating_add(1), at, key, actor, body }
    }

    /// The balance at a time at or after the last entry: lots and holds that have run out by then count as such.
    pub fn balance(&self, at: DateTime<Utc>) -> Balance {
        let at = Moment::up_to(at);
        if !self.index.is_due(at) {
            return self.balance;
        }
        let mut later = self.without_past();
        let advanced = later.lapse(at, &mut ()).and_then(|()| later.sweep(at, &mut ()));
        advanced.map_or(self.balance, |()| later.balance)
    }

    /// How a hold of `amount` at `at` would split; the same code as the hold itself.
    ///
    /// # Errors
    /// What the hold would be refused with: [`InDebt`](Violation::InDebt),
    /// [`InsufficientPurchased`](Violation::InsufficientPurchased),
    /// [`InsufficientTotal`](Violation::InsufficientTotal), [`NotPositive`](Violation::NotPositive).
    pub fn preview(&self, amount: Credits, burn: BurnOrder, at: DateTime<Utc>) -> Result<Split, Violation> {
        let at = Moment::up_to(at);
        let mut state = self.without_past();
        if state.index.lapses_by(at) {
            state.lapse(at, &mut ())?;
        }
        let plan = state.plan_hold(amount, burn, at)?;
        let mut split = Split::default();
        for (bucket, amount) in plan.takes {
            let sum = match bucket {
                Bucket::Awarded => &mut split.awarded,
                Bucket::Purchased => &mut split.purchased,
            };
            *sum = sum.plus(amount)?;
            state.index.draw(&mut state.lots, (bucket, amount), at, |_, lot, credits| {
                split.parts.push(SplitPart { lot: lot.id, bucket, credits });
                Ok(())
            })?;
        }
        Ok(split)
    }

    /// A copy of what time alone changes, without the charges of the past: it costs the same however long that is.
    fn without_past(&self) -> Self {
        Self {
            seq: self.seq,
            last: self.last,
            now: self.now,
            currency: self.currency,
            volume: self.volume,
            paid: self.paid,
            balance: self.balance,
            lots: self.lots.clone(),
            holds: self.holds.clone(),
            reserved: self.reserved.clone(),
            debts: self.debts.clone(),
            index: self.index.clone(),
            ..Self::new(self.account)
        }
    }

    /// The account.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The number of the last entry; 0 before the first.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The time of the last entry; `None` before the first.
    pub fn last(&self) -> Option<DateTime<Utc>> {
        (self.seq > 0).then_some(self.last)
    }

    #[inline(always)]
    fn check(&self, entry: &Entry) -> Result<Moment, Violation> {
        if entry.account != self.account {
            return Err(Violation::WrongAccount { expected: self.account, actual: entry.account });
        }
        if self.seq.checked_add(1) != Some(entry.seq) {
            let expected = self.seq.saturating_add(1);
            return Err(Violation::OutOfSequence { expected, actual: entry.seq });
        }
        match Moment::of(entry.at) {
            Ok(at) if at >= self.now => Ok(at),
            at => Err(self.refuse_time(entry, at)),
        }
    }

    #[cold]
    fn refuse_time(&self, entry: &Entry, at: Result<Moment, Violation>) -> Violation {
        match at {
            Err(imprecise) if self.seq == 0 || entry.at >= self.last => imprecise,
            _ => Violation::TimeBackwards { last: self.last, at: entry.at },
        }
    }

    /// Notes that an entry is applied.
    #[inline]
    const fn pass(&mut self, step: Step<'_>) {
        self.seq = step.entry.seq;
        self.last = step.entry.at;
        self.now = step.at;
    }

    /// Acts where more happens than the entry says: debt is repaid, or something has run out by then.
    #[inline(never)]
    fn act_with_what_is_due(
        &mut self,
        step: Step<'_>,
        is_due: bool,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        if self.index.lapses_by(step.at) || self.repays(&step.entry.body) {
            // Several steps, of which a later one may be refused.
            let before = self.savepoint(step.at);
            let acted = self.act_late(step, effect);
            if acted.is_err() {
                self.go_back(&before);
            }
            self.spare.put(before);
            acted?;
        } else {
            self.act(step, effect)?;
        }
        if is_due {
            self.sweep(step.at, effect)?;
            self.index.drop_empty(&self.lots);
        }
        Ok(())
    }

    /// Acts after what has happened by then without an entry.
    fn act_late(&mut self, step: Step<'_>, effect: &mut impl Observer) -> Result<(), Violation> {
        self.lapse(step.at, effect)?;
        // What a lapsed hold returns to a lot that has run out is void, and so is the rest of the lot, before the entry
        // does anything: whether somebody showed the expiry in between must make no difference.
        self.sweep(step.at, effect)?;
        self.act(step, effect)
    }

    #[inline(always)]
    fn act(&mut self, step: Step<'_>, effect: &mut impl Observer) -> Result<(), Violation> {
        let entry = step.entry;
        if self.is_platform != matches!(entry.body, Body::ShareRules(_)) {
            return Err(Violation::WrongKindOfAccount);
        }
        match &entry.body {
            Body::Grant(grant) => self.grant(step, grant, effect),
            Body::Hold(hold) => self.hold(step, hold, effect),
            Body::Capture(capture) => self.capture(step, capture, effect),
            Body::Release(release) => self.release(step, *release, effect),
            Body::Refund(refund) => self.refund(step, refund, effect),
            Body::Freeze(freeze) => self.freeze(*freeze, effect),
            Body::Unfreeze(unfreeze) => self.unfreeze(step, *unfreeze, effect),
            Body::Reversal(reversal) => self.reverse(step, *reversal, effect),
            Body::Expiry(expiry) => self.expire(step, *expiry),
            Body::ProjectDebit(debit) => self.debit(step, *debit, effect),
            Body::Adjustment(adjustment) => self.adjust(step, adjustment, effect),
            Body::ShareRules(rules) => {
                Moment::of(rules.effective).and_then(|_| rules.check_entry(entry.seq, entry.at))
            }
        }
    }

    /// Voids what has run out by `at`.
    fn sweep(&mut self, at: Moment, effect: &mut impl Observer) -> Result<(), Violation> {
        if at < self.index.next_expiry() {
            return Ok(());
        }
        for bucket in [Bucket::Awarded, Bucket::Purchased] {
            let mut next = 0;
            while let Some(waiting) = self.index.of(bucket).get(next).filter(|waiting| waiting.expires <= at)
            {
                let index = waiting.index;
                let lot = self.lots.get(index).ok_or_else(lot_lost)?;
                let (open, frozen) = (lot.open, lot.frozen);
                self.shift(index, Place::Open, Place::Expired, open, effect)?;
                self.shift(index, Place::Frozen, Place::Expired, frozen, effect)?;
                next = next.saturating_add(1);
            }
        }
        self.index.set_next_expiry(at);
        Ok(())
    }

    /// Moves credits of a lot, keeps the balance, records the move.
    #[inline]
    fn shift(
        &mut self,
        index: usize,
        from: Place,
        to: Place,
        credits: Credits,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        if !credits.is_positive() {
            return Ok(());
        }
        let lot = self.lots.get_mut(index).ok_or_else(lot_lost)?;
        lot.shift(from, to, credits)?;
        self.balance.shift(lot.bucket, from, to, credits)?;
        effect.moved(Move { lot: lot.id, bucket: lot.bucket, from, to, credits });
        Ok(())
    }

    /// Returns credits to where unspent ones of their lot belong.
    #[inline]
    fn give_back(
        &mut self,
        index: usize,
        from: Place,
        credits: Credits,
        at: Moment,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        let lot = self.lots.get(index).ok_or_else(lot_lost)?;
        if Moment::end(lot.expires) <= at {
            return self.shift(index, from, Place::Expired, credits, effect);
        }
        self.index.insert(index, lot);
        let to = if lot.is_frozen { Place::Frozen } else { Place::Open };
        self.shift(index, from, to, credits, effect)
    }

    /// Records debt that arises or, negative, goes.
    fn change_debt(
        &mut self,
        of: DebtOf,
        credits: Credits,
        effect: &mut impl Observer,
    ) -> Result<(), Violation> {
        self.balance.debt = self.balance.debt.plus(credits)?;
        effect.owed(DebtChange { of, credits });
        Ok(())
    }

    /// Counts credits that arrive or are debited; everything the engine adds up later is a part of them.
    fn count_volume(&mut self, credits: Credits) -> Result<(), Violation> {
        let too_many = Violation::Overflow { what: "all that was ever granted and debited" };
        let volume = self.volume.checked_add(credits).filter(|volume| *volume <= MOST_VOLUME);
        self.volume = volume.ok_or(too_many)?;
        Ok(())
    }

    fn lot_index(&self, lot: u64) -> Option<usize> {
        self.lots.binary_search_by_key(&lot, |lot| lot.id).ok()
    }

    fn charge_index(&self, charge: u64) -> Option<usize> {
        self.charges.binary_search_by_key(&charge, |charge| charge.id).ok()
    }
}

impl PartialEq for AccountState {
    /// Whether they say the same, whatever way they keep it.
    fn eq(&self, other: &Self) -> bool {
        self.snapshot() == other.snapshot()
    }
}

impl Eq for AccountState {}

fn positive(field: &'static str, value: Credits) -> Result<(), Violation> {
    if value.is_positive() { Ok(()) } else { Err(Violation::NotPositive { field, value }) }
}
