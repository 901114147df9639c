//! Gathering what there is to say of a charge, in one pass over a source.

use std::collections::BTreeMap;

use rad_core::export::Record;
use rad_core::money::Credits;
use rad_core::revenue::{
    AccountState, Body, Bucket, Capture, DebtOf, Effect, Entry, EntryId, Grant, PLATFORM_ACCOUNT, Part,
    ReversalCause, Shares, Violation,
};
use rad_core::source::Digest;

use super::missing::Missing;
use super::rules::RuleBook;
use super::{Event, Explanation, Held, Line, LotFacts, Now, PaidBy, Posted};
use crate::chain::Chain;
use crate::failure::{Failure, InputError, Refusal};
use crate::progress::Progress;
use crate::source::{self, Wanted};

/// Explains a charge from a source. Of other accounts nothing is replayed.
///
/// # Errors
/// [`Failure`] if the source cannot be read, the account's history cannot be, or there is no such charge: then it says
/// what is there instead.
pub fn explain(source: &str, charge: EntryId) -> Result<Explanation, Failure> {
    let mut records = source::open(source, Wanted::Entries)?;
    let shown = records.name().to_owned();
    let mut gather = Gather::new(charge);
    let (mut record, mut progress, mut platform) = (Record::default(), Progress::new(), Chain::default());
    while records.next(&mut record)? {
        progress.note(&*records);
        let (entry, line) = (&record.entry, records.line());
        if entry.account > charge.account {
            break;
        }
        if entry.account == PLATFORM_ACCOUNT {
            let posted = posted(entry, platform.follow(&record, &shown, line)?);
            gather.rules.add(entry, posted).map_err(|violation| refusal(&shown, line, entry, violation))?;
        }
        if entry.account == charge.account {
            let posted = posted(entry, gather.chain.follow(&record, &shown, line)?);
            gather.take(entry, posted).map_err(|violation| refusal(&shown, line, entry, violation))?;
        }
    }
    gather.finish(shown)
}

fn posted(entry: &Entry, hash: Digest) -> Posted {
    Posted { entry: entry.id(), hash, at: entry.at, actor: entry.actor }
}

fn refusal(source: &str, line: Option<u64>, entry: &Entry, violation: Violation) -> Refusal {
    Refusal { source: source.to_owned(), line, account: entry.account, seq: entry.seq, violation }
}

/// What is known of the account so far.
struct Gather {
    charge: EntryId,
    chain: Chain,
    state: AccountState,
    effect: Effect,
    rules: RuleBook,
    lots: BTreeMap<u64, LotFacts>,
    holds: BTreeMap<u64, Held>,
    found: Option<Found>,
    since: Vec<Event>,
    missing: Missing,
    last: Option<Posted>,
}

/// The charge itself.
struct Found {
    posted: Posted,
    entry: Entry,
    parts: Vec<PaidBy>,
    earned: Shares,
}

impl Gather {
    fn new(charge: EntryId) -> Self {
        Self {
            charge,
            chain: Chain::default(),
            state: AccountState::new(charge.account),
            effect: Effect::default(),
            rules: RuleBook::default(),
            lots: BTreeMap::new(),
            holds: BTreeMap::new(),
            found: None,
            since: Vec::new(),
            missing: Missing::new(charge),
            last: None,
        }
    }

    fn take(&mut self, entry: &Entry, posted: Posted) -> Result<(), Violation> {
        self.state.apply_into(entry, &mut self.effect)?;
        self.last = Some(posted);
        self.missing.note(entry, &self.effect);
        match &entry.body {
            Body::Grant(grant) => self.note_lot(grant, posted),
            Body::Adjustment(adjustment) if adjustment.amount.is_positive() => {
                self.note_lot(&adjustment.grant(), posted);
            }
            Body::Hold(hold) if entry.seq < self.charge.seq => {
                self.holds.insert(entry.seq, Held { posted, credits: hold.amount, burn: hold.burn });
            }
            _ => {}
        }
        let parts = self.parts(self.effect.parts.iter());
        let lines = self.effect.lines.iter().filter(|line| line.charge == self.charge.seq);
        let lines: Vec<Line> = lines.map(Line::from).collect();
        if entry.seq == self.charge.seq {
            if matches!(entry.body, Body::Capture(_) | Body::ProjectDebit(_)) {
                let earned = lines.first().map(|line| line.shares).unwrap_or_default();
                self.found = Some(Found { posted, entry: entry.clone(), parts, earned });
            }
            return Ok(());
        }
        let debts = self.effect.debts.iter().filter(|debt| debt.of == DebtOf::Charge(self.charge.seq));
        let owed = Credits::checked_sum(debts.map(|debt| debt.credits)).unwrap_or_default();
        if !parts.is_empty() || !lines.is_empty() || owed != Credits::ZERO {
            let (kind, why) = (entry.body.kind(), why(&entry.body));
            self.since.push(Event { posted, kind, why, parts, lines, owed });
        }
        Ok(())
    }

    fn note_lot(&mut self, grant: &Grant, posted: Posted) {
        let facts = LotFacts {
            posted,
            source: grant.source,
            credits: grant.credits,
            cost: grant.cost,
            unit_cost: fraction(grant.cost.micros(), grant.credits.micros()),
            paid: grant.paid.as_deref().cloned(),
            reference: grant.reference.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            expires: grant.expires,
        };
        self.lots.insert(posted.entry.seq, facts);
    }

    /// The parts of the charge, each with its lot.
    fn parts<'a>(&self, parts: impl Iterator<Item = &'a Part>) -> Vec<PaidBy> {
        let of = parts.filter(|part| part.charge == self.charge.seq);
        let with_lot = of.filter_map(|part| Some((part, self.lots.get(&part.lot)?.clone())));
        let paid_by = |(part, lot): (&Part, LotFacts)| PaidBy {
            credits: part.credits,
            bucket: part.bucket,
            cost: part.cost,
            gross: part.gross,
            gross_minor: part.gross_minor,
            lot,
        };
        with_lot.map(paid_by).collect()
    }

    fn finish(mut self, source: String) -> Result<Explanation, Failure> {
        let standing = self.state.charge(self.charge.seq);
        let (Some(found), Some(after), Some(standing)) = (self.found.take(), self.last, standing) else {
            let fault = self.missing.help(&source);
            return Err(InputError::new("--charge", fault).into());
        };
        let rules = self.rules.of(&found.entry);
        let (hold, deployment, terms) = match found.entry.body {
            Body::Capture(Capture { hold, deployment, terms, .. }) => {
                (self.holds.get(&hold).copied(), Some(deployment), Some(terms))
            }
            other => (None, other.deployment(), None),
        };
        let owed = self.state.debts().iter().filter(|debt| debt.of == DebtOf::Charge(standing.id));
        let owed = Credits::checked_sum(owed.map(|debt| debt.credits)).unwrap_or_default();
        let parts = self.parts(standing.parts.iter());
        let now = Now { after, refunded: standing.refunded, owed, parts, shares: standing.shares };
        Ok(Explanation {
            source,
            charge: found.posted,
            kind: if terms.is_some() { "deployment" } else { "project" },
            credits: standing.credits,
            deployment,
            hold,
            terms,
            rules,
            parts: found.parts,
            earned: found.earned,
            since: self.since,
            now,
        })
    }
}

fn why(body: &Body) -> Option<String> {
    match body {
        Body::Refund(refund) => Some(refund.reason.to_string()),
        Body::Reversal(reversal) => Some(match reversal.cause {
            ReversalCause::DisputeLost => "the dispute was lost".to_owned(),
            _ => "the payment was refunded".to_owned(),
        }),
        Body::Grant(grant) if grant.bucket == Bucket::Purchased => Some("a purchase repaid debt".to_owned()),
        _ => None,
    }
}

/// A fraction in lowest terms.
fn fraction(numerator: i64, denominator: i64) -> String {
    let (mut one, mut other) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    while other > 0 {
        (one, other) = (other, one % other);
    }
    let divisor = one.max(1);
    let (numerator, denominator) = (numerator.unsigned_abs() / divisor, denominator.unsigned_abs() / divisor);
    if denominator == 1 { numerator.to_string() } else { format!("{numerator}/{denominator}") }
}

#[cfg(test)]
mod tests {
    use super::fraction;

    #[test]
    fn fractions_are_in_lowest_terms() {
        for (numerator, denominator, text) in
            [(10_000_000, 100_000_000, "1/10"), (0, 5, "0"), (10_000_000, 3_000_000, "10/3"), (4, 2, "2")]
        {
            assert_eq!(fraction(numerator, denominator), text);
        }
    }
}
