//! What would have been earned under other rules: the same entries, rewritten, through the same engine.

mod compare;
mod policies;

use std::collections::BTreeMap;

use rad_core::revenue::{AccountState, Body, Effect, Entry, PLATFORM_ACCOUNT};
use serde::Serialize;

use crate::failure::{Failure, InputError, InputFault, Refusal, variant};
use crate::fold::{Applied, Fold, Step};
use crate::revenue::{By, RevenueSums};
use crate::source::Wanted;

pub use compare::{Change, Comparison};
pub use policies::Policies;

/// The history as it was, beside the one under other rules.
#[derive(Debug, Serialize)]
pub struct WhatIf {
    /// What was replayed.
    pub source: String,
    /// The rules that were put in place of those recorded.
    pub policies: Policies,
    /// The version of the current share rules, where those were asked for.
    pub current_rules: Option<u32>,
    /// Entries that were replayed.
    pub entries: u64,
    /// Entries that could not have happened.
    pub impossible: u64,
    /// The same by kind of entry and reason.
    pub impossible_by: Vec<Impossible>,
    /// The difference in each currency there are charges in.
    pub changes: Vec<Comparison>,
}

/// Entries that could not have happened, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Impossible {
    /// What they were to do.
    pub kind: &'static str,
    /// Why the engine refuses them, by the name of the violation.
    pub reason: String,
    /// How many.
    pub entries: u64,
}

/// Replays a source twice, as it was and under other policies, and compares.
///
/// # Errors
/// [`Failure`] if the source cannot be read or its entries, as they were, cannot be.
pub fn what_if(source: &str, policies: Policies) -> Result<WhatIf, Failure> {
    let mut fold = Fold::open(source, Wanted::Entries)?;
    let shown = fold.source().to_owned();
    let mut replay = Replay::new(&shown, policies);
    let mut entries = 0_u64;
    while let Some(step) = fold.step()? {
        if let Step::Entry(applied) = step {
            entries = entries.saturating_add(1);
            replay.take(&applied)?;
        }
    }
    let Replay { policies, impossible, sums, rewriting, .. } = replay;
    let impossible: Vec<Impossible> = impossible
        .into_iter()
        .map(|((kind, reason), entries)| Impossible { kind, reason, entries })
        .collect();
    let finish = |[partners, agents]: Both| -> Result<_, InputError> {
        Ok([partners.finish(&shown)?, agents.finish(&shown)?])
    };
    let [was, would_be] = sums;
    let changes = compare::compare(finish(was)?, finish(would_be)?);
    Ok(WhatIf {
        policies,
        current_rules: rewriting.current_version(),
        entries,
        impossible: impossible.iter().fold(0, |sum, one| one.entries.saturating_add(sum)),
        impossible_by: impossible,
        changes,
        source: shown,
    })
}

/// Revenue by partner and by agent.
type Both = [RevenueSums; 2];

struct Replay<'a> {
    source: &'a str,
    policies: Policies,
    rewriting: policies::Rewriting,
    state: AccountState,
    effect: Effect,
    impossible: BTreeMap<(&'static str, String), u64>,
    /// As it was, and as it would have been.
    sums: [Both; 2],
}

impl<'a> Replay<'a> {
    fn new(source: &'a str, policies: Policies) -> Self {
        let both = || [RevenueSums::new(Some(By::Partner)), RevenueSums::new(Some(By::Agent))];
        Self {
            source,
            policies,
            rewriting: policies::Rewriting::new(policies),
            state: AccountState::new(PLATFORM_ACCOUNT),
            effect: Effect::default(),
            impossible: BTreeMap::new(),
            sums: [both(), both()],
        }
    }

    fn take(&mut self, applied: &Applied<'_>) -> Result<(), Failure> {
        let entry = &applied.record.entry;
        if let Body::ShareRules(rules) = &entry.body {
            self.rewriting.note(rules);
        }
        let [was, would_be] = &mut self.sums;
        add(was, applied.effect, self.source)?;
        if entry.account != self.state.account() {
            self.state.reset(entry.account);
        }
        if self.policies.current_rates
            && matches!(entry.body, Body::Capture(_))
            && self.rewriting.current_version().is_none()
        {
            return Err(no_rules(self.source).into());
        }
        let rewritten = self.rewriting.rewrite(&entry.body);
        let other;
        let entry = match rewritten {
            None => entry,
            Some(body) => {
                other = Entry { body, ..entry.clone() };
                &other
            }
        };
        match self.state.apply_into(entry, &mut self.effect) {
            Ok(()) => Ok(add(would_be, &self.effect, self.source)?),
            Err(violation) => {
                let reason = (entry.body.kind(), variant(&violation));
                let count = self.impossible.entry(reason).or_default();
                *count = count.saturating_add(1);
                let line = applied.line;
                let (account, seq) = (entry.account, entry.seq);
                let refused =
                    |violation| Refusal { source: self.source.to_owned(), line, account, seq, violation };
                Ok(self.state.pass_over(entry).map_err(refused)?)
            }
        }
    }
}

fn add(sums: &mut Both, effect: &Effect, source: &str) -> Result<(), InputError> {
    for line in &effect.lines {
        sums.iter_mut().try_for_each(|sums| sums.add(line, source))?;
    }
    Ok(())
}

fn no_rules(source: &str) -> InputError {
    let fault = InputFault::Argument {
        value: "true".to_owned(),
        reason: format!("{source} has no share rules"),
        mend: "export the account with the share rules too, or give the rates".to_owned(),
    };
    InputError::new("--current-rates", fault)
}
