//! Which rates decide: those in force at the capture, then and ever after; other ones only where somebody asks what if.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rad_core::id::{AccountId, ModuleId};
use rad_core::money::{Amount, Credits, Currency, Rate};
use rad_core::revenue::{
    AccountState, Body, BurnOrder, ChargeTerms, Effect, Entry, LineKind, PLATFORM_ACCOUNT, PartnerRate,
    RevenueBasis, Rounding, ShareHistory, ShareRules, Violation,
};
use rad_core::strategies::{Script, burn_orders, cases, scripts};

use super::super::naive::split;
use super::super::sums;
use super::{
    ACCOUNT, CASES, FINANCE, at_cost, bought, capture, hold, key, refund_all, replay, taken, terms_at_cost,
};

const PARTNERS: [AccountId; 2] = [AccountId::from_bytes([5; 16]), AccountId::from_bytes([6; 16])];
const AGENT: AccountId = AccountId::from_bytes([7; 16]);

/// New rules, or a charge.
#[derive(Debug, Clone)]
enum Step {
    Rules { delay: i64, partner: u16, own: Option<(usize, u16)>, agent: u16 },
    Charge { amount: i64, publisher: Option<usize>, referred: bool },
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let own = prop::option::of((0..2_usize, 0..=7_000_u16));
    let rules = (0..4_i64, 0..=7_000_u16, own, 0..=3_000_u16)
        .prop_map(|(delay, partner, own, agent)| Step::Rules { delay, partner, own, agent });
    let charge = (1..5_000_000_i64, prop::option::weighted(0.8, 0..2_usize), any::<bool>())
        .prop_map(|(amount, publisher, referred)| Step::Charge { amount, publisher, referred });
    prop::collection::vec((0..3_i64, prop_oneof![1 => rules, 3 => charge]), 1..40)
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn shares_follow_the_rules_in_force_at_the_capture(
        steps in steps(),
        cost in 0..1_000_000_000_i64,
        pieces in prop::collection::vec(1..1_000_i64, 0..3),
    ) {
        let (mut history, mut state) = (ShareHistory::new(), AccountState::new(ACCOUNT));
        let mut platform = AccountState::new(PLATFORM_ACCOUNT);
        let mut now: DateTime<Utc> = "2026-10-01T08:00:00Z".parse().unwrap();
        let mut rules = vec![rules_of(1, now, 2_000, None, 500)];
        history.add(&put_in_force(&mut platform, now, &rules[0])).unwrap();
        let mut charged = Vec::new();
        apply(&mut state, now, bought(1_000_000_000, cost));
        for (wait, step) in steps {
            now += TimeDelta::seconds(wait);
            match step {
                Step::Rules { delay, partner, own, agent } => {
                    let (version, effective) = (rules.len() as u32 + 1, now + TimeDelta::seconds(delay));
                    rules.push(rules_of(version, effective, partner, own, agent));
                    history.add(&put_in_force(&mut platform, now, rules.last().unwrap())).unwrap();
                }
                Step::Charge { amount, publisher, referred } => {
                    let terms = Arc::new(terms_at(&history, now, publisher, referred));
                    apply(&mut state, now, hold(Credits::from_micros(amount), BurnOrder::AwardedFirst));
                    let entry = state.draft(now, key(b"charge"), None, capture(state.seq(), amount, &terms));
                    prop_assert_eq!(history.check(&entry), Ok(()));
                    let in_force = rules.iter().rposition(|rules| rules.effective <= now).unwrap();
                    charged.push((in_force, state.apply(&entry).unwrap().lines[0]));
                }
            }
        }
        for (in_force, line) in charged {
            let rules = &rules[in_force];
            prop_assert_eq!(line.policies.rule_version, rules.version);
            let own = |partner| rules.overrides.iter().find(|own| own.partner == partner).map(|own| own.share);
            let partner =
                line.publisher.map_or(Rate::ZERO, |partner| own(partner).unwrap_or(rules.partner_share));
            let agent = line.agent_account.map_or(Rate::ZERO, |_| rules.agent_share);
            let rates = [partner, agent].map(|rate| i64::from(rate.basis_points()));
            let shares = split(line.gross, [rates[0], rates[1], 10_000 - rates[0] - rates[1]]);
            prop_assert_eq!([line.partner, line.agent, line.platform], shares);
            // What is taken back under later rules is what was earned, for everybody.
            let refunds = refund_all(&mut state, line.charge, &pieces);
            let refunds = refunds.iter().flat_map(|effect| &effect.lines);
            prop_assert!(refunds.clone().all(|refund| refund.policies == line.policies));
            prop_assert_eq!(sums(refunds.chain([&line])), [0; 7]);
        }
    }

    #[test]
    fn what_if_under_the_same_rules_is_what_was(script in scripts(1..60)) {
        let entries = taken(&script);
        let (state, effects) = replay(&entries, ACCOUNT);
        let (asked, supposed) = what_if(&entries, |_| {})?;
        prop_assert_eq!(asked.snapshot(), state.snapshot());
        prop_assert_eq!(supposed, effects);
    }

    #[test]
    fn other_shares_move_money_between_the_parties_and_nothing_else(script in scripts(1..60), other in terms_at_cost()) {
        let entries = taken(&script);
        let (_, effects) = replay(&entries, ACCOUNT);
        let (_, supposed) = what_if(&entries, |body| {
            if let Body::Capture(capture) = body {
                let (partner_share, agent_share) = (other.partner_share, other.agent_share);
                capture.terms = Arc::new(ChargeTerms { partner_share, agent_share, ..(*capture.terms).clone() });
            }
        })?;
        for (mut was, mut would) in effects.into_iter().zip(supposed) {
            for line in &would.lines {
                let weights = [line.publisher.map(|_| other.partner_share), line.agent_account.map(|_| other.agent_share)];
                let [partner, agent] = weights.map(|rate| rate.map_or(0, |rate| i64::from(rate.basis_points())));
                if matches!(line.kind, LineKind::Charge | LineKind::Repayment) {
                    let shares = split(line.gross, [partner, agent, 10_000 - partner - agent]);
                    prop_assert_eq!([line.partner, line.agent, line.platform], shares);
                }
            }
            for line in was.lines.iter_mut().chain(&mut would.lines) {
                (line.partner, line.agent, line.platform) = (0, 0, 0);
            }
            prop_assert_eq!(was, would);
        }
    }

    #[test]
    fn another_burn_order_keeps_the_books_in_balance(script in scripts(1..60), burn in burn_orders()) {
        let terms: Vec<_> = script.terms.iter().map(|terms| Arc::new(at_cost(terms))).collect();
        let unit = terms[0].currency.micros_per_minor();
        let entries = taken(&Script { terms, ..script });
        let (state, effects) = what_if(&entries, |body| {
            if let Body::Hold(hold) = body {
                hold.burn = burn;
            }
        })?;
        let lines = effects.iter().flat_map(|effect| &effect.lines);
        prop_assert!(lines.clone().all(|line| line.policies.burn == burn));
        let [gross, partner, agent, platform, ..] = sums(lines);
        prop_assert_eq!(partner + agent + platform, gross);
        prop_assert_eq!(state.lots().iter().map(|lot| lot.booked).sum::<i64>(), gross);
        let paid = Amount::checked_sum(state.lots().iter().map(|lot| lot.cost)).unwrap();
        prop_assert!(gross * unit <= paid.micros());
        // It is a state like any other: stored and read, it is the same.
        let stored = AccountState::try_from(state.snapshot());
        prop_assert_eq!(stored, Ok(state));
    }
}

/// Replays entries as they would have been; one that then cannot be is passed over, with what depends on it.
fn what_if(
    entries: &[Entry],
    change: impl Fn(&mut Body),
) -> Result<(AccountState, Vec<Effect>), TestCaseError> {
    let mut state = AccountState::new(ACCOUNT);
    let mut effects = Vec::new();
    for entry in entries {
        let mut supposed = entry.clone();
        change(&mut supposed.body);
        match state.apply(&supposed) {
            Ok(effect) => effects.push(effect),
            Err(Violation::Inconsistent { what }) => return Err(TestCaseError::fail(what)),
            Err(_) => state.pass_over(&supposed).unwrap(),
        }
    }
    Ok((state, effects))
}

fn apply(state: &mut AccountState, now: DateTime<Utc>, body: Body) -> Effect {
    let entry = state.draft(now, key(b"step"), Some(FINANCE), body);
    state.apply(&entry).unwrap()
}

fn put_in_force(platform: &mut AccountState, now: DateTime<Utc>, rules: &ShareRules) -> Entry {
    let entry = platform.draft(now, key(b"rules"), Some(FINANCE), Body::ShareRules(Arc::new(rules.clone())));
    platform.apply(&entry).unwrap();
    entry
}

fn rules_of(
    version: u32,
    effective: DateTime<Utc>,
    partner: u16,
    own: Option<(usize, u16)>,
    agent: u16,
) -> ShareRules {
    let rate = |points| Rate::from_basis_points(points).unwrap();
    let own = own.map(|(partner, share)| PartnerRate { partner: PARTNERS[partner], share: rate(share) });
    ShareRules {
        version,
        effective,
        currency: Currency::USD,
        partner_share: rate(partner),
        agent_share: rate(agent),
        overrides: own.into_iter().collect(),
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
    }
}

fn terms_at(
    history: &ShareHistory,
    now: DateTime<Utc>,
    publisher: Option<usize>,
    referred: bool,
) -> ChargeTerms {
    let (module, commit) =
        (ModuleId::from_bytes([8; 16]), "0123456789abcdef0123456789abcdef01234567".parse());
    let publisher = publisher.map(|partner| PARTNERS[partner]);
    history.at(now).unwrap().terms(module, commit.unwrap(), publisher, referred.then_some(AGENT))
}
