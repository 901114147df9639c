//! The committed files: every kind of entry, as they are written and hashed. They are what another program is tried on.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::export::{CsvReader, JsonlReader, Record};
use rad_core::id::{AccountId, ModuleId};
use rad_core::money::{Amount, Credits};
use rad_core::revenue::{
    AccountState, Adjustment, Body, Bucket, BurnOrder, Capture, ChargeTerms, EntryKey, Expiry, Freeze, Grant,
    Hold, LotSource, PLATFORM_ACCOUNT, Paid, PartnerRate, ProjectDebit, Reason, Refund, Release,
    RevenueBasis, Reversal, ReversalCause, Rounding, Sealed, ShareRules, Unfreeze,
};
use rad_core::source::Digest;

use super::encode::canonical;
use super::{csv_of, jsonl_of};

pub(super) const CSV: &str = include_str!("golden.csv");
pub(super) const JSONL: &str = include_str!("golden.jsonl");

#[test]
fn the_committed_files_are_what_is_written() {
    let records = records();
    assert_eq!(CSV, String::from_utf8(csv_of(&records)).unwrap());
    assert_eq!(JSONL, String::from_utf8(jsonl_of(&records)).unwrap());
}

#[test]
fn the_committed_files_read_the_same() {
    let (mut csv, mut jsonl) = (CsvReader::new(CSV.as_bytes()), JsonlReader::new(JSONL.as_bytes()));
    let (mut one, mut other) = (Record::default(), Record::default());
    for record in records() {
        assert!(csv.read(&mut one).unwrap() && jsonl.read(&mut other).unwrap());
        assert_eq!((&one, &other), (&record, &record));
    }
    assert!(!csv.read(&mut one).unwrap() && !jsonl.read(&mut other).unwrap());
}

#[test]
fn the_hashes_follow_from_the_columns_by_the_specification_alone() {
    let mut heads = HashMap::new();
    let mut rows = csv::Reader::from_reader(CSV.as_bytes());
    let rows: Vec<HashMap<String, String>> = rows.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), records().len());
    for row in rows {
        let previous = heads.entry(row["account"].clone()).or_insert([0; 32]);
        let bytes = [b"rad.entry.v1", &previous[..], &canonical(&row)].concat();
        let hash = Digest::of(&bytes);
        assert_eq!(hash.to_string(), row["hash"], "{} of {}", row["seq"], row["account"]);
        *previous = *hash.as_bytes();
    }
}

#[test]
fn every_kind_is_in_the_committed_files() {
    let kinds: std::collections::BTreeSet<_> =
        records().iter().map(|record| record.entry.body.kind()).collect();
    assert_eq!(kinds.len(), 12);
}

/// The records of the committed files: the platform's rules, then one account.
pub(super) fn records() -> Vec<Record> {
    let mut records = post(PLATFORM_ACCOUNT, vec![(0, share_rules())]);
    records.extend(post(id(0xac), account()));
    records
}

/// Posts bodies, each so many seconds after the one before.
fn post(account: AccountId, bodies: Vec<(i64, Body)>) -> Vec<Record> {
    let mut state = AccountState::new(account);
    let mut at: DateTime<Utc> = "2026-10-01T08:00:00.25Z".parse().unwrap();
    let mut head = Digest::ZERO;
    let draft = |(wait, body)| {
        at += TimeDelta::seconds(wait);
        let key = EntryKey::derive("golden", &[&state.seq().to_be_bytes()]);
        let entry = state.draft(at, key, (wait % 2 == 0).then_some(id(0xfe)), body);
        let effect = state.apply(&entry).unwrap();
        let sealed = Sealed::new(entry, head);
        head = sealed.hash;
        Record::new(sealed.entry, sealed.hash, &effect)
    };
    bodies.into_iter().map(draft).collect()
}

fn share_rules() -> Body {
    Body::ShareRules(Arc::new(ShareRules {
        version: 1,
        effective: "2026-10-01T08:00:00.25Z".parse().unwrap(),
        currency: "USD".parse().unwrap(),
        partner_share: "20".parse().unwrap(),
        agent_share: "2.5".parse().unwrap(),
        overrides: vec![
            PartnerRate { partner: id(0xb1), share: "25".parse().unwrap() },
            PartnerRate { partner: id(0xb2), share: "0.01".parse().unwrap() },
        ],
        basis: RevenueBasis::CreditsPerUnit("10".parse().unwrap()),
        allowance_earns: Some("12.5".parse().unwrap()),
        rounding: Rounding::default(),
    }))
}

fn account() -> Vec<(i64, Body)> {
    let signup = grant(LotSource::Signup, "30", "0", None);
    let paid = Paid { money: "9.2 EUR".parse().unwrap(), rate: "1.0869565".parse().unwrap() };
    let bought = Grant {
        paid: Some(Box::new(paid)),
        reference: Some([0x5e; 16]),
        ..grant(LotSource::Purchase, "100", "10", None)
    };
    let deployment = "d00000000007".parse().unwrap();
    let hold = |amount: &str| Hold {
        amount: credits(amount),
        burn: BurnOrder::AwardedFirst,
        expires: None,
        deployment: Some(deployment),
        module: Some(ModuleId::from_bytes([0x30; 16])),
    };
    let lapsing = Hold {
        burn: BurnOrder::PurchasedOnly,
        expires: Some("2026-12-01T00:00:00Z".parse().unwrap()),
        deployment: None,
        module: None,
        ..hold("0.000001")
    };
    let capture = Capture { hold: 3, amount: credits("60"), deployment, terms: Arc::new(terms()) };
    let award = grant(LotSource::AdminAward, "5", "0", Some("2026-10-02T00:00:00Z"));
    vec![
        (1, Body::Grant(signup)),
        (60, Body::Grant(bought)),
        (60, Body::Hold(hold("60.5"))),
        (61, Body::Capture(capture)),
        (60, Body::Refund(Refund { charge: 4, amount: credits("40"), reason: reason("late, \"twice\"") })),
        (1, Body::Hold(lapsing)),
        (1, Body::Release(Release { hold: 6 })),
        (60, Body::Freeze(Freeze { lot: 2 })),
        (60, Body::Unfreeze(Unfreeze { lot: 2 })),
        (1, Body::Grant(award)),
        (200_000, Body::Expiry(Expiry { lot: 10 })),
        (
            1,
            Body::ProjectDebit(ProjectDebit {
                amount: credits("70"),
                project: [0x9d; 16],
                deployment: Some(deployment),
            }),
        ),
        (1, Body::Reversal(Reversal { lot: 2, amount: credits("100"), cause: ReversalCause::DisputeLost })),
        (1, Body::Grant(grant(LotSource::Subscription, "90", "9.99", None))),
        (
            60,
            Body::Adjustment(Adjustment {
                bucket: Bucket::Purchased,
                amount: credits("-0.5"),
                reason: reason("Prüfung"),
            }),
        ),
        (
            60,
            Body::Adjustment(Adjustment {
                bucket: Bucket::Awarded,
                amount: credits("1"),
                reason: reason("=1+1"),
            }),
        ),
    ]
}

fn terms() -> ChargeTerms {
    ChargeTerms {
        module: ModuleId::from_bytes([0x30; 16]),
        commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        publisher: Some(id(0xb1)),
        agent: Some(id(0xa9)),
        partner_share: "25".parse().unwrap(),
        agent_share: "2.5".parse().unwrap(),
        rule_version: 1,
        basis: RevenueBasis::CreditsPerUnit("10".parse().unwrap()),
        allowance_earns: Some("12.5".parse().unwrap()),
        rounding: Rounding::default(),
        currency: "USD".parse().unwrap(),
    }
}

fn grant(source: LotSource, amount: &str, cost: &str, expires: Option<&str>) -> Grant {
    let cost: Amount = cost.parse().unwrap();
    Grant {
        source,
        bucket: source.bucket().unwrap(),
        credits: credits(amount),
        cost,
        paid: None,
        expires: expires.map(|expires| expires.parse().unwrap()),
        reference: None,
    }
}

fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

fn reason(text: &str) -> Reason {
    text.parse().unwrap()
}

fn id(byte: u8) -> AccountId {
    AccountId::from_bytes([byte; 16])
}
