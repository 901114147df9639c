//! `what-if`: what would have been earned under other rules.

use std::io::{self, Write};

use clap::ValueEnum;
use rad_core::money::{CreditsPerUnit, Rate};
use rad_core::revenue::{BurnOrder, RevenueBasis};

use super::Command;
use crate::failure::{Failure, InputError, InputFault};
use crate::figures::minor;
use crate::output::{Report, write_table};
use crate::what_if::{self, Change, Comparison, Policies};

/// Replay under other rules and show the difference for every partner and agent, and in all.
#[derive(Debug, clap::Args)]
pub struct WhatIf {
    /// A file or database with the entries.
    pub source: String,
    /// Every partner's share, in percent.
    #[arg(long, value_name = "PERCENT")]
    pub partner_share: Option<Rate>,
    /// Every agent's share, in percent.
    #[arg(long, value_name = "PERCENT")]
    pub agent_share: Option<Rate>,
    /// Which credits pay first; fees that only purchased credits may pay stay so.
    #[arg(long, value_enum, value_name = "ORDER")]
    pub burn_order: Option<Order>,
    /// What purchased credits yield: lot-cost, or credits-per-unit=10.
    #[arg(long, value_name = "BASIS", value_parser = basis)]
    pub basis: Option<RevenueBasis>,
    /// Credits of allowances yield their worth at so many credits for a unit of the currency.
    #[arg(long, value_name = "CREDITS")]
    pub allowance_earns: Option<CreditsPerUnit>,
    /// Split all charges by the share rules in force last.
    #[arg(long)]
    pub current_rates: bool,
}

/// Which credits pay first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Awarded credits, then purchased ones.
    AwardedFirst,
    /// Purchased credits, then awarded ones.
    PurchasedFirst,
    /// Purchased credits alone.
    PurchasedOnly,
}

impl From<Order> for BurnOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::AwardedFirst => Self::AwardedFirst,
            Order::PurchasedFirst => Self::PurchasedFirst,
            Order::PurchasedOnly => Self::PurchasedOnly,
        }
    }
}

/// Reads a basis.
fn basis(text: &str) -> Result<RevenueBasis, String> {
    match text.split_once('=') {
        None if text == "lot-cost" => Ok(RevenueBasis::LotCost),
        Some(("credits-per-unit", price)) => {
            price.parse().map(RevenueBasis::CreditsPerUnit).map_err(|error| format!("{error}"))
        }
        _ => Err("give lot-cost, or credits-per-unit= and a price such as 10".to_owned()),
    }
}

impl Command for WhatIf {
    type Report = what_if::WhatIf;

    fn run(&self) -> Result<what_if::WhatIf, Failure> {
        let policies = Policies {
            partner_share: self.partner_share,
            agent_share: self.agent_share,
            burn_order: self.burn_order.map(BurnOrder::from),
            basis: self.basis,
            allowance_earns: self.allowance_earns,
            current_rates: self.current_rates,
        };
        if policies == Policies::default() {
            let fault = InputFault::Argument {
                value: String::new(),
                reason: "nothing is to be different".to_owned(),
                mend: "give --partner-share, --agent-share, --burn-order, --basis, --allowance-earns or \
                    --current-rates"
                    .to_owned(),
            };
            return Err(InputError::new("what-if", fault).into());
        }
        what_if::what_if(&self.source, policies)
    }
}

impl Report for what_if::WhatIf {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {} entries, replayed twice", self.source, self.entries)?;
        if let Some(version) = self.current_rules {
            writeln!(out, "current rates: share rules {version}")?;
        }
        writeln!(out, "{} entries could not have happened", self.impossible)?;
        for one in &self.impossible_by {
            writeln!(out, "  {} {}: {}", one.entries, one.kind.replace('_', " "), one.reason)?;
        }
        self.changes.iter().try_for_each(|comparison| write_comparison(out, comparison))
    }
}

fn write_comparison(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    let row = |name: &str, change: &Change| {
        let figures = [change.was_minor, change.would_be_minor, change.difference_minor];
        let [was, would_be, difference] = figures.map(|units| minor(units, comparison.currency));
        [name.to_owned(), was, would_be, difference]
    };
    let mut rows = vec![
        row("gross", &comparison.gross),
        row("partners", &comparison.partners),
        row("agents", &comparison.agents),
        row("platform", &comparison.platform),
    ];
    rows.extend(comparison.by_partner.iter().map(|(id, change)| row(&format!("partner {id}"), change)));
    rows.extend(comparison.by_agent.iter().map(|(id, change)| row(&format!("agent {id}"), change)));
    writeln!(out)?;
    let heading = format!("revenue in {}", comparison.currency);
    write_table(out, [&heading, "was", "would be", "difference"], &rows)
}
