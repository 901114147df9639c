//! The life of one simulated account: what its owner, its runs and the people in charge do, entry after entry.

use chrono::{DateTime, Utc};

use super::dice::Dice;
use super::market::{DAY, Market, START, TermsCache, moment, signed};
use super::purchase;
use super::recent::Recent;
use crate::id::{AccountId, DeploymentId};
use crate::money::Credits;
use crate::revenue::{AccountState, Body, Effect, Entry, EntryKey, LotSource};

/// An hour in microseconds.
const HOUR: i64 = DAY / 24;

/// One account in the course of its year.
#[derive(Debug)]
pub(super) struct AccountWalk<'a> {
    pub(super) market: &'a Market,
    pub(super) dice: Dice,
    pub(super) state: AccountState,
    left: u64,
    now: i64,
    pub(super) agent: Option<usize>,
    pub(super) is_partner: bool,
    pub(super) is_subscriber: bool,
    /// The first of the modules it deploys.
    pub(super) favourite: usize,
    pub(super) holds: Vec<Running>,
    pub(super) charges: Recent<(u64, Credits)>,
    pub(super) paid_lots: Recent<u64>,
    pub(super) expiring: Recent<(u64, DateTime<Utc>)>,
    pub(super) disputed: Option<u64>,
    /// The module of the hold that is being posted.
    pub(super) chosen: usize,
}

/// A hold whose run is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) hold: u64,
    pub(super) amount: Credits,
    pub(super) module: usize,
    pub(super) deployment: DeploymentId,
}

impl<'a> AccountWalk<'a> {
    /// Before any account.
    pub(super) fn new(market: &'a Market) -> Self {
        Self {
            market,
            dice: Dice::new(0, 0),
            state: AccountState::new(AccountId::from_bytes([0; 16])),
            left: 0,
            now: START,
            agent: None,
            is_partner: false,
            is_subscriber: false,
            favourite: 0,
            holds: Vec::new(),
            charges: Recent::new(),
            paid_lots: Recent::new(),
            expiring: Recent::new(),
            disputed: None,
            chosen: 0,
        }
    }

    /// The id of the account with this index: ids ascend with it.
    pub(super) fn id(seed: u64, index: u64) -> AccountId {
        Self::dice(seed, index).0
    }

    /// How active the account with this index is: most a little, few very much.
    pub(super) fn weight(seed: u64, index: u64) -> u64 {
        Self::dice(seed, index).1
    }

    /// What an account draws first: its id and its weight.
    fn dice(seed: u64, index: u64) -> (AccountId, u64, Dice) {
        let mut dice = Dice::new(seed, index + 1);
        // As UUIDv7: milliseconds, of which every account has one of its own, then what is random.
        let millis = u64::try_from(START / 1_000).unwrap_or(0) + index;
        let random = dice.any();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6..14].copy_from_slice(&random.to_be_bytes());
        bytes[14..].copy_from_slice(&random.rotate_left(23).to_be_bytes()[..2]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        let weight = match dice.below(100) {
            0..40 => dice.between(1, 5),
            40..80 => dice.between(5, 30),
            80..97 => dice.between(30, 120),
            _ => dice.between(120, 600),
        };
        (AccountId::from_bytes(bytes), weight, dice)
    }

    /// Begins the life of another account, which will have so many entries.
    pub(super) fn begin(&mut self, index: u64, entries: u64) {
        let (account, _, mut dice) = Self::dice(self.market.seed(), index);
        self.state.reset(account);
        self.left = entries;
        // Who has more to do came earlier.
        let latest = signed(330 / (entries / 8).clamp(1, 330));
        self.now = START + signed(dice.below(latest.unsigned_abs() * DAY.unsigned_abs()));
        self.agent = (dice.chance(350)).then(|| dice.place(self.market.agents().len()));
        self.agent = self.agent.filter(|agent| self.market.agents().get(*agent) != Some(&account));
        self.is_partner = self.market.partners().binary_search(&account).is_ok();
        self.is_subscriber = dice.chance(200);
        self.favourite = dice.place(1 << 24);
        self.holds.clear();
        self.charges.clear();
        self.paid_lots.clear();
        self.expiring.clear();
        self.disputed = None;
        self.dice = dice;
    }

    pub(super) const fn is_over(&self) -> bool {
        self.left == 0
    }

    /// The next entry; what it did is in `effect`.
    pub(super) fn step(&mut self, terms: &mut TermsCache, effect: &mut Effect) -> Option<Entry> {
        self.wait();
        let at = moment(self.now);
        let (body, actor) = self.propose(at, terms);
        let entry = self.draft(at, actor, body);
        let entry = match self.state.apply_into(&entry, effect) {
            Ok(()) => entry,
            // What was to be done went out of reach meanwhile, as credits expired: buying is always possible.
            Err(_) => {
                let purchase = purchase::bought(&mut self.dice, at);
                let purchase = self.draft(at, None, purchase);
                self.state.apply_into(&purchase, effect).ok()?;
                purchase
            }
        };
        self.left -= 1;
        self.remember(&entry, effect);
        Some(entry)
    }

    fn draft(&mut self, at: DateTime<Utc>, actor: Option<AccountId>, body: Body) -> Entry {
        let mut key = self.dice.bytes();
        // With its own number in it no key comes twice.
        let seq = self.state.seq() + 1;
        key[8..].copy_from_slice(&seq.to_be_bytes());
        self.state.draft(at, EntryKey::from_bytes(key), actor, body)
    }

    /// Lets time pass: a run takes minutes, the rest is spread over what is left of the year.
    fn wait(&mut self) {
        let year = START + 365 * DAY - 1;
        let ahead = (year - self.now).max(0) / signed(self.left.max(1));
        let most = if self.holds.is_empty() { 2 * ahead } else { ahead.min(HOUR) };
        self.now = (self.now + signed(self.dice.below(most.unsigned_abs() + 1))).min(year);
    }

    /// What happens next, and who does it.
    fn propose(&mut self, at: DateTime<Utc>, terms: &mut TermsCache) -> (Body, Option<AccountId>) {
        let balance = self.state.balance(at);
        let roll = self.dice.below(1_000);
        if self.state.seq() == 0 {
            return (purchase::given(&mut self.dice, LotSource::Signup, 30, at), None);
        }
        if !self.holds.is_empty() && roll < 850 {
            return (self.settle(at, terms), None);
        }
        if balance.debt.is_positive() && roll < 700 {
            return (purchase::bought(&mut self.dice, at), None);
        }
        if let Some(lot) = self.disputed
            && roll < 300
        {
            return (self.end_dispute(lot), None);
        }
        match self.dice.below(1_000) {
            0..700 => (self.deploy(at, balance), None),
            700..735 => (purchase::bought(&mut self.dice, at), None),
            735..790 => (self.period_or_gift(at), Some(self.market.admin())),
            790..860 => (self.project_cost(), None),
            860..925 => self.refund(at),
            925..955 => (self.adjustment(at, balance.awarded), Some(self.market.admin())),
            955..970 => (self.dispute(at), None),
            970..980 => (self.payment_refund(at), None),
            _ => (self.expiry(at, balance), None),
        }
    }

    /// Keeps what later entries may act upon.
    fn remember(&mut self, entry: &Entry, effect: &Effect) {
        self.holds.retain(|running| !effect.lapsed.contains(&running.hold));
        match &entry.body {
            Body::Grant(grant) => {
                if grant.cost.is_positive() {
                    self.paid_lots.push(entry.seq);
                }
                if let Some(expires) = grant.expires {
                    self.expiring.push((entry.seq, expires));
                }
            }
            // Nobody settles a hold that is left to lapse.
            Body::Hold(hold) if hold.expires.is_none() => {
                if let Some(deployment) = hold.deployment {
                    let module = self.chosen;
                    self.holds.push(Running { hold: entry.seq, amount: hold.amount, module, deployment });
                }
            }
            Body::Capture(capture) => {
                self.holds.retain(|running| running.hold != capture.hold);
                self.charges.push((entry.seq, capture.amount));
            }
            Body::Release(release) => self.holds.retain(|running| running.hold != release.hold),
            Body::ProjectDebit(debit) => self.charges.push((entry.seq, debit.amount)),
            Body::Freeze(freeze) => self.disputed = Some(freeze.lot),
            Body::Unfreeze(_) => self.disputed = None,
            Body::Reversal(reversal) if self.disputed == Some(reversal.lot) => self.disputed = None,
            _ => {}
        }
    }
}
