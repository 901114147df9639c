//! A history of what window functions can answer to the credit: grants, holds, and captures of all that is held.

use std::collections::HashMap;
use std::sync::Arc;

use rad_core::revenue::{AccountState, Body, BurnOrder, Capture, Entry, Grant, Hold};
use rad_core::simulation::Market;

/// The grants of a market, without their expiry, and those of its holds that are captured: awarded credits first, each
/// captured whole.
pub(crate) fn history(market: &Market) -> Vec<Entry> {
    let mut plain = Vec::new();
    let mut entries = market.entries().peekable();
    let mut account = Vec::new();
    while let Some(entry) = entries.next() {
        let is_last = entries.peek().is_none_or(|next| next.account != entry.account);
        account.push(entry);
        if is_last {
            simplify(&account, &mut plain);
            account.clear();
        }
    }
    plain
}

/// Appends the plain history of one account; what it cannot pay it does not hold.
fn simplify(entries: &[Entry], plain: &mut Vec<Entry>) {
    let Some(first) = entries.first() else { return };
    let mut state = AccountState::new(first.account);
    let captured: HashMap<u64, &Capture> = entries.iter().filter_map(captured_hold).collect();
    let mut held = HashMap::new();
    for entry in entries {
        let body = match &entry.body {
            Body::Grant(grant) => Body::Grant(Grant { expires: None, ..grant.clone() }),
            Body::Hold(hold) => {
                let Some(capture) = captured.get(&entry.seq) else { continue };
                let module = Some(capture.terms.module);
                Body::Hold(Hold { burn: BurnOrder::AwardedFirst, expires: None, module, ..*hold })
            }
            Body::Capture(capture) => {
                let Some((hold, amount)) = held.remove(&capture.hold) else { continue };
                let (deployment, terms) = (capture.deployment, Arc::clone(&capture.terms));
                Body::Capture(Capture { hold, amount, deployment, terms })
            }
            _ => continue,
        };
        let next = state.draft(entry.at, entry.key, entry.actor, body);
        if state.apply_into(&next, &mut ()).is_ok() {
            if let Body::Hold(hold) = &next.body {
                held.insert(entry.seq, (next.seq, hold.amount));
            }
            plain.push(next);
        }
    }
}

fn captured_hold(entry: &Entry) -> Option<(u64, &Capture)> {
    match &entry.body {
        Body::Capture(capture) => Some((capture.hold, capture)),
        _ => None,
    }
}
