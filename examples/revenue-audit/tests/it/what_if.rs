//! `what-if`: the same entries under other rules.

use rad_core::id::AccountId;
use rad_core::revenue::{BurnOrder, Entry};
use serde_json::{Value, json};

use crate::books::{self, PARTNER};
use crate::common::audit;

const SOURCE: &str = "books.jsonl.gz";

fn run(market: &[Vec<Entry>], arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    books::write(market, &directory.path().join(SOURCE));
    let said = audit(directory.path(), &[&[arguments[0], SOURCE, "--json"], &arguments[1..]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    said.json()
}

#[test]
fn other_rates_are_what_a_replay_of_books_at_those_rates_gives() {
    for share in ["25", "0", "95", "33.33"] {
        let asked = run(&books::market("20"), &["what-if", "--partner-share", share]);
        let was = run(&books::market("20"), &["replay", "--by", "partner"]);
        let real = run(&books::market(share), &["replay", "--by", "partner"]);
        let (was, real) = (&was["revenue"][0], &real["revenue"][0]);
        let change = &asked["changes"][0];
        for (side, replayed) in [("was_minor", was), ("would_be_minor", real)] {
            for (sum, field) in [
                ("gross", "gross_minor"),
                ("partners", "partner_minor"),
                ("agents", "agent_minor"),
                ("platform", "platform_minor"),
            ] {
                assert_eq!(change[sum][side], replayed["total"][field], "{share} {side} {sum}");
            }
            assert_eq!(
                change["by_partner"][PARTNER.to_string()][side],
                replayed["groups"][0]["partner_minor"]
            );
        }
        assert_eq!(asked["impossible"], 0);
    }
}

#[test]
fn the_burn_order_moves_revenue_and_leaves_exclusive_fees_alone() {
    let exclusive = AccountId::from_bytes([0x13; 16]);
    let market = vec![
        books::history(books::REFUNDED, books::example("20", Vec::new())),
        books::history(
            exclusive,
            vec![
                ("2026-10-01T08:00:00Z", books::given("30")),
                ("2026-10-01T08:00:00Z", books::bought("100", "10")),
                ("2026-10-01T08:00:00Z", books::hold("10", BurnOrder::PurchasedOnly)),
                ("2026-10-01T08:00:00Z", books::capture(3, "10", "20")),
            ],
        ),
    ];
    let asked = run(&market, &["what-if", "--burn-order", "purchased-first"]);
    // The example takes 60 purchased credits in place of 30; the other charge stays at 1.00.
    let gross = json!({"was_minor": 400, "would_be_minor": 700, "difference_minor": 300});
    assert_eq!(asked["changes"][0]["gross"], gross);
    let partner = json!({"was_minor": 80, "would_be_minor": 140, "difference_minor": 60});
    assert_eq!(asked["changes"][0]["by_partner"][PARTNER.to_string()], partner);
}

#[test]
fn entries_that_could_not_have_happened_are_counted_by_reason() {
    let poor = vec![
        ("2026-10-01T08:00:00Z", books::given("30")),
        ("2026-10-01T08:00:00Z", books::bought("40", "4")),
        ("2026-10-01T08:00:00Z", books::hold("60", BurnOrder::AwardedFirst)),
        ("2026-10-01T08:00:00Z", books::capture(3, "60", "20")),
        ("2026-10-01T08:00:00Z", books::refund(4, "10")),
    ];
    let asked = run(&[books::history(books::REFUNDED, poor)], &["what-if", "--burn-order", "purchased-only"]);
    assert_eq!(asked["impossible"], 3);
    assert_eq!(
        asked["impossible_by"],
        json!([
            {"kind": "capture", "reason": "HoldSettled", "entries": 1},
            {"kind": "hold", "reason": "InsufficientPurchased", "entries": 1},
            {"kind": "refund", "reason": "UnknownCharge", "entries": 1},
        ])
    );
    let gross = json!({"was_minor": 200, "would_be_minor": 0, "difference_minor": -200});
    assert_eq!(asked["changes"][0]["gross"], gross);
}

#[test]
fn basis_allowance_and_current_rates_are_asked_alone_or_together() {
    let mut market = books::market("20");
    market[0] = books::history(
        rad_core::revenue::PLATFORM_ACCOUNT,
        vec![
            ("2026-09-30T00:00:00Z", books::rules(1, "20")),
            ("2026-09-30T01:00:00Z", books::rules(2, "40")),
        ],
    );
    let market = &market[..2];
    // A charge of 30 purchased credits, of which all are refunded: nothing stands, whatever the rules.
    let charged = vec![market[0].clone(), market[1][..4].to_vec()];
    let sum = |arguments: &[&str], name: &str| {
        run(&charged, arguments)["changes"][0][name]["would_be_minor"].as_i64().unwrap()
    };
    assert_eq!(sum(&["what-if", "--current-rates"], "partners"), 120);
    assert_eq!(sum(&["what-if", "--current-rates", "--partner-share", "50"], "partners"), 150);
    assert_eq!(sum(&["what-if", "--agent-share", "10"], "agents"), 30);
    assert_eq!(sum(&["what-if", "--basis", "credits-per-unit=5"], "gross"), 600);
    assert_eq!(sum(&["what-if", "--basis", "credits-per-unit=5", "--current-rates"], "partners"), 240);
    assert_eq!(run(&charged, &["what-if", "--current-rates"])["current_rules"], 2);
    assert_eq!(run(market, &["what-if", "--current-rates"])["changes"][0]["gross"]["would_be_minor"], 0);
}

#[test]
fn what_cannot_be_asked_says_what_can() {
    let directory = tempfile::tempdir().unwrap();
    books::write(&books::market("20")[1..], &directory.path().join(SOURCE));
    for (arguments, wanted) in [
        (vec![], "--partner-share"),
        (vec!["--partner-share", "101"], "0 to 100 percent"),
        (vec!["--burn-order", "oldest"], "purchased-first"),
        (vec!["--basis", "cost"], "lot-cost"),
        (vec!["--basis", "credits-per-unit=0"], "0.01"),
        (vec!["--current-rates"], "no share rules"),
    ] {
        let said = audit(directory.path(), &[&["what-if", SOURCE], &arguments[..]].concat());
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(wanted), "{wanted}: {}", said.err);
    }
}

#[test]
fn people_read_a_table() {
    let directory = tempfile::tempdir().unwrap();
    books::write(&books::market("20"), &directory.path().join(SOURCE));
    let said = audit(directory.path(), &["what-if", SOURCE, "--partner-share", "25"]);
    let row =
        |name: &str| said.out.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let words = |line: String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(row("partners")), ["partners", "1.20", "1.50", "0.30"], "{}", said.out);
    assert_eq!(words(row("gross")), ["gross", "6.00", "6.00", "0.00"]);
}
