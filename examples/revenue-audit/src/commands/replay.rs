//! `replay`: what all entries of a source come to.

use std::io::{self, Write};

use serde::Serialize;

use super::Command;
use crate::failure::Failure;
use crate::figures::minor;
use crate::fold::{Fold, Step};
use crate::output::{Report, write_table};
use crate::period::Period;
use crate::revenue::{By, Revenue, RevenueSums};
use crate::source::Wanted;
use crate::totals::{CreditTotals, Totals};

/// Apply every entry and sum up what it did: credits, money, revenue and shares.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// A file that ends in .csv or .jsonl, each also .gz; or a ledger as sqlite:PATH or postgres://user@host/database.
    pub source: String,
    /// Also list the revenue of each of these.
    #[arg(long, value_enum)]
    pub by: Option<By>,
    /// What to count.
    #[command(flatten)]
    pub period: Period,
}

/// What a replay came to.
#[derive(Debug, Serialize)]
pub struct Replayed {
    /// What was replayed, without anything secret.
    pub source: String,
    /// What was counted.
    #[serde(flatten)]
    pub period: Period,
    /// Entries and accounts, credits and payments.
    #[serde(flatten)]
    pub totals: Totals,
    /// The revenue in each currency there are charges in.
    pub revenue: Vec<Revenue>,
}

impl Command for Replay {
    type Report = Replayed;

    fn run(&self) -> Result<Replayed, Failure> {
        let mut fold = Fold::open(&self.source, Wanted::Entries)?.until(self.period.to);
        let source = fold.source().to_owned();
        let mut totals = Totals::default();
        let mut revenue = RevenueSums::new(self.by);
        while let Some(step) = fold.step()? {
            match step {
                Step::Entry(applied) => {
                    totals.add_entry(&applied, self.period);
                    for line in applied.effect.lines.iter().filter(|line| self.period.contains(line.at)) {
                        revenue.add(line, &source)?;
                    }
                }
                Step::AccountEnd(state) => totals.end_account(state, self.period),
            }
        }
        let revenue = revenue.finish(&source)?;
        Ok(Replayed { source, period: self.period, totals, revenue })
    }
}

impl Report for Replayed {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let totals = &self.totals;
        writeln!(out, "{}: {} entries of {} accounts", self.source, totals.entries, totals.accounts)?;
        if let Some(from) = self.period.from {
            writeln!(out, "from {from}")?;
        }
        if let Some(to) = self.period.to {
            writeln!(out, "up to {to}")?;
        }
        writeln!(out)?;
        write_credits(out, &totals.credits)?;
        writeln!(out, "\nmoney received  {}", totals.received)?;
        writeln!(out, "paid back       {}", totals.paid_back)?;
        self.revenue.iter().try_for_each(|revenue| write_revenue(out, revenue))
    }
}

fn write_credits(out: &mut dyn Write, credits: &CreditTotals) -> io::Result<()> {
    let rows = [
        ("granted", credits.granted),
        ("spent, less refunds", credits.spent),
        ("expired", credits.expired),
        ("removed", credits.removed),
        ("reversed", credits.reversed),
        ("spendable at the end", credits.spendable),
        ("held at the end", credits.held),
        ("frozen at the end", credits.frozen),
        ("owed at the end", credits.debt),
    ];
    write_table(out, ["credits", ""], &rows.map(|(name, sum)| [name.to_owned(), sum.to_string()]))
}

fn write_revenue(out: &mut dyn Write, revenue: &Revenue) -> io::Result<()> {
    let heading = revenue.by.map_or("", By::name);
    let named =
        revenue.groups.iter().map(|group| (group.group.clone().unwrap_or("none".to_owned()), &group.sums));
    let rows: Vec<_> = named
        .chain([("all".to_owned(), &revenue.total)])
        .map(|(name, sums)| {
            let money = [sums.gross_minor, sums.partner_minor, sums.agent_minor, sums.platform_minor];
            let [gross, partner, agent, platform] = money.map(|units| minor(units, revenue.currency));
            [name, sums.credits.to_string(), gross, partner, agent, platform]
        })
        .collect();
    writeln!(out, "\nrevenue in {}", revenue.currency)?;
    write_table(out, [heading, "credits", "gross", "partner", "agent", "platform"], &rows)
}
