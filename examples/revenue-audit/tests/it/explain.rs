//! `explain`: a charge back to its payments, and on to what became of it.

use rad_core::id::AccountId;
use rad_core::revenue::BurnOrder;
use serde_json::Value;

use crate::books::{self, BOTH, PARTNER, REVERSED};
use crate::common::{Said, audit};

const SOURCE: &str = "books.jsonl.gz";

fn explain(charge: &str, json: bool) -> Said {
    let directory = tempfile::tempdir().unwrap();
    let mut market = books::market("20");
    market.push(books::history(
        AccountId::from_bytes([0x13; 16]),
        vec![
            ("2026-10-01T08:00:00Z", books::given("30")),
            ("2026-10-01T09:00:00Z", books::hold("5", BurnOrder::AwardedFirst)),
        ],
    ));
    books::write(&market, &directory.path().join(SOURCE));
    let arguments = ["explain", SOURCE, "--charge", charge, "--json"];
    audit(directory.path(), if json { &arguments } else { &arguments[..4] })
}

fn parts(value: &Value) -> Vec<String> {
    let text = |part: &Value| {
        let lot = part["lot"]["entry"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        let field = |name: &str| part[name].as_str().unwrap().to_owned();
        [field("credits"), field("bucket"), field("cost"), part["gross_minor"].to_string(), lot].join(" ")
    };
    value.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn every_credit_goes_back_to_its_lot_and_payment() {
    let said = explain(&format!("{BOTH}:4"), true);
    assert_eq!(said.code, 0, "{said:?}");
    let told = said.json();
    assert_eq!(parts(&told["parts"]), ["30 awarded 0 0 1", "30 purchased 3 300 2"]);
    let lot = &told["parts"][1]["lot"];
    assert_eq!(
        [
            &lot["source"],
            &lot["unit_cost"],
            &lot["cost"],
            &lot["paid"]["money"],
            &lot["paid"]["rate"],
            &lot["reference"]
        ],
        ["purchase", "1/10", "10", "10.00 EUR", "1", &"ab".repeat(16)]
    );
    assert_eq!(told["parts"][0]["lot"]["unit_cost"], "0");
    assert_eq!((told["earned"]["gross"].as_i64(), told["earned"]["partner"].as_i64()), (Some(300), Some(60)));
    assert_eq!(told["terms"]["partner_share"], "20");
    assert_eq!(told["terms"]["commit"], "0123456789abcdef0123456789abcdef01234567");
    assert_eq!(told["rules"]["entry"], "00000000-0000-0000-0000-000000000000:1");
    assert_eq!((told["rules"]["version"].as_u64(), &told["rules"]["problem"]), (Some(1), &Value::Null));
    assert_eq!(
        (told["hold"]["entry"].as_str(), told["hold"]["burn"].as_str()),
        (Some(&*format!("{BOTH}:3")), Some("awarded_first"))
    );
    let records = books::records(&books::market("20"));
    let charge = records.iter().find(|record| record.entry.id().to_string() == format!("{BOTH}:4")).unwrap();
    assert_eq!(told["charge"]["hash"], charge.hash.unwrap().to_string());
}

#[test]
fn what_became_of_it_is_told_to_the_end() {
    let told = explain(&format!("{BOTH}:4"), true).json();
    let since = told["since"].as_array().unwrap();
    let events: Vec<_> = since
        .iter()
        .map(|event| {
            let shares = &event["lines"][0];
            (
                event["kind"].as_str().unwrap(),
                parts(&event["parts"]).concat(),
                shares["gross"].as_i64(),
                event["owed"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        events,
        [
            ("refund", "-10 purchased -1 -100 2".to_owned(), Some(-100), "0"),
            ("reversal", "-20 purchased -2 -200 2".to_owned(), Some(-200), "20"),
            ("grant", "20 purchased 2.4 240 7".to_owned(), Some(240), "-20"),
        ]
    );
    assert_eq!(since[0]["why"], "the module never worked");
    assert_eq!(since[1]["why"], "the dispute was lost");
    let now = &told["now"];
    assert_eq!(parts(&now["parts"]), ["30 awarded 0 0 1", "20 purchased 2.4 240 7"]);
    assert_eq!((now["refunded"].as_str(), now["owed"].as_str()), (Some("10"), Some("0")));
    let shares = ["gross", "partner", "agent", "platform"].map(|name| now["shares"][name].as_i64().unwrap());
    assert_eq!(shares, [240, 48, 12, 180]);
}

#[test]
fn people_read_it_as_a_tree() {
    let said = explain(&format!("{BOTH}:4"), false);
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        &format!("charge {BOTH}:4 of 60 credits"),
        "│  ├─ 30 awarded credits of lot 1, gross 0.00 USD",
        "│  └─ 30 purchased credits of lot 2, cost 3 at 1/10 a credit, gross 3.00 USD",
        "│     ├─ paid 10.00 EUR at the rate 1",
        &format!("│  ├─ partner {PARTNER}: 20 %"),
        "├─ earned 3.00 USD = partner 0.60 + agent 0.15 + platform 2.25",
        "│  ├─ refund in entry 5: the module never worked",
        "   └─ earned in all 2.40 USD = partner 0.48 + agent 0.12 + platform 1.80",
    ] {
        assert!(said.out.lines().any(|found| found == line), "{line}\n{}", said.out);
    }
}

#[test]
fn what_is_no_charge_is_named_and_the_charge_it_belongs_to() {
    let other = AccountId::from_bytes([0x13; 16]);
    let nobody = AccountId::from_bytes([0x77; 16]);
    for (charge, reason, mend) in [
        (format!("{REVERSED}:3"), "no charge but a hold", format!("has to do with are {REVERSED}:4")),
        (format!("{REVERSED}:2"), "no charge but a grant", format!("{REVERSED}:4")),
        (format!("{REVERSED}:5"), "no charge but a reversal", format!("{REVERSED}:4")),
        (format!("{REVERSED}:99"), "entries 1 to 6", format!("{REVERSED}:4")),
        (format!("{other}:2"), "no charge but a hold", "the account has no charges".to_owned()),
        (format!("{nobody}:4"), "has no entry of account", "--by account".to_owned()),
        ("00000000-0000-0000-0000-000000000000:1".to_owned(), "a share rules", "no charges".to_owned()),
    ] {
        let said = explain(&charge, true);
        assert_eq!(said.code, 2, "{said:?}");
        let error = &said.json()["error"];
        assert_eq!(error["value"], charge);
        assert!(error["reason"].as_str().unwrap().contains(reason), "{error}");
        assert!(error["mend"].as_str().unwrap().contains(&mend), "{error}");
    }
    for bad in ["4", "x:4", &format!("{REVERSED}:"), &format!("{REVERSED}:-4")] {
        assert_eq!(explain(bad, true).code, 2, "{bad}");
    }
}

#[test]
fn rates_that_were_not_in_force_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut market = books::market("20");
    market[1] = books::history(market[1][0].account, books::example("25", Vec::new()));
    books::write(&market, &directory.path().join(SOURCE));
    let charge = format!("{}:4", books::REFUNDED);
    let said = audit(directory.path(), &["explain", SOURCE, "--charge", &charge]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("partner_share is 25 %, not 20 %"), "{}", said.out);
}
