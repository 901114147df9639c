//! The laws of the engine, on histories as accounts have them and on arbitrary entries.

mod credits;
mod fold;
mod keys;
mod money;
mod rules;
mod time;

use std::sync::Arc;

use proptest::prelude::*;
use rad_core::id::AccountId;
use rad_core::money::{Amount, Credits, Rate};
use rad_core::revenue::{
    AccountState, Body, Bucket, BurnOrder, Capture, ChargeTerms, Effect, Entry, EntryKey, Grant, Hold,
    LotSource, Reason, Refund, RevenueBasis, Violation,
};
use rad_core::strategies::{Script, charge_terms};

pub(super) const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
pub(super) const FINANCE: AccountId = AccountId::from_bytes([2; 16]);

/// How often each law is tried; `RAD_LAW_CASES` asks for more.
const CASES: u32 = 256;

/// The entries of a script that its engine takes.
fn taken(script: &Script) -> Vec<Entry> {
    let attempts = script.play(ACCOUNT).into_iter().filter(|attempt| attempt.refused.is_none());
    attempts.map(|attempt| attempt.entry).collect()
}

fn after(script: &Script) -> AccountState {
    replay(&taken(script), ACCOUNT).0
}

fn replay(entries: &[Entry], account: AccountId) -> (AccountState, Vec<Effect>) {
    let mut state = AccountState::new(account);
    let effects = entries.iter().map(|entry| state.apply(entry).unwrap()).collect();
    (state, effects)
}

/// Applies what finance posts at the time of the last entry.
pub(super) fn post(state: &mut AccountState, body: Body) -> Result<Effect, Violation> {
    let entry = state.draft(state.last().unwrap_or_default(), key(b"post"), Some(FINANCE), body);
    state.apply(&entry)
}

/// Terms under which every lot yields what was paid for it, and shares that fit together.
fn at_cost(terms: &ChargeTerms) -> ChargeTerms {
    let left = Rate::FULL.basis_points() - terms.partner_share.basis_points();
    let agent_share = terms.agent_share.min(Rate::from_basis_points(left).unwrap());
    ChargeTerms { agent_share, basis: RevenueBasis::LotCost, allowance_earns: None, ..terms.clone() }
}

fn terms_at_cost() -> impl Strategy<Value = Arc<ChargeTerms>> {
    charge_terms().prop_map(|terms| Arc::new(at_cost(&terms)))
}

pub(super) fn bought(credits: i64, cost: i64) -> Body {
    Body::Grant(Grant {
        source: LotSource::Purchase,
        bucket: Bucket::Purchased,
        credits: Credits::from_micros(credits),
        cost: Amount::from_micros(cost),
        paid: None,
        expires: None,
        reference: None,
    })
}

pub(super) fn hold(amount: Credits, burn: BurnOrder) -> Body {
    Body::Hold(Hold { amount, burn, expires: None, deployment: None, module: None })
}

pub(super) fn capture(hold: u64, amount: i64, terms: &Arc<ChargeTerms>) -> Body {
    let (amount, deployment) = (Credits::from_micros(amount), "d0123456789a".parse().unwrap());
    Body::Capture(Capture { hold, amount, deployment, terms: Arc::clone(terms) })
}

pub(super) fn refund(charge: u64, amount: i64) -> Body {
    let reason = Reason::new("the module never worked").unwrap();
    Body::Refund(Refund { charge, amount: Credits::from_micros(amount), reason })
}

/// Refunds all of a charge: pieces of it, in thousandths of what is left, then the rest.
fn refund_all(state: &mut AccountState, charge: u64, pieces: &[i64]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for piece in pieces.iter().copied().chain([1_000]) {
        let charged = state.charge(charge).unwrap();
        let left = charged.credits.micros() - charged.refunded.micros();
        let amount = if piece == 1_000 { left } else { (left / 1_000).saturating_mul(piece) };
        if amount > 0 {
            effects.push(post(state, refund(charge, amount)).unwrap());
        }
    }
    effects
}

pub(super) fn key(name: &[u8]) -> EntryKey {
    EntryKey::derive("test", &[name])
}
