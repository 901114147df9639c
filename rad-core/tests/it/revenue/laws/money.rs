//! Every cent: what lots cost is what they yield, nobody's share is lost, and groups of lines add up.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{
    AccountState, Body, Bucket, BurnOrder, Effect, Grouping, RevenueLine, Summary, Totals, Violation,
};
use rad_core::strategies::{Script, cases, histories, scripts};

use super::super::sums;
use super::{
    ACCOUNT, CASES, at_cost, bought, capture, hold, post, refund, refund_all, replay, taken, terms_at_cost,
};

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn full_refunds_bring_everything_back(script in scripts(1..60), pieces in prop::collection::vec(1..1_000_i64, 1..6)) {
        let (mut state, effects) = replay(&taken(&script), ACCOUNT);
        let mut lines: Vec<RevenueLine> = effects.into_iter().flat_map(|effect| effect.lines).collect();
        let charges: Vec<u64> = (1..=state.seq()).filter(|id| state.charge(*id).is_some()).collect();
        for id in charges {
            let refunds = refund_all(&mut state, id, &pieces);
            lines.extend(refunds.into_iter().flat_map(|effect| effect.lines));
            let charge = state.charge(id).unwrap();
            prop_assert!(charge.parts.is_empty() && charge.refunded == charge.credits);
            prop_assert_eq!(charge.shares, Default::default());
            prop_assert_eq!(sums(lines.iter().filter(|line| line.charge == id)), [0; 7]);
        }
        for lot in state.lots() {
            prop_assert_eq!((lot.spent(), lot.spent_cost()), (Credits::ZERO, Amount::ZERO));
            prop_assert_eq!((lot.earned, lot.booked), (Amount::ZERO, 0));
            prop_assert_eq!(lot.unspent_cost.checked_add(lot.reversed_cost), Some(lot.cost));
        }
    }

    #[test]
    fn lines_lots_and_charges_keep_the_same_cents(history in histories(1..60)) {
        let mut state = AccountState::new(history.account);
        let mut lines: Vec<RevenueLine> = Vec::new();
        for entry in &history.entries {
            let effect = state.apply(entry).unwrap();
            prop_assert_eq!(by_charge(&effect), parts_by_charge(&effect, &state));
            for line in &effect.lines {
                prop_assert_eq!(line.partner + line.agent + line.platform, line.gross);
                prop_assert_eq!(line.awarded.micros() + line.purchased.micros(), line.credits.micros());
                let shares = [line.partner, line.agent, line.platform];
                prop_assert!(shares.iter().all(|share| share.signum() * line.gross.signum() >= 0));
            }
            lines.extend(effect.lines);
            let booked: i64 = state.lots().iter().map(|lot| lot.booked).sum();
            prop_assert_eq!(sums(&lines)[0], booked);
            for line in &lines {
                let charge = state.charge(line.charge).unwrap();
                let of: Vec<_> = lines.iter().filter(|other| other.charge == charge.id).collect();
                let [gross, partner, agent, platform, ..] = sums(of);
                let shares = charge.shares;
                prop_assert_eq!([gross, partner, agent, platform], [shares.gross, shares.partner, shares.agent, shares.platform]);
                let parts: i64 = charge.parts.iter().map(|part| part.gross_minor).sum();
                prop_assert_eq!(parts, shares.gross);
                prop_assert!(shares.gross >= 0 && shares.partner >= 0 && shares.agent >= 0 && shares.platform >= 0);
            }
        }
    }

    #[test]
    fn no_lot_yields_more_than_was_paid_for_it(script in scripts(1..60)) {
        let terms: Vec<_> = script.terms.iter().map(|terms| Arc::new(at_cost(terms))).collect();
        let unit = terms[0].currency.micros_per_minor();
        let mut state = AccountState::new(ACCOUNT);
        let (mut paid, mut gross) = (0, 0);
        for entry in taken(&Script { terms, ..script }) {
            let effect = state.apply(&entry).unwrap();
            if let Body::Grant(grant) = &entry.body {
                paid += grant.cost.micros();
            }
            gross += sums(&effect.lines)[0];
            prop_assert!(gross * unit <= paid);
            for lot in state.lots() {
                prop_assert!(lot.booked * unit <= lot.cost.micros());
                prop_assert!(lot.earned <= lot.spent_cost());
                prop_assert!(lot.bucket == Bucket::Purchased || lot.earned == Amount::ZERO);
            }
        }
    }

    #[test]
    fn a_lot_spent_to_the_end_yields_what_was_paid(
        credits in 1..1_000_000_000_i64,
        cost in prop_oneof![(0..100_000_i64).prop_map(|cents| cents * 10_000), 0..1_000_000_000_i64],
        pieces in prop::collection::vec((1..=1_000_i64, 0..=1_000_i64), 0..12),
        terms in terms_at_cost(),
    ) {
        let mut state = AccountState::new(ACCOUNT);
        let mut effects = vec![post(&mut state, bought(credits, cost)).unwrap()];
        for (share, back) in pieces.into_iter().chain([(1_000, 0)]) {
            let open = state.lots()[0].open.micros();
            let amount = if share == 1_000 { open } else { open / 1_000 * share };
            if amount > 0 {
                post(&mut state, hold(Credits::from_micros(amount), BurnOrder::AwardedFirst)).unwrap();
                let charge = capture(state.seq(), amount, &terms);
                effects.push(post(&mut state, charge).unwrap());
            }
            if amount > 0 && amount / 1_000 * back > 0 {
                let charge = refund(state.seq(), amount / 1_000 * back);
                effects.push(post(&mut state, charge).unwrap());
            }
        }
        let parts = effects.iter().flat_map(|effect| &effect.parts);
        let spent = parts.fold((0, 0), |sum, part| (sum.0 + part.credits.micros(), sum.1 + part.cost.micros()));
        prop_assert_eq!(spent, (credits, cost));
        let gross = sums(effects.iter().flat_map(|effect| &effect.lines))[0];
        prop_assert_eq!(gross, cost / terms.currency.micros_per_minor());
    }

    #[test]
    fn every_grouping_adds_up_to_the_same(mut books in prop::collection::vec(histories(1..40), 1..4), split: prop::sample::Index) {
        books.dedup_by_key(|history| history.account);
        let effects = books.iter().flat_map(|history| replay(&history.entries, history.account).1);
        let lines: Vec<RevenueLine> = effects.flat_map(|effect| effect.lines).collect();
        let (early, late) = lines.split_at(split.index(lines.len() + 1));
        let all = sums(&lines);
        for grouping in GROUPINGS {
            // Sums over several accounts may not fit; then there is an error instead.
            let Ok(whole) = summary(grouping, lines.iter()) else { return Ok(()) };
            let Ok(backwards) = summary(grouping, lines.iter().rev()) else { return Ok(()) };
            prop_assert_eq!(&backwards, &whole);
            let Ok(total) = whole.total() else { return Ok(()) };
            prop_assert_eq!(&totals(&total)[..], &all[..]);
            let groups = whole.groups().fold([0; 7], |sum, (_, group)| add(sum, totals(&group)));
            prop_assert_eq!(groups, all);
            for (group, of) in whole.groups() {
                prop_assert_eq!(of.partner + of.agent + of.platform, of.gross);
                let halves = [early, late].map(|half| summary(grouping, half.iter()).unwrap());
                let of_half = |half: &Summary| half.groups().find(|(other, _)| *other == group);
                let halves = halves.iter().filter_map(of_half).fold([0; 7], |sum, (_, half)| add(sum, totals(&half)));
                prop_assert_eq!(halves, totals(&of));
            }
        }
    }
}

const GROUPINGS: [Grouping; 5] =
    [Grouping::Partner, Grouping::Agent, Grouping::Module, Grouping::Account, Grouping::Month];

fn summary<'a>(
    grouping: Grouping,
    lines: impl Iterator<Item = &'a RevenueLine>,
) -> Result<Summary, Violation> {
    let mut summary = Summary::new(grouping);
    for line in lines {
        summary.add(line)?;
    }
    Ok(summary)
}

/// In the order of [`sums`].
fn totals(of: &Totals) -> [i64; 7] {
    let credits = [of.credits, of.awarded, of.purchased].map(Credits::micros);
    [of.gross, of.partner, of.agent, of.platform, credits[0], credits[1], credits[2]]
}

fn add(one: [i64; 7], other: [i64; 7]) -> [i64; 7] {
    std::array::from_fn(|place| one[place] + other[place])
}

/// What the lines of an entry say of each charge: awarded and purchased credits, and gross.
fn by_charge(effect: &Effect) -> BTreeMap<u64, [i64; 3]> {
    let mut sums: BTreeMap<u64, [i64; 3]> = BTreeMap::new();
    for line in &effect.lines {
        let sum = sums.entry(line.charge).or_default();
        let numbers = [line.awarded.micros(), line.purchased.micros(), line.gross];
        sum.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
    }
    sums
}

/// The same from the parts, of charges that earn.
fn parts_by_charge(effect: &Effect, state: &AccountState) -> BTreeMap<u64, [i64; 3]> {
    // A charge whose credits are all owed has a line without parts.
    let mut sums: BTreeMap<u64, [i64; 3]> = effect.lines.iter().map(|line| (line.charge, [0; 3])).collect();
    let earns = |id: u64| state.charge(id).is_some_and(|charge| charge.terms.is_some());
    for part in effect.parts.iter().filter(|part| earns(part.charge)) {
        let sum = sums.entry(part.charge).or_default();
        sum[usize::from(part.bucket == Bucket::Purchased)] += part.credits.micros();
        sum[2] += part.gross_minor;
    }
    sums
}
