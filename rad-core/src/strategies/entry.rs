//! Entries with any content at all: most of them no account would take.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::money::{Amount, Credits, CreditsPerUnit, Currency, Money, Rate};
use crate::revenue::{
    Adjustment, Body, Bucket, BurnOrder, Capture, ChargeTerms, Entry, EntryKey, Expiry, Freeze, Grant, Hold,
    LotSource, Paid, PartnerRate, ProjectDebit, Reason, Refund, Release, RevenueBasis, Reversal,
    ReversalCause, Rounding, ShareRules, Unfreeze,
};
use crate::source::CommitId;

/// Any entry of any account.
pub fn entries() -> impl Strategy<Value = Entry> {
    (any::<[u8; 16]>(), any::<u64>(), times(), any::<[u8; 16]>(), option::of(any::<[u8; 16]>()), bodies())
        .prop_map(|(account, seq, at, key, actor, body)| Entry {
            account: AccountId::from_bytes(account),
            seq,
            at,
            key: EntryKey::from_bytes(key),
            actor: actor.map(AccountId::from_bytes),
            body,
        })
}

/// Any body, absurd numbers included.
pub fn bodies() -> impl Strategy<Value = Body> {
    let small = 0..40_u64;
    prop_oneof![
        4 => grants().prop_map(Body::Grant),
        4 => holds().prop_map(Body::Hold),
        4 => (small.clone(), credits(), deployments(), charge_terms()).prop_map(|(hold, amount, deployment, terms)| {
            Body::Capture(Capture { hold, amount, deployment, terms: Arc::new(terms) })
        }),
        2 => small.clone().prop_map(|hold| Body::Release(Release { hold })),
        2 => (small.clone(), credits(), reasons())
            .prop_map(|(charge, amount, reason)| Body::Refund(Refund { charge, amount, reason })),
        1 => small.clone().prop_map(|lot| Body::Freeze(Freeze { lot })),
        1 => small.clone().prop_map(|lot| Body::Unfreeze(Unfreeze { lot })),
        2 => (small.clone(), credits(), causes())
            .prop_map(|(lot, amount, cause)| Body::Reversal(Reversal { lot, amount, cause })),
        1 => small.prop_map(|lot| Body::Expiry(Expiry { lot })),
        1 => (credits(), any::<[u8; 16]>(), option::of(deployments())).prop_map(
            |(amount, project, deployment)| Body::ProjectDebit(ProjectDebit { amount, project, deployment })
        ),
        1 => (buckets(), credits(), reasons())
            .prop_map(|(bucket, amount, reason)| Body::Adjustment(Adjustment { bucket, amount, reason })),
        1 => share_rules().prop_map(|rules| Body::ShareRules(Arc::new(rules))),
    ]
}

/// Any terms of a charge, shares beyond 100 % together included.
pub fn charge_terms() -> impl Strategy<Value = ChargeTerms> {
    let parties = (option::of(any::<[u8; 16]>()), option::of(any::<[u8; 16]>()));
    let names = (any::<[u8; 16]>(), commits());
    let rules = (any::<u32>(), bases(), option::of(prices()), currencies());
    (names, parties, rates(), rates(), rules).prop_map(
        |(names, parties, partner_share, agent_share, rules)| ChargeTerms {
            module: ModuleId::from_bytes(names.0),
            commit: names.1,
            publisher: parties.0.map(AccountId::from_bytes),
            agent: parties.1.map(AccountId::from_bytes),
            partner_share,
            agent_share,
            rule_version: rules.0,
            basis: rules.1,
            allowance_earns: rules.2,
            rounding: Rounding::default(),
            currency: rules.3,
        },
    )
}

fn grants() -> impl Strategy<Value = Grant> {
    let payment =
        option::of((amounts(), currencies(), decimals()).prop_map(|(amount, currency, rate)| {
            Box::new(Paid { money: Money::of(amount, currency), rate })
        }));
    let rest = (option::of(times()), option::of(any::<[u8; 16]>()));
    (sources(), buckets(), credits(), amounts(), payment, rest).prop_map(
        |(source, bucket, credits, cost, paid, (expires, reference))| Grant {
            source,
            bucket,
            credits,
            cost,
            paid,
            expires,
            reference,
        },
    )
}

fn holds() -> impl Strategy<Value = Hold> {
    let names = (option::of(deployments()), option::of(any::<[u8; 16]>()));
    (credits(), burn_orders(), option::of(times()), names).prop_map(
        |(amount, burn, expires, (deployment, module))| Hold {
            amount,
            burn,
            expires,
            deployment,
            module: module.map(ModuleId::from_bytes),
        },
    )
}

fn share_rules() -> impl Strategy<Value = ShareRules> {
    let own = vec((any::<[u8; 16]>(), rates()), 0..4).prop_map(|own| {
        let rate = |(partner, share)| PartnerRate { partner: AccountId::from_bytes(partner), share };
        own.into_iter().map(rate).collect::<Vec<_>>()
    });
    let rules = (any::<u32>(), times(), currencies());
    (rules, rates(), rates(), own, bases(), option::of(prices())).prop_map(
        |((version, effective, currency), partner_share, agent_share, overrides, basis, allowance_earns)| {
            ShareRules {
                version,
                effective,
                currency,
                partner_share,
                agent_share,
                overrides,
                basis,
                allowance_earns,
                rounding: Rounding::default(),
            }
        },
    )
}

fn times() -> impl Strategy<Value = DateTime<Utc>> {
    let micros = prop_oneof![8 => 0..4_000_000_000_000_000_i64, 1 => any::<i64>()];
    micros.prop_filter_map("a time in the calendar", DateTime::from_timestamp_micros)
}

pub(super) fn credits() -> impl Strategy<Value = Credits> {
    prop_oneof![
        8 => (1..200_i64).prop_map(|whole| whole * 1_000_000),
        4 => 1..200_000_000_i64,
        1 => any::<i64>(),
    ]
    .prop_map(Credits::from_micros)
}

pub(super) fn amounts() -> impl Strategy<Value = Amount> {
    prop_oneof![
        8 => (0..10_000_i64).prop_map(|cents| cents * 10_000),
        2 => 0..100_000_000_i64,
        1 => any::<i64>(),
    ]
    .prop_map(Amount::from_micros)
}

pub(super) fn rates() -> impl Strategy<Value = Rate> {
    (0..=10_000_u16).prop_filter_map("a rate", |points| Rate::from_basis_points(points).ok())
}

pub(super) fn prices() -> impl Strategy<Value = CreditsPerUnit> {
    prop_oneof![100..2_000_u32, 1..=100_000_000_u32]
        .prop_filter_map("a price", |hundredths| CreditsPerUnit::from_hundredths(hundredths).ok())
}

/// Any burn order.
pub fn burn_orders() -> impl Strategy<Value = BurnOrder> {
    proptest::sample::select(&BurnOrder::ALL[..])
}

fn bases() -> impl Strategy<Value = RevenueBasis> {
    prop_oneof![3 => Just(RevenueBasis::LotCost), 1 => prices().prop_map(RevenueBasis::CreditsPerUnit)]
}

pub(super) fn currencies() -> impl Strategy<Value = Currency> {
    prop_oneof![4 => Just("USD"), 1 => Just("JPY"), 1 => Just("KWD")]
        .prop_filter_map("a currency", |code| code.parse().ok())
}

fn decimals() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0..18_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

fn commits() -> impl Strategy<Value = CommitId> {
    "[0-9a-f]{40}".prop_filter_map("a commit", |hex| hex.parse().ok())
}

pub(super) fn deployments() -> impl Strategy<Value = DeploymentId> {
    any::<u64>().prop_filter_map("a deployment", |number| {
        let tail: String = format!("{number:016x}").chars().take(DeploymentId::LEN - 1).collect();
        format!("d{tail}").parse().ok()
    })
}

fn reasons() -> impl Strategy<Value = Reason> {
    vec(prop_oneof!["[a-z]", Just("ß".to_owned())], 1..40)
        .prop_filter_map("a reason", |letters| Reason::new(&letters.concat()).ok())
}

fn buckets() -> impl Strategy<Value = Bucket> {
    prop_oneof![Just(Bucket::Awarded), Just(Bucket::Purchased)]
}

fn causes() -> impl Strategy<Value = ReversalCause> {
    prop_oneof![Just(ReversalCause::PaymentRefund), Just(ReversalCause::DisputeLost)]
}

fn sources() -> impl Strategy<Value = LotSource> {
    prop_oneof![
        Just(LotSource::Signup),
        Just(LotSource::Referral),
        Just(LotSource::AdminAward),
        Just(LotSource::Purchase),
        Just(LotSource::Subscription),
        Just(LotSource::PartnerAllowance),
        Just(LotSource::Adjustment),
    ]
}
