//! An explanation as a tree to read.

use std::collections::BTreeSet;
use std::io::{self, Write};

use rad_core::money::Currency;
use rad_core::revenue::{Bucket, ChargeTerms, LotSource, Shares};

use super::{Event, Explanation, LotFacts, PaidBy, Posted, Rules};
use crate::figures::minor;
use crate::output::Report;

impl Report for Explanation {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.tree().write(out)
    }
}

/// A line with lines below it.
struct Node {
    text: String,
    below: Vec<Node>,
}

impl Node {
    fn leaf(text: impl Into<String>) -> Self {
        Self { text: text.into(), below: Vec::new() }
    }

    fn new(text: impl Into<String>, below: impl IntoIterator<Item = Self>) -> Self {
        Self { text: text.into(), below: below.into_iter().collect() }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.text)?;
        self.write_below("", out)
    }

    fn write_below(&self, indent: &str, out: &mut dyn Write) -> io::Result<()> {
        for (place, node) in self.below.iter().enumerate() {
            let is_last = place + 1 == self.below.len();
            let (branch, trunk) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            writeln!(out, "{indent}{branch}{}", node.text)?;
            node.write_below(&format!("{indent}{trunk}"), out)?;
        }
        Ok(())
    }
}

impl Explanation {
    fn tree(&self) -> Node {
        let currency = self.terms.as_ref().map(|terms| terms.currency);
        let mut below = vec![entry("charged", &self.charge)];
        if let Some(deployment) = self.deployment {
            below.push(Node::leaf(format!("deployment {deployment}")));
        }
        if let Some(hold) = &self.hold {
            let text = format!("held {} credits, {}", hold.credits, hold.burn.as_str().replace('_', " "));
            below.push(Node::new(text, [entry("posted", &hold.posted)]));
        }
        match &self.terms {
            Some(terms) => below.extend(terms_nodes(terms, self.rules.as_ref())),
            None => below.push(Node::leaf("a project’s cost: it earns nobody anything")),
        }
        let mut lots = Told { currency, lots: BTreeSet::new() };
        below.push(Node::new("paid with", self.parts.iter().map(|part| lots.part(part))));
        if let Some(currency) = currency {
            below.push(Node::leaf(format!("earned {}", shares(self.earned, currency))));
        }
        if self.since.is_empty() {
            below.push(Node::leaf("since then nothing happened to it"));
        } else {
            let since: Vec<Node> = self.since.iter().map(|event| event_node(event, &mut lots)).collect();
            below.push(Node::new("since then", since));
        }
        below.push(self.now_node(&mut lots));
        Node::new(format!("charge {} of {} credits", self.charge.entry, self.credits), below)
    }

    fn now_node(&self, lots: &mut Told) -> Node {
        let now = &self.now;
        let mut below: Vec<Node> = now.parts.iter().map(|part| lots.part(part)).collect();
        if now.refunded.is_positive() {
            below.push(Node::leaf(format!("{} credits are refunded", now.refunded)));
        }
        if now.owed.is_positive() {
            below.push(Node::leaf(format!("{} credits are owed", now.owed)));
        }
        if let Some(currency) = lots.currency {
            below.push(Node::leaf(format!("earned in all {}", shares(now.shares, currency))));
        }
        Node::new(format!("now, after entry {}", now.after.entry.seq), below)
    }
}

fn entry(verb: &str, posted: &Posted) -> Node {
    let actor = posted.actor.map(|actor| format!(" by {actor}")).unwrap_or_default();
    let text = format!("{verb} {}{actor} in entry {}", posted.at, posted.entry.seq);
    Node::new(text, [Node::leaf(format!("hash {}", posted.hash))])
}

fn terms_nodes(terms: &ChargeTerms, rules: Option<&Rules>) -> [Node; 2] {
    let module = Node::leaf(format!("module {} at commit {}", terms.module, terms.commit));
    let of = |who: &str, account: Option<rad_core::id::AccountId>, share| match account {
        Some(account) => Node::leaf(format!("{who} {account}: {share}")),
        None => Node::leaf(format!("no {who}")),
    };
    let mut below = vec![
        of("partner", terms.publisher, terms.partner_share),
        of("agent", terms.agent, terms.agent_share),
        Node::leaf(format!("rounding {}", terms.rounding.as_str())),
    ];
    below.push(match rules {
        None => Node::leaf("the entry that put them in force is not in the source"),
        Some(rules) => {
            let agree = rules.problem.as_deref().unwrap_or("the terms are theirs");
            let text = format!("in force since {}; {agree}", rules.effective);
            Node::new(
                text,
                [Node::leaf(format!("entry {}", rules.posted.entry)), entry("posted", &rules.posted)],
            )
        }
    });
    [module, Node::new(format!("share rules {}", terms.rule_version), below)]
}

/// What was told already: where the credits of a lot came from is told once.
struct Told {
    currency: Option<Currency>,
    lots: BTreeSet<u64>,
}

impl Told {
    fn part(&mut self, part: &PaidBy) -> Node {
        let bucket = match part.bucket {
            Bucket::Awarded => "awarded",
            Bucket::Purchased => "purchased",
        };
        let lot = part.lot.posted.entry.seq;
        let mut text = format!("{} {bucket} credits of lot {lot}", part.credits);
        if part.lot.cost.is_positive() {
            text.push_str(&format!(", cost {} at {} a credit", part.cost, part.lot.unit_cost));
        }
        if let Some(currency) = self.currency {
            text.push_str(&format!(", gross {} {currency}", minor(part.gross_minor, currency)));
        }
        let is_new = self.lots.insert(lot);
        Node::new(text, if is_new { lot_nodes(&part.lot) } else { Vec::new() })
    }
}

fn lot_nodes(lot: &LotFacts) -> Vec<Node> {
    let source = match lot.source {
        LotSource::Signup => "given for signing up",
        LotSource::Referral => "given for a referral",
        LotSource::AdminAward => "awarded",
        LotSource::Purchase => "bought",
        LotSource::Subscription => "of a subscription",
        LotSource::PartnerAllowance => "a partner’s allowance",
        LotSource::Adjustment => "a correction",
        _ => "arrived",
    };
    let price = if lot.cost.is_positive() { format!(" for {}", lot.cost) } else { String::new() };
    let mut nodes = vec![entry(&format!("{} credits, {source}{price},", lot.credits), &lot.posted)];
    if let Some(paid) = &lot.paid {
        nodes.push(Node::leaf(format!("paid {} at the rate {}", paid.money, paid.rate)));
    }
    if let Some(reference) = &lot.reference {
        nodes.push(Node::leaf(format!("reference {reference}")));
    }
    if let Some(expires) = lot.expires {
        nodes.push(Node::leaf(format!("void from {expires} on")));
    }
    nodes
}

fn event_node(event: &Event, lots: &mut Told) -> Node {
    let why = event.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let mut below = vec![entry("posted", &event.posted)];
    below.extend(event.parts.iter().map(|part| lots.part(part)));
    if let Some(currency) = lots.currency {
        below.extend(
            event.lines.iter().map(|line| Node::leaf(format!("earned {}", shares(line.shares, currency)))),
        );
    }
    match event.owed.micros() {
        0 => {}
        1.. => below.push(Node::leaf(format!("{} credits are owed since", event.owed))),
        _ => below.push(Node::leaf(format!(
            "{} credits less are owed",
            event.owed.to_string().trim_start_matches('-')
        ))),
    }
    Node::new(format!("{} in entry {}{why}", event.kind.replace('_', " "), event.posted.entry.seq), below)
}

fn shares(shares: Shares, currency: Currency) -> String {
    let [gross, partner, agent, platform] =
        [shares.gross, shares.partner, shares.agent, shares.platform].map(|units| minor(units, currency));
    format!("{gross} {currency} = partner {partner} + agent {agent} + platform {platform}")
}
