//! The canonical bytes of an entry, as `FORMAT.md` specifies them. Stored hashes depend on every byte: a kind or field
//! that exists never changes, new ones get new codes.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{
    Adjustment, Body, Bucket, BurnOrder, Capture, ChargeTerms, Entry, Grant, Hold, LotSource, Paid,
    ProjectDebit, Refund, RevenueBasis, Reversal, ReversalCause, Rounding, ShareRules,
};
use crate::id::AccountId;
use crate::money::{CreditsPerUnit, Rate};

/// Takes the bytes one after the other: a buffer, or a hash.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes an entry.
pub(super) fn write(entry: &Entry, out: &mut impl Sink) {
    out.put(entry.account.as_bytes());
    out.put(&entry.seq.to_be_bytes());
    time(entry.at, out);
    out.put(entry.key.as_bytes());
    option(entry.actor.as_ref().map(AccountId::as_bytes), out);
    body(&entry.body, out);
}

fn body(body: &Body, out: &mut impl Sink) {
    let mut kind = |code: u8| out.put(&[code]);
    match body {
        Body::Grant(grant_) => {
            kind(1);
            grant(grant_, out);
        }
        Body::Hold(hold_) => {
            kind(2);
            hold(hold_, out);
        }
        Body::Capture(Capture { hold, amount, deployment, terms: terms_ }) => {
            kind(3);
            out.put(&hold.to_be_bytes());
            out.put(&amount.micros().to_be_bytes());
            out.put(deployment.as_bytes());
            terms(terms_, out);
        }
        Body::Release(release) => {
            kind(4);
            out.put(&release.hold.to_be_bytes());
        }
        Body::Refund(Refund { charge, amount, reason }) => {
            kind(5);
            out.put(&charge.to_be_bytes());
            out.put(&amount.micros().to_be_bytes());
            text(reason.as_str(), out);
        }
        Body::Freeze(freeze) => {
            kind(6);
            out.put(&freeze.lot.to_be_bytes());
        }
        Body::Unfreeze(unfreeze) => {
            kind(7);
            out.put(&unfreeze.lot.to_be_bytes());
        }
        Body::Reversal(Reversal { lot, amount, cause }) => {
            kind(8);
            out.put(&lot.to_be_bytes());
            out.put(&amount.micros().to_be_bytes());
            out.put(&[match cause {
                ReversalCause::PaymentRefund => 1,
                ReversalCause::DisputeLost => 2,
            }]);
        }
        Body::Expiry(expiry) => {
            kind(9);
            out.put(&expiry.lot.to_be_bytes());
        }
        Body::ProjectDebit(ProjectDebit { amount, project, deployment }) => {
            kind(10);
            out.put(&amount.micros().to_be_bytes());
            out.put(project);
            option(deployment.as_ref().map(|id| id.as_bytes()), out);
        }
        Body::Adjustment(Adjustment { bucket: bucket_, amount, reason }) => {
            kind(11);
            bucket(*bucket_, out);
            out.put(&amount.micros().to_be_bytes());
            text(reason.as_str(), out);
        }
        Body::ShareRules(rules) => {
            kind(12);
            share_rules(rules, out);
        }
    }
}

fn grant(grant: &Grant, out: &mut impl Sink) {
    out.put(&[match grant.source {
        LotSource::Signup => 1,
        LotSource::Referral => 2,
        LotSource::AdminAward => 3,
        LotSource::Purchase => 4,
        LotSource::Subscription => 5,
        LotSource::PartnerAllowance => 6,
        LotSource::Adjustment => 7,
    }]);
    bucket(grant.bucket, out);
    out.put(&grant.credits.micros().to_be_bytes());
    out.put(&grant.cost.micros().to_be_bytes());
    match grant.paid.as_deref() {
        None => out.put(&[0]),
        Some(Paid { money, rate }) => {
            out.put(&[1]);
            out.put(&money.amount().micros().to_be_bytes());
            out.put(money.currency().as_bytes());
            decimal(*rate, out);
        }
    }
    optional_time(grant.expires, out);
    option(grant.reference.as_ref(), out);
}

fn hold(hold: &Hold, out: &mut impl Sink) {
    out.put(&hold.amount.micros().to_be_bytes());
    out.put(&[match hold.burn {
        BurnOrder::AwardedFirst => 0,
        BurnOrder::PurchasedOnly => 1,
        BurnOrder::PurchasedFirst => 2,
    }]);
    optional_time(hold.expires, out);
    option(hold.deployment.as_ref().map(|id| id.as_bytes()), out);
    option(hold.module.as_ref().map(|id| id.as_bytes()), out);
}

fn terms(terms: &ChargeTerms, out: &mut impl Sink) {
    out.put(terms.module.as_bytes());
    text(terms.commit.as_str(), out);
    option(terms.publisher.as_ref().map(AccountId::as_bytes), out);
    option(terms.agent.as_ref().map(AccountId::as_bytes), out);
    rate(terms.partner_share, out);
    rate(terms.agent_share, out);
    out.put(&terms.rule_version.to_be_bytes());
    basis(terms.basis, terms.allowance_earns, out);
    out.put(terms.currency.as_bytes());
    rounding(terms.rounding, out);
}

fn share_rules(rules: &ShareRules, out: &mut impl Sink) {
    out.put(&rules.version.to_be_bytes());
    time(rules.effective, out);
    out.put(rules.currency.as_bytes());
    rate(rules.partner_share, out);
    rate(rules.agent_share, out);
    length(rules.overrides.len(), out);
    for own in &rules.overrides {
        out.put(own.partner.as_bytes());
        rate(own.share, out);
    }
    basis(rules.basis, rules.allowance_earns, out);
    rounding(rules.rounding, out);
}

fn rounding(rounding: Rounding, out: &mut impl Sink) {
    out.put(&[match rounding {
        Rounding::FloorThenLargestRemainder => 1,
    }]);
}

fn basis(basis: RevenueBasis, allowance: Option<CreditsPerUnit>, out: &mut impl Sink) {
    match basis {
        RevenueBasis::LotCost => out.put(&[0]),
        RevenueBasis::CreditsPerUnit(price) => {
            out.put(&[1]);
            out.put(&price.hundredths().to_be_bytes());
        }
    }
    option(allowance.map(|price| price.hundredths().to_be_bytes()).as_ref(), out);
}

fn bucket(bucket: Bucket, out: &mut impl Sink) {
    out.put(&[match bucket {
        Bucket::Awarded => 1,
        Bucket::Purchased => 2,
    }]);
}

fn rate(rate: Rate, out: &mut impl Sink) {
    out.put(&rate.basis_points().to_be_bytes());
}

fn time(at: DateTime<Utc>, out: &mut impl Sink) {
    out.put(&at.timestamp_micros().to_be_bytes());
}

fn optional_time(at: Option<DateTime<Utc>>, out: &mut impl Sink) {
    option(at.map(|at| at.timestamp_micros().to_be_bytes()).as_ref(), out);
}

fn option<const N: usize>(bytes: Option<&[u8; N]>, out: &mut impl Sink) {
    match bytes {
        None => out.put(&[0]),
        Some(bytes) => {
            out.put(&[1]);
            out.put(bytes);
        }
    }
}

fn decimal(value: Decimal, out: &mut impl Sink) {
    let value = value.normalize();
    out.put(&value.mantissa().to_be_bytes());
    out.put(&value.scale().to_be_bytes());
}

fn text(text: &str, out: &mut impl Sink) {
    length(text.len(), out);
    out.put(text.as_bytes());
}

fn length(length: usize, out: &mut impl Sink) {
    out.put(&(length as u64).to_be_bytes());
}
