//! The engine over a history in memory, through the same `apply` that live books use.

use std::collections::HashMap;
use std::hint::black_box;

use anyhow::{Context as _, ensure};
use rad_core::id::ModuleId;
use rad_core::revenue::{
    AccountState, Body, Earning, Effect, Entry, Group, Grouping, Observer, Summary, Totals, Violation,
};
use rad_core::simulation::Simulation;

use crate::beside::Split;
use crate::measure::Measured;
use crate::plain;

/// A history in memory, account after account.
pub(crate) struct Books {
    entries: Vec<Entry>,
    accounts: u64,
}

impl Books {
    /// The history of a simulated market.
    pub(crate) fn of(market: Simulation) -> anyhow::Result<Self> {
        let mut entries = Vec::with_capacity(usize::try_from(market.entries)?);
        entries.extend(market.market()?.entries());
        Ok(Self { entries, accounts: market.accounts })
    }

    /// A plain history, taken from a simulated market of a third more entries.
    pub(crate) fn plain(market: Simulation) -> anyhow::Result<Self> {
        let market = Simulation { entries: market.entries / 3 * 4, ..market };
        Ok(Self { entries: plain::history(&market.market()?), accounts: market.accounts })
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Checks that every module was charged as many awarded and purchased credits as others found.
    pub(crate) fn splits_as(&self, others: &Split, modules: &[ModuleId]) -> anyhow::Result<()> {
        let ours: HashMap<Group, Totals> = replay(&self.entries)?.groups().collect();
        let found = ours.values().filter(|totals| totals.credits.is_positive()).count();
        ensure!(found == others.len(), "{found} modules were charged, others found {}", others.len());
        for (number, awarded, purchased) in others {
            let module = modules.get(usize::try_from(*number)?).context("a module without a number")?;
            let totals = ours.get(&Group::Module(*module)).copied().unwrap_or_default();
            let split = (totals.awarded.micros(), totals.purchased.micros());
            ensure!(
                split == (*awarded, *purchased),
                "module {module}: {split:?}, others {awarded}, {purchased}"
            );
        }
        Ok(())
    }

    /// Every entry applied, shares summed per module.
    pub(crate) fn replay(&self, rounds: u32) -> Result<Measured, Violation> {
        self.measured(rounds, || replay(&self.entries).map(|summary| drop(black_box(summary))))
    }

    /// The same by two threads, each with half of the accounts.
    pub(crate) fn two_threads(&self, rounds: u32) -> Result<Measured, Violation> {
        let middle = self.entries.len() / 2;
        let next = |at: usize| self.entries.get(at).map(|entry| entry.account);
        let cut = (middle..).find(|at| next(*at) != next(at.saturating_sub(1))).unwrap_or(middle);
        let (one, other) = self.entries.split_at(cut);
        self.measured(rounds, || {
            std::thread::scope(|scope| {
                let one = scope.spawn(|| replay(one).map(|summary| drop(black_box(summary))));
                replay(other).map(|summary| drop(black_box(summary)))?;
                one.join().unwrap_or(Err(Violation::Inconsistent { what: "a thread panicked" }))
            })
        })
    }

    /// Every entry applied, and its whole effect kept until the next.
    pub(crate) fn effects(&self, rounds: u32) -> Result<Measured, Violation> {
        self.measured(rounds, || {
            let mut effect = Effect::default();
            let mut parts = 0;
            each_account(&self.entries, |state, entry| {
                state.apply_into(entry, &mut effect)?;
                parts += effect.parts.len();
                Ok(())
            })?;
            black_box(parts);
            Ok(())
        })
    }

    /// One pass that sums the columns the split is made of: per module, what was charged; in all, what was granted.
    pub(crate) fn floor(&self, rounds: u32) -> Result<Measured, Violation> {
        self.measured(rounds, || {
            let mut granted = 0_i64;
            let mut charged: HashMap<ModuleId, i64> = HashMap::new();
            let mut last = (None, 0_i64);
            for entry in &self.entries {
                match &entry.body {
                    Body::Grant(grant) => granted = granted.wrapping_add(grant.credits.micros()),
                    Body::Capture(capture) => {
                        if last.0 != Some(capture.terms.module) {
                            if let (Some(module), sum) = last {
                                *charged.entry(module).or_default() += sum;
                            }
                            last = (Some(capture.terms.module), 0);
                        }
                        last.1 = last.1.wrapping_add(capture.amount.micros());
                    }
                    _ => {}
                }
            }
            black_box((granted, charged, last));
            Ok(())
        })
    }

    /// Memory for the compact state of an account, as the process grows when it keeps all of them.
    pub(crate) fn bytes_of_compact_states(&self) -> anyhow::Result<u64> {
        let mut kept = Vec::with_capacity(usize::try_from(self.accounts)?);
        let before = resident()?;
        let mut state: Option<AccountState> = None;
        for entry in &self.entries {
            if state.as_ref().is_none_or(|state| state.account() != entry.account) {
                kept.extend(state.take().map(compact));
                state = Some(AccountState::new(entry.account));
            }
            if let Some(state) = &mut state {
                state.apply_into(entry, &mut ())?;
            }
        }
        kept.extend(state.map(compact));
        let after = resident()?;
        let count = u64::try_from(black_box(&kept).len())?;
        Ok(after.saturating_sub(before) / count + u64::try_from(size_of::<AccountState>())?)
    }

    fn measured(
        &self,
        rounds: u32,
        work: impl FnMut() -> Result<(), Violation>,
    ) -> Result<Measured, Violation> {
        Measured::fastest(rounds, self.entries.len() as u64, work)
    }
}

/// A copy without spare room: what a store reads back.
fn compact(mut state: AccountState) -> AccountState {
    state.compact();
    state.clone()
}

/// The memory the process has in use, in bytes.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).unwrap_or("0");
    Ok(kilobytes.trim().parse::<u64>()? * 1_024)
}

fn replay(entries: &[Entry]) -> Result<Summary, Violation> {
    let mut tally = Tally { summary: Summary::new(Grouping::Module), failed: None };
    each_account(entries, |state, entry| state.apply_into(entry, &mut tally))?;
    tally.failed.map_or(Ok(tally.summary), Err)
}

fn each_account(
    entries: &[Entry],
    mut apply: impl FnMut(&mut AccountState, &Entry) -> Result<(), Violation>,
) -> Result<(), Violation> {
    let Some(first) = entries.first() else { return Ok(()) };
    let mut state = AccountState::new(first.account);
    for entry in entries {
        if entry.account != state.account() {
            state.reset(entry.account);
        }
        apply(&mut state, entry)?;
    }
    Ok(())
}

/// Sums revenue per module while entries are applied.
struct Tally {
    summary: Summary,
    failed: Option<Violation>,
}

impl Observer for Tally {
    #[inline]
    fn earned(&mut self, earning: &Earning<'_>) {
        if let Err(violation) = self.summary.add(earning) {
            self.failed = Some(violation);
        }
    }
}
