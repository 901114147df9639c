//! Books to audit: the worked example in its variants, as an export that a ledger would write.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::export::{JsonlWriter, Record};
use rad_core::id::{AccountId, ModuleId};
use rad_core::money::Currency;
use rad_core::revenue::{
    AccountState, Body, Bucket, BurnOrder, Capture, Entry, EntryKey, Grant, Hold, LotSource,
    PLATFORM_ACCOUNT, Paid, Reason, Refund, RevenueBasis, Reversal, ReversalCause, Rounding, ShareRules,
};
use rad_core::source::Digest;

pub(crate) const PARTNER: AccountId = AccountId::from_bytes([2; 16]);
pub(crate) const AGENT: AccountId = AccountId::from_bytes([3; 16]);
pub(crate) const FINANCE: AccountId = AccountId::from_bytes([4; 16]);
pub(crate) const MODULE: ModuleId = ModuleId::from_bytes([5; 16]);
/// Pays the example's charge; 40 of it are refunded in November.
pub(crate) const REFUNDED: AccountId = AccountId::from_bytes([0x10; 16]);
/// Pays the example's charge; its payment is taken back in November, and a purchase repays the debt.
pub(crate) const REVERSED: AccountId = AccountId::from_bytes([0x11; 16]);
/// Pays it too; then a part is refunded, the payment is taken back, and a purchase repays.
pub(crate) const BOTH: AccountId = AccountId::from_bytes([0x12; 16]);

/// What happens to one account, and when.
pub(crate) type Story = Vec<(&'static str, Body)>;

/// The histories of all accounts, in the order of an export.
pub(crate) fn market(partner_share: &str) -> Vec<Vec<Entry>> {
    vec![
        history(PLATFORM_ACCOUNT, vec![("2026-09-30T00:00:00Z", rules(1, partner_share))]),
        history(REFUNDED, example(partner_share, vec![("2026-11-02T09:00:00Z", refund(4, "40"))])),
        history(REVERSED, example(partner_share, taken_back())),
        history(BOTH, {
            let mut rest = vec![("2026-11-01T00:00:00Z", refund(4, "10"))];
            rest.extend(taken_back());
            example(partner_share, rest)
        }),
    ]
}

fn taken_back() -> Story {
    vec![("2026-11-02T09:30:00Z", reversal(2, "100")), ("2026-11-03T09:00:00Z", bought("50", "6"))]
}

/// 30 awarded, 100 bought for 10.00, a charge of 60, and the rest.
pub(crate) fn example(partner_share: &str, rest: Story) -> Story {
    let mut story = vec![
        ("2026-10-01T08:00:00Z", given("30")),
        ("2026-10-01T08:05:00Z", bought("100", "10")),
        ("2026-10-05T12:00:00Z", hold("60", BurnOrder::AwardedFirst)),
        ("2026-10-05T12:10:00Z", capture(3, "60", partner_share)),
    ];
    story.extend(rest);
    story
}

pub(crate) fn history(account: AccountId, story: Story) -> Vec<Entry> {
    let mut state = AccountState::new(account);
    let mut entries = Vec::new();
    for (at, body) in story {
        let at: DateTime<Utc> = at.parse().unwrap();
        let key = EntryKey::derive("books", &[&state.seq().to_be_bytes()]);
        let entry = state.draft(at, key, Some(FINANCE), body);
        state.apply(&entry).unwrap();
        entries.push(entry);
    }
    entries
}

/// Writes an export, with hashes and what each entry did.
pub(crate) fn write(market: &[Vec<Entry>], path: &Path) {
    write_records(&records(market), path);
}

pub(crate) fn records(market: &[Vec<Entry>]) -> Vec<Record> {
    let mut records = Vec::new();
    for entries in market {
        let mut state = AccountState::new(entries[0].account);
        let mut head = Digest::ZERO;
        for entry in entries {
            let effect = state.apply(entry).unwrap();
            head = entry.hash(&head);
            records.push(Record::new(entry.clone(), head, &effect));
        }
    }
    records
}

pub(crate) fn write_records(records: &[Record], path: &Path) {
    let mut writer = JsonlWriter::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap().finish().unwrap();
}

pub(crate) fn rules(version: u32, partner_share: &str) -> Body {
    Body::ShareRules(Arc::new(share_rules(version, partner_share)))
}

fn share_rules(version: u32, partner_share: &str) -> ShareRules {
    ShareRules {
        version,
        effective: "2026-10-01T00:00:00Z".parse().unwrap(),
        currency: Currency::USD,
        partner_share: partner_share.parse().unwrap(),
        agent_share: "5".parse().unwrap(),
        overrides: Vec::new(),
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
    }
}

pub(crate) fn given(credits: &str) -> Body {
    grant(LotSource::AdminAward, Bucket::Awarded, credits, "0", None)
}

/// Bought for so many dollars, paid in euros.
pub(crate) fn bought(credits: &str, cost: &str) -> Body {
    let paid = Paid { money: format!("{cost} EUR").parse().unwrap(), rate: "1".parse().unwrap() };
    grant(LotSource::Purchase, Bucket::Purchased, credits, cost, Some(paid))
}

fn grant(source: LotSource, bucket: Bucket, credits: &str, cost: &str, paid: Option<Paid>) -> Body {
    let reference = paid.is_some().then_some([0xab; 16]);
    let (credits, cost, paid) = (credits.parse().unwrap(), cost.parse().unwrap(), paid.map(Box::new));
    Body::Grant(Grant { source, bucket, credits, cost, paid, expires: None, reference })
}

pub(crate) fn hold(amount: &str, burn: BurnOrder) -> Body {
    let amount = amount.parse().unwrap();
    Body::Hold(Hold { amount, burn, expires: None, deployment: None, module: None })
}

pub(crate) fn capture(hold: u64, amount: &str, partner_share: &str) -> Body {
    let commit = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
    let terms = share_rules(1, partner_share).terms(MODULE, commit, Some(PARTNER), Some(AGENT));
    Body::Capture(Capture {
        hold,
        amount: amount.parse().unwrap(),
        deployment: "dabcdefghij1".parse().unwrap(),
        terms: Arc::new(terms),
    })
}

pub(crate) fn refund(charge: u64, amount: &str) -> Body {
    let reason = Reason::new("the module never worked").unwrap();
    Body::Refund(Refund { charge, amount: amount.parse().unwrap(), reason })
}

pub(crate) fn reversal(lot: u64, amount: &str) -> Body {
    Body::Reversal(Reversal { lot, amount: amount.parse().unwrap(), cause: ReversalCause::DisputeLost })
}
