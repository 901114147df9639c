//! Histories as accounts really have them: what a script does is posted against the state it meets.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::entry::{amounts, charge_terms, credits, currencies, deployments};
use crate::id::{AccountId, DeploymentId};
use crate::money::{Amount, Credits, Rate};
use crate::revenue::{
    AccountState, Adjustment, Body, Bucket, BurnOrder, Capture, ChargeTerms, Entry, EntryKey, Expiry, Freeze,
    Grant, Hold, LotSource, ProjectDebit, Reason, Refund, Release, Reversal, ReversalCause, Unfreeze,
    Violation,
};

/// One step of a [`Script`]: what to do, to whatever is there by then.
#[derive(Debug, Clone)]
pub struct Action {
    /// Seconds since the step before.
    pub wait: u32,
    /// The kind of step, as a number any value of which is good.
    pub kind: u8,
    /// Picks the lot, hold, charge or terms, among those there are.
    pub which: usize,
    /// Credits to grant, hold or debit.
    pub credits: Credits,
    /// What a purchase costs.
    pub cost: Amount,
    /// How much of a hold, charge or lot, in thousandths.
    pub share: u16,
    /// Seconds until a lot expires or a hold lapses.
    pub lasts: Option<u32>,
    /// Purchased credits instead of awarded ones; up instead of down; purchased ones only.
    pub flag: bool,
}

/// Steps, and the terms their charges are made at.
#[derive(Debug, Clone)]
pub struct Script {
    /// The deployments that are charged for.
    pub deployments: Vec<DeploymentId>,
    /// Terms in one currency, with shares that fit together.
    pub terms: Vec<Arc<ChargeTerms>>,
    /// The steps.
    pub actions: Vec<Action>,
}

/// What a script tried, in order.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The entry.
    pub entry: Entry,
    /// Why it was refused; `None` if it was posted.
    pub refused: Option<Violation>,
}

/// The entries of one account that its engine took.
#[derive(Debug, Clone)]
pub struct History {
    /// The account.
    pub account: AccountId,
    /// Its entries from the first on.
    pub entries: Vec<Entry>,
}

/// Histories of one account, every entry of which can be applied.
pub fn histories(steps: Range<usize>) -> impl Strategy<Value = History> {
    (any::<[u8; 16]>(), scripts(steps)).prop_map(|(account, script)| {
        let account = AccountId::from_bytes(account);
        let attempts = script.play(account).into_iter();
        let entries =
            attempts.filter(|attempt| attempt.refused.is_none()).map(|attempt| attempt.entry).collect();
        History { account, entries }
    })
}

/// Scripts of so many steps.
pub fn scripts(steps: Range<usize>) -> impl Strategy<Value = Script> {
    let terms = (currencies(), vec(charge_terms(), 1..4)).prop_map(|(currency, terms)| {
        let sound = |terms: ChargeTerms| {
            let left = Rate::FULL.basis_points() - terms.partner_share.basis_points();
            let agent_share =
                Rate::from_basis_points(left).map_or(Rate::ZERO, |left| terms.agent_share.min(left));
            Arc::new(ChargeTerms { currency, agent_share, ..terms })
        };
        terms.into_iter().map(sound).collect()
    });
    (vec(deployments(), 1..4), terms, vec(actions(), steps))
        .prop_map(|(deployments, terms, actions)| Script { deployments, terms, actions })
}

fn actions() -> impl Strategy<Value = Action> {
    let wait = prop_oneof![3 => Just(0), 2 => 1..1_000_u32, 1 => 0..200_000_u32];
    let share = prop_oneof![2 => Just(1_000), 3 => 0..=1_000_u16];
    let lasts = option::weighted(0.3, 1..300_000_u32);
    let amounts = (credits(), amounts(), share);
    (wait, any::<u8>(), any::<usize>(), amounts, lasts, any::<bool>()).prop_map(
        |(wait, kind, which, (credits, cost, share), lasts, flag)| Action {
            wait,
            kind,
            which,
            credits,
            cost,
            share,
            lasts,
            flag,
        },
    )
}

impl Script {
    /// Posts the steps to an empty account and gives everything that was tried.
    pub fn play(&self, account: AccountId) -> Vec<Attempt> {
        let mut state = AccountState::new(account);
        let mut now = START;
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut charges = Vec::new();
        for action in &self.actions {
            now = now.checked_add_signed(TimeDelta::seconds(action.wait.into())).unwrap_or(now);
            let Some(body) = self.body(action, &state, &charges, now) else { continue };
            let key = EntryKey::derive("script", &[&attempts.len().to_be_bytes()]);
            let entry = state.draft(now, key, Some(OPERATOR), body);
            let refused = state.apply(&entry).err();
            if refused.is_none() && matches!(entry.body, Body::Capture(_) | Body::ProjectDebit(_)) {
                charges.push(entry.seq);
            }
            attempts.push(Attempt { entry, refused });
        }
        attempts
    }

    fn body(
        &self,
        action: &Action,
        state: &AccountState,
        charges: &[u64],
        now: DateTime<Utc>,
    ) -> Option<Body> {
        let lots: Vec<_> = state.lots().iter().map(|lot| (lot.id, lot.credits)).collect();
        let lot = pick(&lots, action.which);
        let holds: Vec<_> = state.holds().map(|hold| (hold.id, hold.amount)).collect();
        let hold = pick(&holds, action.which);
        let later = |seconds: u32| now.checked_add_signed(TimeDelta::seconds(seconds.into()));
        let expires = action.lasts.and_then(later);
        Some(match action.kind % 20 {
            0..=4 => Body::Grant(grant(action, expires)),
            5..=8 => Body::Hold(Hold {
                amount: action.credits,
                burn: burn_order(action),
                expires: expires.filter(|_| action.kind > 200),
                deployment: None,
                module: None,
            }),
            9..=11 => {
                let (hold, held) = hold?;
                let deployment = pick(&self.deployments, action.which)?;
                let terms = pick(&self.terms, action.which)?;
                Body::Capture(Capture { hold, amount: part(held, action.share), deployment, terms })
            }
            12 => Body::Release(Release { hold: hold?.0 }),
            13 | 14 => {
                let charge = state.charge(pick(charges, action.which)?)?;
                let amount = part(charge.credits, action.share);
                Body::Refund(Refund { charge: charge.id, amount, reason: Reason::new("by script").ok()? })
            }
            15 => Body::Freeze(Freeze { lot: lot?.0 }),
            16 => Body::Unfreeze(Unfreeze { lot: lot?.0 }),
            17 => Body::Reversal(Reversal {
                lot: lot?.0,
                amount: part(lot?.1, action.share),
                cause: ReversalCause::PaymentRefund,
            }),
            18 if action.flag => Body::Expiry(Expiry { lot: lot?.0 }),
            18 => Body::ProjectDebit(ProjectDebit {
                amount: action.credits,
                project: [7; 16],
                deployment: None,
            }),
            _ => Body::Adjustment(Adjustment {
                bucket: if action.which.is_multiple_of(2) { Bucket::Awarded } else { Bucket::Purchased },
                amount: if action.flag { action.credits } else { action.credits.checked_neg()? },
                reason: Reason::new("by script").ok()?,
            }),
        })
    }
}

/// The time of the first step.
const START: DateTime<Utc> = DateTime::from_timestamp_nanos(1_790_000_000_000_000_000);

/// Who does what a person must do.
const OPERATOR: AccountId = AccountId::from_bytes([0xfe; 16]);

/// Mostly the platform's order, sometimes one of the others.
fn burn_order(action: &Action) -> BurnOrder {
    match (action.flag, action.kind) {
        (true, 121..) => BurnOrder::PurchasedOnly,
        (false, 200..) => BurnOrder::PurchasedFirst,
        _ => BurnOrder::AwardedFirst,
    }
}

fn grant(action: &Action, expires: Option<DateTime<Utc>>) -> Grant {
    let (source, bucket, cost) = match (action.flag, action.kind / 20 % 4) {
        (false, 0) => (LotSource::Signup, Bucket::Awarded, Amount::ZERO),
        (false, 1) => (LotSource::PartnerAllowance, Bucket::Purchased, Amount::ZERO),
        (false, _) => (LotSource::AdminAward, Bucket::Awarded, Amount::ZERO),
        (true, 0) => (LotSource::Subscription, Bucket::Purchased, action.cost),
        (true, _) => (LotSource::Purchase, Bucket::Purchased, action.cost),
    };
    Grant { source, bucket, credits: action.credits, cost, paid: None, expires, reference: None }
}

fn pick<T: Clone>(from: &[T], which: usize) -> Option<T> {
    which.checked_rem(from.len()).and_then(|place| from.get(place)).cloned()
}

fn part(of: Credits, share: u16) -> Credits {
    let micros = i128::from(of.micros()) * i128::from(share) / 1_000;
    i64::try_from(micros).map_or(of, Credits::from_micros)
}
