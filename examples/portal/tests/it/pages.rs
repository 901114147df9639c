//! Pages that are not there, requests that are too large, and what programs get.

use std::os::unix::fs::PermissionsExt;

use rad_billing::SqliteLedger;
use rad_core::ledger::{EntryQuery, Ledger};
use rad_core::revenue::{Body, PLATFORM_ACCOUNT};

use crate::portal::{Demo, borrowed, give};

#[tokio::test]
async fn failures_are_pages_for_people_and_json_for_programs() {
    let demo = Demo::start().await;
    let mut user = demo.signed_in("user").await;
    let page = user.get("/no/such/page").await;
    assert_eq!(page.status, 404);
    page.assert_has("<h1>Not found</h1>");
    let page = user.get("/deployments/not-an-id").await;
    assert_eq!(page.status, 404);
    let api = demo.browser().get("/api/v1/revenue").await;
    assert_eq!(api.status, 401);
    api.assert_has("\"code\":\"UNAUTHENTICATED\"");
    let api = user.get("/api/v1/revenue").await;
    assert_eq!(api.status, 403);
    api.assert_has("\"code\":\"FORBIDDEN\"");
    let mut finance = demo.signed_in("finance").await;
    for path in ["/api/revenue", "/api/v1/revenue?view=all&from=2026-01-01"] {
        let api = finance.get(path).await;
        assert_eq!(api.status, 200);
        api.assert_has("\"lines\":[]");
    }
    assert_eq!(finance.get("/api/v1/revenue?from=yesterday").await.status, 422);
    assert_eq!(finance.get("/api/v1/revenue?view=mine").await.status, 400);
    assert_eq!(demo.browser().get("/healthz").await.body, "ok\n");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let demo = Demo::start().await;
    let mut user = demo.signed_in("user").await;
    let large = "x".repeat(1024 * 1024 + 1);
    let answer = user.post("/credits/buy", &[("credits", &large)]).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    answer.assert_has("at most 1 MiB");
    let body = vec![b'x'; 300 * 1024].into();
    assert_eq!(user.post_raw("/webhooks/payments/sandbox", &[], body).await.status, 413);
}

#[tokio::test]
async fn keys_and_database_are_for_their_owner_only_and_a_second_start_makes_no_accounts() {
    let demo = Demo::start().await;
    let data = demo.dir.path().join("data");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "key") {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    let options = portal::config::Options {
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: Some(data),
        ..Default::default()
    };
    demo.portal.close().await.unwrap();
    let again = portal::start(options.check().unwrap()).await.unwrap();
    assert!(again.first_accounts().is_empty());
    again.close().await.unwrap();
}

#[tokio::test]
async fn without_demo_there_is_one_admin() {
    let demo = Demo::start_with(|config| config.demo = false).await;
    let emails: Vec<_> = demo.portal.first_accounts().iter().map(|account| account.email.as_str()).collect();
    assert_eq!(emails, ["admin@example.com"]);
    let mut admin = demo.signed_in("admin").await;
    admin.get("/profile?fetch=true").await.assert_has("No repository is there to connect yet.");
}

#[tokio::test]
async fn a_local_repository_is_the_platforms_and_opens_for_whom_it_is_given_to() {
    let demo = Demo::start().await;
    let module = demo.config.repos_dir.join("own/web");
    std::fs::create_dir_all(&module).unwrap();
    std::fs::write(module.join("main.tf"), "output \"x\" { value = 1 }\n").unwrap();
    let connection = [("repository", "own"), ("branch", ""), ("sub_dir", "")];
    let mut partner = demo.signed_in("partner").await;
    let page = partner.get("/profile?fetch=true").await;
    page.assert_has("value=\"demo-modules\"");
    assert!(!page.body.contains("value=\"own\""), "{}", page.body);
    let refused = partner.post("/profile/repository", &connection).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    refused.assert_has("no repository");
    demo.signed_in("admin").await.get("/profile?fetch=true").await.assert_has("value=\"own\"");

    give(&demo.config.repos_dir, "Partner@example.com: own");
    partner.get("/profile?fetch=true").await.assert_has("value=\"own\"");
    let connected = partner.post("/profile/repository", &connection).await;
    assert_eq!(connected.location(), "/publish?notice=connected", "{}", connected.body);
    std::fs::remove_file(demo.config.repos_dir.join("partners.txt")).unwrap();
    assert_ne!(partner.get("/publish").await.status, 200, "it opens no more once it is taken away");
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_is_refused_in_place() {
    let demo = Demo::start().await;
    let repos = demo.dir.path().join("data/repos");
    std::fs::create_dir_all(repos.join("empty-dir")).unwrap();
    let mut partner = demo.signed_in("partner").await;
    for (repository, branch, sub_dir, says) in [
        ("demo-modules", "no-such-branch", "modules", "it has main"),
        ("demo-modules", "", "no/such/dir", "no directory"),
        ("nothing", "", "", "no repository"),
        ("../../etc", "", "", "no repository"),
    ] {
        let fields = [("repository", repository), ("branch", branch), ("sub_dir", sub_dir)];
        let answer = partner.post("/profile/repository", &fields).await;
        assert_eq!(answer.status, 422, "{repository}: {}", answer.body);
        answer.assert_has(says);
        answer.assert_has(&format!("name=\"sub_dir\" value=\"{sub_dir}\""));
    }
    assert_eq!(partner.get("/publish").await.location(), "/profile#repository");
}

#[tokio::test]
async fn settings_are_guarded_by_their_version_and_bounds() {
    let demo = Demo::start().await;
    let mut finance = demo.signed_in("finance").await;
    let page = finance.get("/admin/settings").await;
    let version = page.between("name=\"version\" value=\"", "\"").to_owned();
    let fields = |partner: &'static str| {
        [
            ("partner_revenue_share", partner),
            ("agent_revenue_share", "5"),
            ("credits_per_unit", "10"),
            ("currency", "USD"),
            ("signup_credits", "0"),
            ("enable_credits", "true"),
            ("enable_purchases", "true"),
        ]
    };
    let with_version = |partner, version| {
        let mut all = fields(partner).to_vec();
        all.push(("version", version));
        all
    };
    let bad = finance.post("/admin/settings", &with_version("abc", &version)).await;
    assert_eq!(bad.status, 422);
    bad.assert_has("value=\"abc\"");
    let too_much = finance.post("/admin/settings", &with_version("96", &version)).await;
    assert_eq!(too_much.status, 422, "{}", too_much.body);
    let good = finance.post("/admin/settings", &with_version("30", &version)).await;
    assert_eq!(good.location(), "/admin/settings?notice=settings", "{}", good.body);
    let stale = finance.post("/admin/settings", &with_version("40", &version)).await;
    assert_eq!(stale.status, 409);
    finance
        .get("/admin/settings")
        .await
        .assert_has("id=\"partner_revenue_share\" name=\"partner_revenue_share\" value=\"30\"");
}

#[tokio::test]
async fn finance_gives_a_partner_a_rate_of_their_own_and_takes_it_back() {
    let demo = Demo::start().await;
    let mut finance = demo.signed_in("finance").await;
    let page = finance.get("/admin/settings").await;
    let partner = page.between("name=\"rate.", "\"").to_owned();
    page.assert_has("partner@example.com");
    assert!(!page.body.contains("user@example.com"), "only partners are listed");
    let name = format!("rate.{partner}");
    let mut version = page.between("name=\"version\" value=\"", "\"").to_owned();
    let fields = |rate: &str, version: &str| -> Vec<(String, String)> {
        let fields = [
            ("partner_revenue_share", "20"),
            ("agent_revenue_share", "5"),
            ("credits_per_unit", "10"),
            ("currency", "USD"),
            ("signup_credits", "0"),
            ("enable_credits", "true"),
            ("enable_purchases", "true"),
            ("partner_revenue_page", "true"),
            (name.as_str(), rate),
            ("version", version),
        ];
        fields.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
    };
    for (rate, says) in [("lots", "use 0 to 100 percent"), ("95.01", "at most 95 %")] {
        let refused = finance.post("/admin/settings", &borrowed(&fields(rate, &version))).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        refused.assert_has(&format!("name=\"{name}\" value=\"{rate}\""));
        refused.assert_has(says);
        assert!(!refused.body.contains("problem big"), "it is told beside the field");
    }
    let rates = [("33.5 %", "33.5", "earn you 33.5 %"), ("", "", "earn you 20 %")];
    for (typed, kept, told) in rates {
        let saved = finance.post("/admin/settings", &borrowed(&fields(typed, &version))).await;
        assert_eq!(saved.location(), "/admin/settings?notice=settings", "{}", saved.body);
        let page = finance.get("/admin/settings").await;
        page.assert_has(&format!("name=\"{name}\" value=\"{kept}\""));
        version = page.between("name=\"version\" value=\"", "\"").to_owned();
        let mut partner = demo.signed_in("partner").await;
        partner.get("/profile").await.assert_has(told);
        partner.get("/revenue").await.assert_has("Your rate now");
    }
    let mut stranger = fields("1", &version);
    stranger[8].0 = format!("rate.{}", rad_core::id::AccountId::new());
    let refused = finance.post("/admin/settings", &borrowed(&stranger)).await;
    assert_eq!(refused.status, 422);
    refused.assert_has("only a partner can have a rate of their own");
}

#[tokio::test]
async fn a_start_brings_the_share_rules_into_the_ledger_once() {
    let demo = Demo::start_with(|config| config.demo = false).await;
    let database = demo.dir.path().join("data/portal.db");
    let options = portal::config::Options {
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: Some(demo.dir.path().join("data")),
        ..Default::default()
    };
    demo.portal.close().await.unwrap();
    portal::start(options.check().unwrap()).await.unwrap().close().await.unwrap();
    let ledger = SqliteLedger::new(rad_billing::sqlite::open(&database).await.unwrap());
    let query = EntryQuery { oldest_first: true, ..EntryQuery::new(PLATFORM_ACCOUNT) };
    let posted = ledger.entries(&query).await.unwrap().items;
    assert_eq!(posted.len(), 1);
    assert!(matches!(&posted[0].entry.body, Body::ShareRules(rules) if rules.version == 1));
}
