//! A ledger of one's own behind rad: [`FileLedger`] keeps entries in a text file, one line of JSON for each batch.
//!
//! Everything that is about money comes from rad-core: the engine applies entries, the conformance suite says whether the
//! backend keeps the contract. `cargo run -p custom-backend` grants, holds and captures, and prints the balances.
#![allow(clippy::print_stdout, reason = "a program for people to read")]

mod ledger;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::Utc;
use ledger::FileLedger;
use rad_core::id::{AccountId, DeploymentId, ModuleId};
use rad_core::ledger::{Ledger, LedgerExt, Post};
use rad_core::money::Currency;
use rad_core::revenue::{
    Body, Bucket, BurnOrder, Capture, ChargeTerms, EntryKey, Grant, Hold, LotSource, RevenueBasis, Rounding,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.unwrap_or_else(|| std::env::temp_dir().join("rad-ledger.jsonl"));
    let ledger = FileLedger::open(&path)?;
    let (user, partner) = (AccountId::new(), AccountId::new());
    let (module, deployment) = (ModuleId::new(), DeploymentId::new());

    let purchase = Grant {
        source: LotSource::Purchase,
        bucket: Bucket::Purchased,
        credits: "100".parse()?,
        cost: "10.00".parse()?,
        paid: None,
        expires: None,
        reference: None,
    };
    post(&ledger, user, "purchase", Body::Grant(purchase)).await?;

    let hold = Hold {
        amount: "30".parse()?,
        burn: BurnOrder::AwardedFirst,
        expires: None,
        deployment: Some(deployment),
        module: Some(module),
    };
    let hold = post(&ledger, user, "hold", Body::Hold(hold)).await?;

    let terms = ChargeTerms {
        module,
        commit: "0123456789abcdef0123456789abcdef01234567".parse()?,
        publisher: Some(partner),
        agent: None,
        partner_share: "20".parse()?,
        agent_share: "0".parse()?,
        rule_version: 1,
        basis: RevenueBasis::LotCost,
        allowance_earns: None,
        rounding: Rounding::default(),
        currency: Currency::USD,
    };
    let capture = Capture { hold, amount: "30".parse()?, deployment, terms: Arc::new(terms) };
    post(&ledger, user, "capture", Body::Capture(capture)).await?;

    let findings = ledger.verify(user).await?;
    println!("{} findings in {}", findings.len(), path.display());
    Ok(())
}

/// Posts an entry, prints the balance after it, and gives its number.
async fn post(ledger: &dyn Ledger, account: AccountId, intent: &str, body: Body) -> anyhow::Result<u64> {
    let key = EntryKey::derive("example", &[intent.as_bytes()]);
    let posted = ledger.post(Post { account, key, at: Utc::now(), actor: None, body }).await?;
    let balance = ledger.balance(account, posted.entry.at).await?;
    println!("{intent:<8}  {} to spend, {} held", balance.spendable(), balance.held());
    for line in &posted.effect.lines {
        println!("          of {} cents the partner earns {}", line.gross, line.partner);
    }
    Ok(posted.entry.seq)
}
