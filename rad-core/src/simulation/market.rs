//! What all accounts of a simulated market have in common, and the walk from account to account.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Simulation;
use super::account::AccountWalk;
use super::dice::Dice;
use crate::id::{AccountId, ModuleId};
use crate::money::{Credits, CreditsPerUnit, Currency, Rate};
use crate::revenue::{
    AccountState, Body, BurnOrder, ChargeTerms, Effect, Entry, EntryKey, Freeze, PLATFORM_ACCOUNT,
    PartnerRate, RevenueBasis, Rounding, ShareHistory, ShareRules,
};
use crate::source::CommitId;

/// 2026-01-01T00:00:00Z in microseconds: the beginning of every simulated year.
pub(super) const START: i64 = 1_767_225_600_000_000;
/// A day in microseconds.
pub(super) const DAY: i64 = 86_400_000_000;
/// Commits of a module in the course of the year.
const COMMITS: usize = 3;
/// What a market has at most of those who earn.
const MOST_PARTNERS: u64 = 64;
const MOST_AGENTS: u64 = 12;

/// A simulated market: modules, those who earn from them, and the share rules of the year 2026.
#[derive(Debug, Clone)]
pub struct Market {
    simulation: Simulation,
    admin: AccountId,
    partners: Vec<AccountId>,
    agents: Vec<AccountId>,
    modules: Vec<Module>,
    rules: Vec<Entry>,
    history: ShareHistory,
    /// The activity of all accounts together.
    weight: u64,
}

/// A module on offer.
#[derive(Debug, Clone)]
pub(super) struct Module {
    pub(super) id: ModuleId,
    publisher: Option<AccountId>,
    commits: [CommitId; COMMITS],
    /// When each commit but the first takes over.
    updates: [DateTime<Utc>; COMMITS - 1],
    pub(super) price: Credits,
    pub(super) burn: BurnOrder,
}

impl Market {
    pub(super) fn new(simulation: Simulation) -> Self {
        let Simulation { accounts, seed, .. } = simulation;
        let mut dice = Dice::new(seed, 0);
        let id = |index| AccountWalk::id(seed, index);
        let count = (accounts / 1_000 + 8).min(MOST_PARTNERS).min(accounts);
        let partners: Vec<_> = (0..count).map(|place| id(place * accounts / count)).collect();
        let count = (accounts / 2_000 + 3).min(MOST_AGENTS).min(accounts);
        let agents = (0..count).map(|place| id((2 * place + 1) * accounts / (2 * count))).collect();
        let admin = AccountId::from_bytes(dice.bytes());
        let modules =
            (0..partners.len() * 4 + 8).map(|place| Module::draw(&mut dice, place, &partners)).collect();
        let (rules, history) = rules(&partners, admin, seed, simulation.entries - accounts);
        let weight = (0..accounts).map(|index| AccountWalk::weight(seed, index)).sum();
        Self { simulation, admin, partners, agents, modules, rules, history, weight }
    }

    /// The partners, in the order of their ids. They are accounts of the market.
    pub fn partners(&self) -> &[AccountId] {
        &self.partners
    }

    /// The agents, in the order of their ids. They are accounts of the market.
    pub fn agents(&self) -> &[AccountId] {
        &self.agents
    }

    /// The share rules of the year.
    pub const fn history(&self) -> &ShareHistory {
        &self.history
    }

    /// All entries: those of the platform's account, then account by account.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let mut histories = self.histories();
        std::iter::from_fn(move || histories.step().map(|(entry, _)| entry.clone()))
    }

    /// A walk over all entries: those of the platform's account, then account by account.
    pub fn histories(&self) -> Histories<'_> {
        Histories::new(self, true, 0..self.simulation.accounts)
    }

    /// The modules on offer.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = ModuleId> {
        self.modules.iter().map(|module| module.id)
    }

    /// A walk over the accounts with these indices, of `0..accounts`, and no others: for several threads.
    pub fn histories_of(&self, accounts: Range<u64>) -> Histories<'_> {
        Histories::new(self, false, accounts.start..accounts.end.min(self.simulation.accounts))
    }

    pub(super) const fn seed(&self) -> u64 {
        self.simulation.seed
    }

    pub(super) const fn admin(&self) -> AccountId {
        self.admin
    }

    /// A module by any number.
    pub(super) fn module(&self, number: usize) -> (usize, &Module) {
        let place = number % self.modules.len();
        (place, &self.modules[place])
    }

    /// How many of all entries the accounts before the one with this weight have, given the weight of all before it: one for
    /// each, the rest in proportion to their weight.
    fn entries_before(&self, index: u64, weight: u64) -> u64 {
        let spare = self.simulation.entries - self.simulation.accounts - self.rules.len() as u64;
        let share = u128::from(spare) * u128::from(weight) / u128::from(self.weight.max(1));
        index + u64::try_from(share).unwrap_or(spare)
    }
}

/// A walk over the entries of a simulated market, account by account. It holds one account.
#[derive(Debug)]
pub struct Histories<'a> {
    market: &'a Market,
    /// Entries of the platform's account that are still to come.
    rules: std::slice::Iter<'a, Entry>,
    platform: AccountState,
    account: AccountWalk<'a>,
    /// The next account.
    index: u64,
    end: u64,
    /// The weight of the accounts before it.
    weight: u64,
    terms: TermsCache,
    entry: Entry,
    effect: Effect,
}

impl<'a> Histories<'a> {
    fn new(market: &'a Market, with_platform: bool, accounts: Range<u64>) -> Self {
        let weight = (0..accounts.start).map(|index| AccountWalk::weight(market.seed(), index)).sum();
        let rules = if with_platform { market.rules.as_slice() } else { &[] };
        Self {
            market,
            rules: rules.iter(),
            platform: AccountState::new(PLATFORM_ACCOUNT),
            account: AccountWalk::new(market),
            index: accounts.start,
            end: accounts.end,
            weight,
            terms: TermsCache::new(market),
            entry: nothing(),
            effect: Effect::default(),
        }
    }

    /// The next entry and what it did; `None` after the last one.
    pub fn step(&mut self) -> Option<(&Entry, &Effect)> {
        if let Some(entry) = self.rules.next() {
            self.entry.clone_from(entry);
            self.platform.apply_into(entry, &mut self.effect).ok()?;
            return Some((&self.entry, &self.effect));
        }
        while self.account.is_over() {
            self.next_account()?;
        }
        self.entry = self.account.step(&mut self.terms, &mut self.effect)?;
        Some((&self.entry, &self.effect))
    }

    fn next_account(&mut self) -> Option<()> {
        if self.index >= self.end {
            return None;
        }
        let before = self.market.entries_before(self.index, self.weight);
        self.weight += AccountWalk::weight(self.market.seed(), self.index);
        let entries = self.market.entries_before(self.index + 1, self.weight) - before;
        self.account.begin(self.index, entries);
        self.index += 1;
        Some(())
    }
}

/// The terms of charges, each kept once.
#[derive(Debug)]
pub(super) struct TermsCache {
    terms: Vec<Option<Arc<ChargeTerms>>>,
    agents: usize,
    versions: usize,
}

impl TermsCache {
    fn new(market: &Market) -> Self {
        let (agents, versions) = (market.agents.len() + 1, market.rules.len());
        Self { terms: vec![None; market.modules.len() * COMMITS * versions * agents], agents, versions }
    }

    /// The terms of a charge for a module at a time: the commit of then, the rules in force then.
    pub(super) fn of(
        &mut self,
        market: &Market,
        module: usize,
        agent: Option<usize>,
        at: DateTime<Utc>,
    ) -> Option<Arc<ChargeTerms>> {
        let rules = market.history.at(at)?;
        let offered = market.modules.get(module)?;
        let commit = offered.updates.iter().filter(|update| **update <= at).count();
        let version = usize::try_from(rules.version).ok()?.checked_sub(1)?;
        let place = ((module * COMMITS + commit) * self.versions + version) * self.agents;
        let slot = self.terms.get_mut(place + agent.map_or(0, |agent| agent + 1))?;
        let terms = slot.get_or_insert_with(|| {
            let agent = agent.and_then(|agent| market.agents.get(agent)).copied();
            let commit = offered.commits[commit].clone();
            Arc::new(rules.terms(offered.id, commit, offered.publisher, agent))
        });
        Some(Arc::clone(terms))
    }
}

impl Module {
    fn draw(dice: &mut Dice, place: usize, partners: &[AccountId]) -> Self {
        let publisher = partners.get(place % partners.len().max(1)).copied();
        Self {
            id: ModuleId::from_bytes(dice.bytes()),
            // Every eighth module is the platform's own.
            publisher: publisher.filter(|_| place % 8 != 7),
            commits: std::array::from_fn(|_| {
                let (head, tail) = (dice.bytes(), dice.bytes());
                CommitId::from_sha1(std::array::from_fn(|place| {
                    if place < 16 { head[place] } else { tail[place - 16] }
                }))
            }),
            updates: [dice.between(40, 120), dice.between(180, 300)]
                .map(|day| moment(START + signed(day) * DAY)),
            price: Credits::from_micros(dice.pick([1, 2, 3, 5, 8, 12, 20, 35]) * 1_000_000),
            burn: BurnOrder::of_module(dice.chance(100)),
        }
    }
}

/// How many share rules a year has, given enough entries.
const RULES: u64 = 5;

/// The entries of the platform's account: each rule is announced a week before it is in force, but for the first.
fn rules(partners: &[AccountId], admin: AccountId, seed: u64, count: u64) -> (Vec<Entry>, ShareHistory) {
    let mut state = AccountState::new(PLATFORM_ACCOUNT);
    let mut history = ShareHistory::new();
    let mut entries = Vec::new();
    for version in 1..=count.min(RULES) {
        let rules = rules_of(version, partners);
        let announced = if version == 1 { START } else { rules.effective.timestamp_micros() - 7 * DAY };
        let key = EntryKey::derive("simulation/rules", &[&seed.to_be_bytes(), &version.to_be_bytes()]);
        let body = Body::ShareRules(Arc::new(rules));
        let entry = state.draft(moment(announced), key, Some(admin), body);
        if state.apply(&entry).is_ok() && history.add(&entry).is_ok() {
            entries.push(entry);
        }
    }
    (entries, history)
}

/// The rules of a version: the rates go up, some partners get their own, allowances earn for a while.
fn rules_of(version: u64, partners: &[AccountId]) -> ShareRules {
    let (day, partner, agent, own) = match version {
        1 => (0, 2_000, 500, 0),
        2 => (59, 2_250, 500, 1),
        3 => (120, 2_250, 750, 2),
        4 => (212, 2_500, 750, 3),
        _ => (304, 2_500, 1_000, 2),
    };
    let overrides = partners.iter().take(own).zip([3_000, 1_750, 3_333]);
    let overrides = overrides.map(|(partner, points)| PartnerRate { partner: *partner, share: rate(points) });
    let price = CreditsPerUnit::from_hundredths(1_000).ok();
    ShareRules {
        version: u32::try_from(version).unwrap_or(1),
        effective: moment(START + day * DAY),
        currency: Currency::USD,
        partner_share: rate(partner),
        agent_share: rate(agent),
        overrides: overrides.collect(),
        basis: RevenueBasis::LotCost,
        allowance_earns: price.filter(|_| version == 4),
        rounding: Rounding::default(),
    }
}

fn rate(basis_points: u16) -> Rate {
    Rate::from_basis_points(basis_points).unwrap_or(Rate::ZERO)
}

/// A drawn number as a signed one; draws here are far below the limit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time given in microseconds.
pub(super) fn moment(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// An entry to begin with, which no history has.
fn nothing() -> Entry {
    let body = Body::Freeze(Freeze { lot: 0 });
    Entry {
        account: PLATFORM_ACCOUNT,
        seq: 0,
        at: moment(START),
        key: EntryKey::from_bytes([0; 16]),
        actor: None,
        body,
    }
}
