//! The list of transactions: its filters, and its pages both ways.

use chrono::{DateTime, Duration, Utc};
use rad_billing::SqliteLedger;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerExt as _, Post};
use rad_core::revenue::{Adjustment, Body, Bucket, EntryKey, Reason};

use crate::client::{Answer, Browser};
use crate::portal::{Demo, account_id};

/// Adjustments of a user, eight hours apart, each with a number in its reason, then an award by an admin.
async fn with_history(count: u32) -> Demo {
    let demo = Demo::start().await;
    let mut admin = demo.signed_in("admin").await;
    let mut account = async |name: &str| -> AccountId { account_id(&mut admin, name).await.parse().unwrap() };
    let (user, by) = (account("user").await, account("admin").await);
    let pool = rad_billing::sqlite::open(&demo.dir.path().join("data/portal.db")).await.unwrap();
    let ledger = SqliteLedger::new(pool);
    let start: DateTime<Utc> = "2026-01-01T06:00:00Z".parse().unwrap();
    for number in 0..count {
        let body = Body::Adjustment(Adjustment {
            bucket: Bucket::Awarded,
            amount: "1".parse().unwrap(),
            reason: Reason::new(&format!("Goodwill {number:03}")).unwrap(),
        });
        let at = start + Duration::hours(8 * i64::from(number));
        let key = EntryKey::derive("test", &[&number.to_be_bytes()]);
        ledger.post(Post { account: user, key, at, actor: Some(by), body }).await.unwrap();
    }
    demo.award("user", "7").await;
    demo
}

/// The balances after the transactions on a page, from the top.
fn balances(page: &Answer) -> Vec<String> {
    let table = page.between("id=\"transactions\"", "</table>");
    let rows = table.split("<tr class=").skip(1);
    let cells = rows.map(|row| row.split("<td class=\"number\">").nth(4).unwrap());
    cells.map(|cell| cell.split_once('<').unwrap().0.to_owned()).collect()
}

fn numbers(from: u32, down_to: u32) -> Vec<String> {
    (down_to..=from).rev().map(|number| number.to_string()).collect()
}

/// The address of a link to another page of the list.
fn turn(page: &Answer, rel: &str) -> Option<String> {
    let link = page.body.split_once(&format!("rel=\"{rel}\" href=\""))?.1;
    let href = link.split_once('"')?.0.replace("&#38;", "&");
    href.strip_suffix("#transactions").map(str::to_owned)
}

async fn asked(user: &mut Browser, query: &str) -> Answer {
    let page = user.get(&format!("/credits?{query}")).await;
    assert_eq!(page.status, 200, "{query}: {}", page.body);
    page
}

#[tokio::test]
async fn pages_lead_to_the_oldest_and_back() {
    let demo = with_history(119).await;
    let mut user = demo.signed_in("user").await;
    let first = asked(&mut user, "").await;
    assert_eq!(balances(&first)[..3], ["126", "119", "118"]);
    assert_eq!((balances(&first).len(), turn(&first, "prev")), (50, None));
    let second = user.get(&turn(&first, "next").unwrap()).await;
    assert_eq!(balances(&second), numbers(70, 21));
    let third = user.get(&turn(&second, "next").unwrap()).await;
    assert_eq!((balances(&third), turn(&third, "next")), (numbers(20, 1), None));
    let back = user.get(&turn(&third, "prev").unwrap()).await;
    assert_eq!(balances(&back), numbers(70, 21), "the page before is the page one came from");
    let back = user.get(&turn(&back, "prev").unwrap()).await;
    assert_eq!((balances(&back), turn(&back, "prev")), (balances(&first), None));
}

#[tokio::test]
async fn filters_show_what_was_asked_for_and_stay_while_pages_turn() {
    let demo = with_history(119).await;
    let mut user = demo.signed_in("user").await;
    // Three a day: at 6, 14 and 22 o'clock.
    let day = asked(&mut user, "from=2026-01-02&to=2026-01-03").await;
    assert_eq!(balances(&day), numbers(9, 4), "both days are included");
    day.assert_has("name=\"from\" value=\"2026-01-02\"");
    let text = asked(&mut user, "q=GOODWILL+01").await;
    assert_eq!(balances(&text), numbers(20, 11), "whatever the case");
    assert_eq!(balances(&asked(&mut user, "category=grant&kind=grant").await), ["126"]);
    assert_eq!(balances(&asked(&mut user, "kind=capture").await), Vec::<String>::new());
    let page = asked(&mut user, "kind=adjustment&q=goodwill&from=2026-01-01").await;
    let next = turn(&page, "next").unwrap();
    for kept in ["kind=adjustment", "q=goodwill", "from=2026-01-01"] {
        assert!(next.contains(kept), "{kept} is in {next}");
    }
    assert_eq!(balances(&page), numbers(119, 70));
    assert_eq!(balances(&user.get(&next).await), numbers(69, 20));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_in_place() {
    let demo = with_history(1).await;
    let mut user = demo.signed_in("user").await;
    for (query, says) in [
        ("from=yesterday", "from: \"yesterday\" is not a date such as 2026-01-31"),
        ("to=2026-02-30", "to:"),
        ("kind=gift", "kind:"),
    ] {
        let page = asked(&mut user, query).await;
        let alert = page.between("role=\"alert\">", "</p>").replace("&#34;", "\"");
        assert!(alert.contains(says), "{query}: {alert}");
        assert_eq!(balances(&page), Vec::<String>::new());
    }
    // A place in the list that no page gave.
    let page = user.get("/credits?page=nonsense").await;
    assert!(page.status.is_client_error(), "{} {}", page.status, page.body);
    let script = asked(&mut user, "q=%3Cscript%3E").await;
    assert!(!script.body.contains("<script>\"") && !script.body.contains("value=\"<script>"));
}
