//! The journal through the real hledger and the real beancount: both find nothing wrong, and come to our balances.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rad_core::money::{Amount, Credits, Currency};
use rad_core::revenue::journal::{Proof, Unit};
use rad_core::revenue::{AccountState, Entry};
use rad_core::simulation::Simulation;
use rust_decimal::Decimal;

use crate::books::{self, REFUNDED, REVERSED};
use crate::common::{Said, audit};

/// Every check of hledger 1.25 but the one that wants transactions in the order of dates, which an export is not.
const CHECKS: [&str; 8] = [
    "parseable",
    "balancedwithautoconversion",
    "balancednoautoconversion",
    "assertions",
    "accounts",
    "commodities",
    "payees",
    "uniqueleafnames",
];

/// After everything that a simulated year leaves to expire.
const END: &str = "2030-12-31";

#[test]
fn hledger_finds_nothing_wrong_and_comes_to_the_same_balances() {
    let directory = tempfile::tempdir().unwrap();
    let market = market(40, 4_000);
    books::write(&market, &directory.path().join("books.jsonl.gz"));
    let engine = engine(&market);
    for group in ["entry", "day", "month"] {
        let file = journal(directory.path(), "hledger", group);
        let dates = (group != "entry").then_some("ordereddates");
        for check in CHECKS.into_iter().chain(dates) {
            let output = run("hledger", &["-f", &file, "check", "--strict", check], directory.path());
            assert!(output.status.success(), "{group}, {check}: {output:?}");
        }
        let arguments = ["-f", &file, "balance", "--flat", "--no-total", "--output-format=csv"];
        let csv = run("hledger", &arguments, directory.path());
        assert_eq!(balances(&csv), engine, "{group}");
    }
}

#[test]
fn beancount_finds_nothing_wrong_and_comes_to_the_same_balances() {
    let directory = tempfile::tempdir().unwrap();
    let market = market(30, 1_500);
    books::write(&market, &directory.path().join("books.jsonl.gz"));
    let engine = engine(&market);
    for group in ["entry", "day", "month"] {
        let file = journal(directory.path(), "beancount", group);
        let output = run("bean-check", &[&file], directory.path());
        assert!(output.status.success() && output.stderr.is_empty(), "{group}: {output:?}");
        let query = "SELECT account, sum(position) GROUP BY account";
        let csv = run("bean-query", &["-f", "csv", &file, query], directory.path());
        assert_eq!(balances(&csv), engine, "{group}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let directory = tempfile::tempdir().unwrap();
    // Far more than a pipe holds.
    books::write(&market(40, 4_000), &directory.path().join("books.jsonl.gz"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_revenue-audit"))
        .args(["journal", "books.jsonl.gz", "--format", "hledger"])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(first.ends_with('\n'), "{first:?}");
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn both_programs_find_a_millionth_too_much() {
    let directory = tempfile::tempdir().unwrap();
    books::write(&books::market("20"), &directory.path().join("books.jsonl.gz"));
    let hledger = ["Assets:Cash:Received  10.00 USD", "Income:Revenue:Refunds  0.00 USD = 4.00 USD"];
    let beancount = ["Assets:Cash:Received  10.000000 USD", "Income:Revenue:Refunds  4.000000 ~ 0 USD"];
    for (format, program, arguments, lines) in [
        ("hledger", "hledger", &["check", "--strict", "-f"][..], hledger),
        ("beancount", "bean-check", &[], beancount),
    ] {
        let file = journal(directory.path(), format, "entry");
        let text = fs::read_to_string(directory.path().join(&file)).unwrap();
        let check = |text: &str| {
            fs::write(directory.path().join("tried"), text).unwrap();
            run(program, &[arguments, &["tried"]].concat(), directory.path()).status.success()
        };
        assert!(check(&text));
        // A posting, then an assertion.
        for line in lines {
            let more = line.replace("10.00 ", "10.000001 ").replace("4.00 ", "4.000001 ");
            let altered = text.replacen(line, &more.replace(".000000", ".000001"), 1);
            assert_ne!(altered, text, "{format}: {line}");
            assert!(!check(&altered), "{format}: {line}");
        }
    }
}

#[test]
fn the_journal_says_what_the_replay_says() {
    let directory = tempfile::tempdir().unwrap();
    books::write(&market(20, 1_000), &directory.path().join("books.jsonl.gz"));
    let replayed = audit(directory.path(), &["replay", "books.jsonl.gz", "--json"]).json();
    let arguments = ["journal", "books.jsonl.gz", "--format=hledger", "-o", "journal", "--json"];
    let journaled = audit(directory.path(), &arguments).json();
    let balance = |prefix: &str| -> Decimal {
        let all = journaled["balances"].as_array().unwrap().iter();
        let of = all.filter(|balance| balance["account"].as_str().unwrap().starts_with(prefix));
        of.map(|balance| balance["balance"].as_str().unwrap().parse::<Decimal>().unwrap()).sum()
    };
    let number = |value: &serde_json::Value| -> Decimal { value.as_str().unwrap().parse().unwrap() };
    assert_eq!(balance("Assets:Cash:Received"), number(&replayed["received"]));
    assert_eq!(balance("Assets:Cash:Returned"), -number(&replayed["paid_back"]));
    assert_eq!(journaled["entries"], replayed["entries"]);
    let total = &replayed["revenue"][0]["total"];
    let minor = |name: &str| Decimal::new(total[name].as_i64().unwrap(), 2);
    assert_eq!(balance("Income:Revenue"), -minor("gross_minor"));
    assert_eq!(balance("Liabilities:Payable:Partners"), -minor("partner_minor"));
    assert_eq!(balance("Liabilities:Payable:Agents"), -minor("agent_minor"));
    let shares = balance("Expenses:Partners") + balance("Expenses:Agents");
    assert_eq!(-balance("Income:Revenue") - shares, minor("platform_minor"));
    assert!(!minor("gross_minor").is_zero() && !shares.is_zero());
}

#[test]
fn the_readme_shows_what_the_program_writes() {
    let directory = tempfile::tempdir().unwrap();
    let readme = include_str!("../../README.md");
    let market = books::market("20");
    for account in [REFUNDED, REVERSED] {
        let one: Vec<_> = market.iter().filter(|entries| entries[0].account == account).cloned().collect();
        books::write(&one, &directory.path().join("one.jsonl.gz"));
        let arguments = ["journal", "one.jsonl.gz", "--format=hledger", "--currency=USD"];
        let said = audit(directory.path(), &arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        for transaction in said.out.split("\n\n").filter(|part| part.contains(" * ")) {
            let (heading, postings) = transaction.trim_end().split_once('\n').unwrap();
            let (heading, _) = heading.split_once("  ; ").unwrap();
            let shown = format!("{heading}\n{postings}\n").replace(&books::PARTNER.to_string(), "…");
            let shown = shown.replace(&books::AGENT.to_string(), "…");
            assert!(readme.contains(&shown), "the README lacks\n{shown}");
        }
    }
}

#[test]
fn the_same_books_give_the_same_bytes_and_a_file_is_not_replaced_unasked() {
    let directory = tempfile::tempdir().unwrap();
    books::write(&books::market("20"), &directory.path().join("books.jsonl.gz"));
    let write = |more: &[&str]| -> Said {
        let arguments = ["journal", "books.jsonl.gz", "--format=beancount", "-o", "journal", "--json"];
        audit(directory.path(), &[&arguments, more].concat())
    };
    assert_eq!(write(&[]).code, 0);
    let first = fs::read(directory.path().join("journal")).unwrap();
    let refused = write(&[]);
    assert_eq!((refused.code, refused.json()["error"]["kind"].as_str()), (2, Some("Exists")));
    assert_eq!(write(&["--force"]).code, 0);
    assert_eq!(fs::read(directory.path().join("journal")).unwrap(), first);
}

#[test]
fn a_journal_ends_with_its_day() {
    let directory = tempfile::tempdir().unwrap();
    books::write(&books::market("20"), &directory.path().join("books.jsonl.gz"));
    let balance = |day: &str, account: &str| {
        let arguments = ["journal", "books.jsonl.gz", "--format=hledger", "-o", "j", "--force", "--json"];
        let said = audit(directory.path(), &[&arguments[..], &["--as-of", day]].concat()).json();
        let all = said["balances"].as_array().unwrap().iter();
        all.clone().find(|of| of["account"] == account).map(|of| of["balance"].as_str().unwrap().to_owned())
    };
    assert_eq!(balance("2026-10-04", "Income:Revenue:Charges"), None);
    assert_eq!(balance("2026-10-05", "Income:Revenue:Charges").as_deref(), Some("-9.00"));
    assert_eq!(balance("2026-11-01", "Income:Revenue:Reversals"), None);
}

#[test]
fn without_a_currency_there_is_no_journal() {
    let directory = tempfile::tempdir().unwrap();
    books::write(&books::market("20")[1..], &directory.path().join("books.jsonl.gz"));
    let said = audit(directory.path(), &["journal", "books.jsonl.gz", "--format=hledger", "--json"]);
    assert_eq!(said.code, 2);
    assert!(said.json()["error"]["mend"].as_str().unwrap().contains("--currency USD"), "{said:?}");
}

/// A simulated market, account by account.
fn market(accounts: u64, entries: u64) -> Vec<Vec<Entry>> {
    let mut market: Vec<Vec<Entry>> = Vec::new();
    for entry in (Simulation { accounts, entries, seed: 3 }).market().unwrap().entries() {
        match market.last_mut().filter(|entries| entries[0].account == entry.account) {
            Some(entries) => entries.push(entry),
            None => market.push(vec![entry]),
        }
    }
    market
}

/// What our replay comes to, from lots and lines alone: the balance of each account and its commodity.
fn engine(market: &[Vec<Entry>]) -> BTreeMap<String, (Decimal, String)> {
    let mut proof = Proof::new(Currency::USD);
    for entries in market {
        let mut state = AccountState::new(entries[0].account);
        for entry in entries {
            state.apply(entry).unwrap().lines.iter().for_each(|line| proof.add_line(line).unwrap());
        }
        proof.add_account(&state, format!("{END}T23:59:59Z").parse().unwrap()).unwrap();
    }
    let balances = proof.balances().iter().map(|(account, micros)| {
        let micros = i64::try_from(micros).unwrap();
        let (sum, commodity) = match account.unit() {
            Unit::Money => (Amount::from_micros(micros).to_decimal(), "USD"),
            Unit::Credits => (Credits::from_micros(micros).to_decimal(), "CREDIT"),
        };
        (account.to_string(), (sum.normalize(), commodity.to_owned()))
    });
    let balances: BTreeMap<_, _> = balances.collect();
    assert!(balances.len() > 20, "{balances:?}");
    balances
}

/// Writes the journal of `books.jsonl.gz` and gives the name of the file.
fn journal(directory: &Path, format: &str, group: &str) -> String {
    let file = format!("{group}.{format}");
    let arguments =
        ["journal", "books.jsonl.gz", "--format", format, "--group", group, "-o", &file, "--as-of", END];
    let said = audit(directory, &[&arguments[..], &["--assert"]].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    file
}

/// Two columns, account and amount with commodity, below a heading; accounts without a balance left out.
fn balances(csv: &Output) -> BTreeMap<String, (Decimal, String)> {
    assert!(csv.status.success(), "{csv:?}");
    let text = String::from_utf8(csv.stdout.clone()).unwrap();
    let rows = text.lines().skip(1).filter_map(|row| {
        let (account, balance) = row.split_once(',').unwrap();
        let clean = |cell: &str| cell.replace('"', "").trim().to_owned();
        let balance = clean(balance);
        let (sum, commodity) = balance.split_once(char::is_whitespace)?;
        let sum = sum.parse::<Decimal>().unwrap().normalize();
        Some((clean(account), (sum, commodity.trim().to_owned()))).filter(|_| !sum.is_zero())
    });
    rows.collect()
}

fn run(program: &str, arguments: &[&str], directory: &Path) -> Output {
    let output = Command::new(program).args(arguments).current_dir(directory).output();
    output.unwrap_or_else(|error| {
        panic!("{program} cannot be started ({error}): install hledger and beancount")
    })
}
