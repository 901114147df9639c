//! The rules once more, as simply as they can be said: every look-up goes through everything.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rad_core::money::{Amount, Credits, CreditsPerUnit};
use rad_core::revenue::{Body, Bucket, BurnOrder, ChargeTerms, Entry, Grant, LotSource, RevenueBasis};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) charge: u64,
    pub(super) credits: i64,
    pub(super) shares: [i64; 3],
}

/// One credit that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) since: u64,
    pub(super) of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Charge(u64),
    Hold(u64),
}

pub(super) struct Lot {
    pub(super) grant: Grant,
    pub(super) frozen: bool,
    pub(super) open: i64,
    pub(super) removed: i64,
    pub(super) reversed: i64,
    pub(super) unspent_cost: i64,
    pub(super) earned: i64,
    pub(super) booked: i64,
}

pub(super) struct Held {
    pub(super) expires: Option<DateTime<Utc>>,
    /// The lot of each credit, in burn order.
    pub(super) credits: Vec<u64>,
}

#[derive(Clone, Copy)]
pub(super) struct Spent {
    pub(super) entry: u64,
    pub(super) charge: u64,
    pub(super) lot: u64,
    pub(super) credits: i64,
    pub(super) cost: i64,
    pub(super) gross: i64,
    pub(super) minor: i64,
}

pub(super) struct Charged {
    pub(super) terms: Option<ChargeTerms>,
    pub(super) credits: i64,
    pub(super) refunded: i64,
    pub(super) shares: [i64; 3],
}

#[derive(Default)]
pub(super) struct Naive {
    pub(super) lots: BTreeMap<u64, Lot>,
    pub(super) holds: BTreeMap<u64, Held>,
    pub(super) charges: BTreeMap<u64, Charged>,
    pub(super) spent: Vec<Spent>,
    pub(super) owed: Vec<Owed>,
}

impl Naive {
    /// The lines an entry books; `None` if it is refused. Only what scripts do is checked.
    pub(super) fn apply(&mut self, entry: &Entry) -> Option<Vec<Line>> {
        let at = entry.at;
        let lapsed = |held: &Held| held.expires.is_some_and(|expires| expires <= at);
        let over: Vec<u64> = self.holds.iter().filter(|(_, held)| lapsed(held)).map(|(id, _)| *id).collect();
        // Time passes for refused entries too: what has lapsed is as good as released.
        over.into_iter().for_each(|hold| self.release(hold));
        match &entry.body {
            Body::Grant(grant) => self.grant(entry, grant.clone()),
            Body::Hold(hold) => {
                let taken = self.burn(hold.amount.micros(), order_of(hold.burn), at);
                let enough = taken.len() as i64 == hold.amount.micros();
                if hold.amount <= Credits::ZERO || !self.owed.is_empty() || !enough {
                    return None;
                }
                taken.iter().for_each(|lot| self.lots.get_mut(lot).unwrap().open -= 1);
                self.holds.insert(entry.seq, Held { expires: hold.expires, credits: taken });
                Some(Vec::new())
            }
            Body::Capture(capture) => {
                self.capture(entry, capture.hold, capture.amount.micros(), &capture.terms)
            }
            Body::Release(release) => {
                self.holds.contains_key(&release.hold).then(|| self.release(release.hold))?;
                Some(Vec::new())
            }
            Body::Refund(refund) => self.refund(refund.charge, refund.amount.micros()),
            Body::Freeze(freeze) => self.set_frozen(freeze.lot, true),
            Body::Unfreeze(unfreeze) => self.set_frozen(unfreeze.lot, false),
            Body::Reversal(reversal) => self.reverse(entry.seq, reversal.lot, reversal.amount.micros()),
            Body::Expiry(expiry) => {
                let expires = self.lots.get(&expiry.lot)?.grant.expires?;
                (expires <= at).then(Vec::new)
            }
            Body::ProjectDebit(debit) => self.debit(entry, debit.amount.micros()),
            Body::Adjustment(adjustment) => {
                let amount = adjustment.amount.micros();
                if amount > 0 {
                    let template = Grant {
                        source: LotSource::Adjustment,
                        bucket: adjustment.bucket,
                        credits: adjustment.amount,
                        cost: Amount::ZERO,
                        paid: None,
                        expires: None,
                        reference: None,
                    };
                    self.open(entry.seq, template);
                    return Some(Vec::new());
                }
                let taken = self.burn(-amount, &[adjustment.bucket], at);
                if amount == 0 || taken.len() as i64 != -amount {
                    return None;
                }
                for lot in taken {
                    let lot = self.lots.get_mut(&lot).unwrap();
                    (lot.open, lot.removed) = (lot.open - 1, lot.removed + 1);
                }
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// The lots of the next usable credits, one by one.
    fn burn(&self, amount: i64, buckets: &[Bucket], at: DateTime<Utc>) -> Vec<u64> {
        let turn = |lot: &Lot| buckets.iter().position(|bucket| *bucket == lot.grant.bucket);
        let mut order: Vec<_> = self.lots.iter().collect();
        order.sort_by_key(|(id, lot)| {
            (turn(lot), lot.grant.expires.unwrap_or(DateTime::<Utc>::MAX_UTC), **id)
        });
        let usable = order.into_iter().filter(|(_, lot)| {
            turn(lot).is_some() && !lot.frozen && lot.grant.expires.is_none_or(|expires| expires > at)
        });
        let credits = usable.flat_map(|(id, lot)| std::iter::repeat_n(*id, lot.open as usize));
        credits.take(amount.max(0) as usize).collect()
    }

    fn open(&mut self, id: u64, grant: Grant) {
        let lot = Lot {
            frozen: false,
            open: grant.credits.micros(),
            removed: 0,
            reversed: 0,
            unspent_cost: grant.cost.micros(),
            earned: 0,
            booked: 0,
            grant,
        };
        self.lots.insert(id, lot);
    }

    fn grant(&mut self, entry: &Entry, grant: Grant) -> Option<Vec<Line>> {
        let paid = grant.cost.micros() > 0;
        if grant.cost.micros() < 0 || grant.expires.is_some_and(|expires| expires <= entry.at) {
            return None;
        }
        // The only other refusal that scripts run into: more money than fits.
        let sum: i128 = self.lots.values().map(|lot| i128::from(lot.grant.cost.micros())).sum();
        i64::try_from(sum + i128::from(grant.cost.micros())).ok()?;
        self.open(entry.seq, grant);
        let mut lines = Vec::new();
        while paid && !self.owed.is_empty() && self.lots[&entry.seq].open > 0 {
            let first = self.owed[0];
            let same = self.owed.iter().take_while(|owed| **owed == first).count() as i64;
            let credits = same.min(self.lots[&entry.seq].open);
            self.owed.drain(..credits as usize);
            match first.of {
                Of::Hold(hold) => {
                    self.lots.get_mut(&entry.seq).unwrap().open -= credits;
                    let held = self.holds.get_mut(&hold).unwrap();
                    held.credits.extend(std::iter::repeat_n(entry.seq, credits as usize));
                }
                Of::Charge(charge) => {
                    let terms = self.charges[&charge].terms.clone();
                    let part = self.spend(entry.seq, charge, entry.seq, credits, terms.as_ref());
                    self.lots.get_mut(&entry.seq).unwrap().open -= credits;
                    if let Some(terms) = terms {
                        let shares = split(part.minor, weights(&terms));
                        add(&mut self.charges.get_mut(&charge).unwrap().shares, shares, 1);
                        lines.push(Line { charge, credits, shares });
                    }
                }
            }
        }
        Some(lines)
    }

    pub(super) fn held(&self, lot: u64) -> i64 {
        self.holds.values().flat_map(|held| &held.credits).filter(|of| **of == lot).count() as i64
    }

    pub(super) fn unspent(&self, lot: u64) -> i64 {
        self.lots[&lot].open + self.lots[&lot].removed + self.held(lot)
    }

    /// What stands of a charge: entry, lot, and credits, cost, gross and gross in minor units.
    pub(super) fn parts_of(&self, charge: u64) -> Vec<(u64, u64, [i64; 4])> {
        let parts = self.spent.iter().filter(|part| part.charge == charge);
        parts.map(|part| (part.entry, part.lot, [part.credits, part.cost, part.gross, part.minor])).collect()
    }

    /// Attributes credits that are still counted as unspent.
    fn spend(
        &mut self,
        entry: u64,
        charge: u64,
        lot: u64,
        credits: i64,
        terms: Option<&ChargeTerms>,
    ) -> Spent {
        let unspent = self.unspent(lot);
        let from = self.lots.get_mut(&lot).unwrap();
        let cost = floor(from.unspent_cost, credits, unspent);
        from.unspent_cost -= cost;
        let gross = terms.map_or(0, |terms| gross(&from.grant, credits, cost, terms));
        let mut minor = 0;
        if gross > 0 {
            let unit = terms.unwrap().currency.micros_per_minor();
            minor = ((from.earned + gross) / unit - from.booked).max(0);
        }
        from.earned += gross;
        from.booked += minor;
        let part = Spent { entry, charge, lot, credits, cost, gross, minor };
        let same = |other: &&mut Spent| (other.entry, other.charge, other.lot) == (entry, charge, lot);
        match self.spent.iter_mut().find(same) {
            Some(other) => {
                (other.credits, other.cost) = (other.credits + credits, other.cost + cost);
                (other.gross, other.minor) = (other.gross + gross, other.minor + minor);
            }
            None => self.spent.push(part),
        }
        self.spent.sort_by_key(|part| (part.entry, part.charge));
        part
    }

    fn capture(&mut self, entry: &Entry, hold: u64, amount: i64, terms: &ChargeTerms) -> Option<Vec<Line>> {
        let held = self.holds.get(&hold)?.credits.clone();
        let under = self.owed.iter().filter(|owed| owed.of == Of::Hold(hold)).count() as i64;
        if amount <= 0 || amount > held.len() as i64 + under {
            return None;
        }
        let mut order: Vec<(u64, i64)> = Vec::new();
        for lot in held.iter().take(amount as usize) {
            match order.iter_mut().find(|(other, _)| other == lot) {
                Some((_, credits)) => *credits += 1,
                None => order.push((*lot, 1)),
            }
        }
        let (mut total, mut credits) = (0, 0);
        for (lot, some) in order {
            let part = self.spend(entry.seq, entry.seq, lot, some, Some(terms));
            let list = &mut self.holds.get_mut(&hold).unwrap().credits;
            for _ in 0..some {
                let place = list.iter().position(|of| *of == lot).unwrap();
                list.remove(place);
            }
            (total, credits) = (total + part.minor, credits + some);
        }
        let mut owing = amount - credits;
        for owed in self.owed.iter_mut().filter(|owed| owed.of == Of::Hold(hold)) {
            if owing > 0 {
                owed.of = Of::Charge(entry.seq);
                owing -= 1;
            }
        }
        self.release(hold);
        let shares = split(total, weights(terms));
        let charge = Charged { terms: Some(terms.clone()), credits: amount, refunded: 0, shares };
        self.charges.insert(entry.seq, charge);
        Some(vec![Line { charge: entry.seq, credits, shares }])
    }

    fn release(&mut self, hold: u64) {
        let held = self.holds.remove(&hold).unwrap();
        held.credits.iter().for_each(|lot| self.lots.get_mut(lot).unwrap().open += 1);
        self.owed.retain(|owed| owed.of != Of::Hold(hold));
    }

    fn refund(&mut self, charge: u64, amount: i64) -> Option<Vec<Line>> {
        let head = self.charges.get_mut(&charge)?;
        if amount <= 0 || amount > head.credits - head.refunded {
            return None;
        }
        head.refunded += amount;
        let mut left = amount;
        while let Some(last) =
            self.owed.iter().rposition(|owed| owed.of == Of::Charge(charge)).filter(|_| left > 0)
        {
            self.owed.remove(last);
            left -= 1;
        }
        let (mut minor, returned) = (0, left);
        while left > 0 {
            let place = self.spent.iter().rposition(|part| part.charge == charge).unwrap();
            let taken = self.take_back(place, left);
            let lot = self.lots.get_mut(&taken.lot).unwrap();
            (lot.open, lot.unspent_cost) = (lot.open + taken.credits, lot.unspent_cost + taken.cost);
            (left, minor) = (left - taken.credits, minor + taken.minor);
        }
        Some(self.book_back(charge, returned, minor))
    }

    fn take_back(&mut self, place: usize, most: i64) -> Spent {
        let part = &mut self.spent[place];
        let credits = part.credits.min(most);
        let taken = Spent {
            credits,
            cost: floor(part.cost, credits, part.credits),
            gross: floor(part.gross, credits, part.credits),
            minor: floor(part.minor, credits, part.credits),
            ..*part
        };
        (part.credits, part.cost) = (part.credits - credits, part.cost - taken.cost);
        (part.gross, part.minor) = (part.gross - taken.gross, part.minor - taken.minor);
        let lot = self.lots.get_mut(&taken.lot).unwrap();
        (lot.earned, lot.booked) = (lot.earned - taken.gross, lot.booked - taken.minor);
        self.spent.retain(|part| part.credits > 0);
        taken
    }

    fn book_back(&mut self, charge: u64, credits: i64, minor: i64) -> Vec<Line> {
        let head = self.charges.get_mut(&charge).unwrap();
        if head.terms.is_none() || credits == 0 {
            return Vec::new();
        }
        let mut shares = split(minor, head.shares);
        add(&mut head.shares, shares, -1);
        shares.iter_mut().for_each(|share| *share = -*share);
        vec![Line { charge, credits: -credits, shares }]
    }

    fn set_frozen(&mut self, lot: u64, frozen: bool) -> Option<Vec<Line>> {
        let lot = self.lots.get_mut(&lot).filter(|lot| lot.frozen != frozen)?;
        lot.frozen = frozen;
        Some(Vec::new())
    }

    fn reverse(&mut self, entry: u64, id: u64, amount: i64) -> Option<Vec<Line>> {
        let lot = self.lots.get(&id)?;
        let reversible = lot.grant.credits.micros() - lot.reversed;
        if amount <= 0 || lot.grant.cost.micros() == 0 || amount > reversible {
            return None;
        }
        self.lots.get_mut(&id).unwrap().reversed += amount;
        let mut left = amount;
        for removed in [false, true] {
            let unspent = self.unspent(id);
            let lot = self.lots.get_mut(&id).unwrap();
            let place = if removed { &mut lot.removed } else { &mut lot.open };
            let credits = left.min(*place);
            *place -= credits;
            left -= credits;
            lot.unspent_cost -= floor(lot.unspent_cost, credits, unspent);
        }
        let holds: Vec<u64> = self.holds.keys().rev().copied().collect();
        for hold in holds {
            let unspent = self.unspent(id);
            let list = &mut self.holds.get_mut(&hold).unwrap().credits;
            let mut credits = 0;
            while let Some(last) = list.iter().rposition(|lot| *lot == id).filter(|_| left > 0) {
                list.remove(last);
                (left, credits) = (left - 1, credits + 1);
                self.owed.push(Owed { since: entry, of: Of::Hold(hold) });
            }
            let lot = self.lots.get_mut(&id).unwrap();
            lot.unspent_cost -= floor(lot.unspent_cost, credits, unspent);
        }
        let mut lines = Vec::new();
        while left > 0 {
            let place = self.spent.iter().rposition(|part| part.lot == id).unwrap();
            let taken = self.take_back(place, left);
            left -= taken.credits;
            lines.extend(self.book_back(taken.charge, taken.credits, taken.minor));
            let owed = Owed { since: entry, of: Of::Charge(taken.charge) };
            self.owed.extend(std::iter::repeat_n(owed, taken.credits as usize));
        }
        Some(lines)
    }

    fn debit(&mut self, entry: &Entry, amount: i64) -> Option<Vec<Line>> {
        let taken = self.burn(amount, order_of(BurnOrder::AwardedFirst), entry.at);
        let mut lots = taken.clone();
        lots.dedup();
        for lot in lots {
            let credits = taken.iter().filter(|of| **of == lot).count() as i64;
            self.spend(entry.seq, entry.seq, lot, credits, None);
            self.lots.get_mut(&lot).unwrap().open -= credits;
        }
        let charge = Charged { terms: None, credits: amount, refunded: 0, shares: [0; 3] };
        self.charges.insert(entry.seq, charge);
        let owed = Owed { since: entry.seq, of: Of::Charge(entry.seq) };
        self.owed.extend(std::iter::repeat_n(owed, amount as usize - taken.len()));
        Some(Vec::new())
    }
}

/// `⌊whole · part / all⌋`; of nothing, nothing.
fn floor(whole: i64, part: i64, all: i64) -> i64 {
    if all == 0 { 0 } else { (i128::from(whole) * i128::from(part) / i128::from(all)) as i64 }
}

fn gross(grant: &Grant, credits: i64, cost: i64, terms: &ChargeTerms) -> i64 {
    let at_price = |price: CreditsPerUnit| credits * 100 / i64::from(price.hundredths());
    match (grant.bucket, cost_of(grant) > 0, terms.basis) {
        (Bucket::Awarded, ..) => 0,
        (_, true, RevenueBasis::LotCost) => cost,
        (_, true, RevenueBasis::CreditsPerUnit(price)) => at_price(price),
        _ if grant.source == LotSource::PartnerAllowance => terms.allowance_earns.map_or(0, at_price),
        _ => 0,
    }
}

fn cost_of(grant: &Grant) -> i64 {
    grant.cost.micros()
}

fn weights(terms: &ChargeTerms) -> [i64; 3] {
    let partner = terms.publisher.map_or(0, |_| i64::from(terms.partner_share.basis_points()));
    let agent = terms.agent.map_or(0, |_| i64::from(terms.agent_share.basis_points()));
    [partner, agent, 10_000 - partner - agent]
}

pub(in crate::revenue) fn split(total: i64, weights: [i64; 3]) -> [i64; 3] {
    let all: i64 = weights.iter().sum();
    let mut shares = weights.map(|weight| floor(total, weight, all));
    let mut order = [0, 1, 2];
    let rest = |place: usize| i128::from(total) * i128::from(weights[place]) % i128::from(all.max(1));
    order.sort_by_key(|place| std::cmp::Reverse(rest(*place)));
    let left = total - shares.iter().sum::<i64>();
    order.iter().take(left as usize).for_each(|place| shares[*place] += 1);
    shares
}

fn add(to: &mut [i64; 3], shares: [i64; 3], sign: i64) {
    to.iter_mut().zip(shares).for_each(|(to, share)| *to += sign * share);
}

fn order_of(burn: BurnOrder) -> &'static [Bucket] {
    match burn {
        BurnOrder::AwardedFirst => &[Bucket::Awarded, Bucket::Purchased],
        BurnOrder::PurchasedOnly => &[Bucket::Purchased],
        BurnOrder::PurchasedFirst => &[Bucket::Purchased, Bucket::Awarded],
        other => panic!("the model does not know {other:?}"),
    }
}
