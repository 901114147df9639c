//! Statements, what-ifs and explanations of a whole simulated market, against sums made without them.

use std::collections::BTreeMap;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::export::{JsonlWriter, Record};
use rad_core::id::AccountId;
use rad_core::revenue::{
    AccountState, Body, BurnOrder, ChargeTerms, Effect, Entry, EntryId, PLATFORM_ACCOUNT, RevenueLine, Shares,
};
use rad_core::simulation::{Market, Simulation};
use rad_core::source::Digest;
use revenue_audit::explanation::explain;

use crate::common::audit;

const SOURCE: &str = "market.jsonl.gz";

fn market(directory: &Path) -> Market {
    let market = Simulation { accounts: 15, entries: 2_000, seed: 11 }.market().unwrap();
    let file = std::fs::File::create(directory.join(SOURCE)).unwrap();
    let mut writer = JsonlWriter::new(GzEncoder::new(file, Compression::fast()));
    let (mut account, mut head) = (PLATFORM_ACCOUNT, Digest::ZERO);
    for entry in market.entries() {
        if entry.account != account {
            (account, head) = (entry.account, Digest::ZERO);
        }
        head = entry.hash(&head);
        writer.write(&Record { entry, hash: Some(head), recorded: None }).unwrap();
    }
    writer.finish().unwrap().finish().unwrap();
    market
}

/// All revenue lines of the entries, each changed by `rewrite`; what then cannot be is passed over and counted.
fn replay(market: &Market, rewrite: impl Fn(&mut Entry)) -> (Vec<RevenueLine>, u64) {
    let mut state = AccountState::new(PLATFORM_ACCOUNT);
    let (mut effect, mut lines, mut impossible) = (Effect::default(), Vec::new(), 0);
    for mut entry in market.entries() {
        if entry.account != state.account() {
            state.reset(entry.account);
        }
        rewrite(&mut entry);
        match state.apply_into(&entry, &mut effect) {
            Ok(()) => lines.extend_from_slice(&effect.lines),
            Err(_) => {
                state.pass_over(&entry).unwrap();
                impossible += 1;
            }
        }
    }
    (lines, impossible)
}

#[test]
fn the_statements_of_all_payees_add_up_and_prove_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let market = market(directory.path());
    let (lines, impossible) = replay(&market, |_| ());
    assert_eq!(impossible, 0);
    let month: rad_core::revenue::statement::Period = "2026-07".parse().unwrap();
    let gross: i64 = lines.iter().filter(|line| month.contains(line.at)).map(|line| line.gross).sum();
    assert!(gross != 0 && lines.iter().any(|line| month.contains(line.at) && line.gross < 0));

    let named = |option: &str, ids: &[AccountId]| -> Vec<Vec<String>> {
        ids.iter().map(|id| vec![option.to_owned(), id.to_string()]).collect()
    };
    let mut payees = named("--partner", market.partners());
    payees.extend(named("--agent", market.agents()));
    payees.push(vec!["--platform".to_owned()]);
    let mut shares = 0;
    for (place, payee) in payees.iter().enumerate() {
        let output = place.to_string();
        let mut arguments = vec!["statement", SOURCE, "--month", "2026-07", "--json", "-o", &output];
        arguments.extend(payee.iter().map(String::as_str));
        let said = audit(directory.path(), &arguments);
        assert_eq!(said.code, 0, "{said:?}");
        shares += said.json()["manifest"]["totals"]["share_minor"].as_i64().unwrap();
        let checked = audit(directory.path(), &["verify-bundle", &output]);
        assert_eq!(checked.code, 0, "{checked:?}");
    }
    assert_eq!(shares, gross);
}

#[test]
fn a_what_if_is_a_replay_of_rewritten_entries() {
    let directory = tempfile::tempdir().unwrap();
    let market = market(directory.path());
    let (was, _) = replay(&market, |_| ());
    let (would_be, impossible) = replay(&market, |entry| match &mut entry.body {
        Body::Hold(hold) if hold.burn == BurnOrder::AwardedFirst => hold.burn = BurnOrder::PurchasedFirst,
        Body::Capture(capture) => {
            let terms = ChargeTerms::clone(&capture.terms);
            capture.terms =
                std::sync::Arc::new(ChargeTerms { partner_share: "30".parse().unwrap(), ..terms });
        }
        _ => {}
    });
    let arguments = ["what-if", SOURCE, "--burn-order", "purchased-first", "--partner-share", "30", "--json"];
    let said = audit(directory.path(), &arguments);
    assert_eq!(said.code, 0, "{said:?}");
    let told = said.json();
    assert_eq!(told["impossible"], impossible);
    assert_eq!(told["changes"].as_array().unwrap().len(), 1);
    let change = &told["changes"][0];
    for (side, lines) in [("was_minor", &was), ("would_be_minor", &would_be)] {
        let sum = |of: fn(&RevenueLine) -> i64| lines.iter().map(of).sum::<i64>();
        assert_eq!(change["gross"][side], sum(|line| line.gross));
        assert_eq!(change["partners"][side], sum(|line| line.partner));
        assert_eq!(change["agents"][side], sum(|line| line.agent));
        assert_eq!(change["platform"][side], sum(|line| line.platform));
        let mut by_partner: BTreeMap<String, i64> = BTreeMap::new();
        for line in lines {
            if let Some(partner) = line.publisher {
                *by_partner.entry(partner.to_string()).or_default() += line.partner;
            }
        }
        for (partner, share) in by_partner {
            assert_eq!(change["by_partner"][&partner][side], share, "{partner}");
        }
    }
    assert_ne!(change["gross"]["difference_minor"], 0);
}

#[test]
fn explanations_tell_what_the_lines_of_a_charge_add_up_to() {
    let directory = tempfile::tempdir().unwrap();
    let market = market(directory.path());
    let (lines, _) = replay(&market, |_| ());
    let mut charges: BTreeMap<EntryId, (Shares, usize)> = BTreeMap::new();
    for line in &lines {
        let (sum, count) = charges.entry(EntryId { account: line.account, seq: line.charge }).or_default();
        sum.gross += line.gross;
        sum.partner += line.partner;
        sum.agent += line.agent;
        sum.platform += line.platform;
        *count += 1;
    }
    let eventful = charges.iter().filter(|(_, (_, count))| *count > 1).step_by(3).take(12);
    let quiet = charges.iter().filter(|(_, (_, count))| *count == 1).step_by(29).take(4);
    let path = directory.path().join(SOURCE);
    let mut events = 0;
    for (charge, (sum, count)) in eventful.chain(quiet) {
        let told = explain(path.to_str().unwrap(), *charge).unwrap();
        assert_eq!(told.now.shares, *sum, "{charge}");
        let booked: usize = told.since.iter().map(|event| event.lines.len()).sum();
        assert_eq!(booked + 1, *count);
        let rules = told.rules.unwrap();
        assert_eq!((u64::from(rules.version), rules.problem), (rules.posted.entry.seq, None));
        let credits = told.parts.iter().map(|part| part.credits.micros()).sum::<i64>();
        assert!(
            credits <= told.credits.micros()
                && told.parts.iter().all(|part| part.lot.credits >= part.credits)
        );
        events += booked;
    }
    assert!(events > 10, "charges to which something happened");
}
