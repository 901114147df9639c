//! What people were told: counted on every page, listed, marked as seen.

use fantoccini::Locator;

use crate::browser::Window;
use crate::portal::{Demo, deploy, wait_for};

#[tokio::test]
async fn each_sees_what_they_were_told_until_they_mark_it() {
    let demo = Demo::published().await;
    let mut user = demo.signed_in("user").await;
    let quiet = user.get("/notices").await;
    quiet.assert_has("Nothing yet.");
    assert!(!quiet.body.contains("id=\"unseen\"") && !quiet.body.contains("id=\"mark-seen\""));

    demo.award("user", "60").await;
    let id = deploy(&mut user, "faulty", &[]).await;
    wait_for(&mut user, &id, "failure").await;
    let told = loop {
        let page = user.get("/notices").await;
        if page.body.contains("did not succeed") {
            break page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    told.assert_has("You were awarded 60 credits.");
    told.assert_has(&format!("A run of deployment {id} did not succeed."));
    told.assert_has(&format!("href=\"/deployments/{id}\""));
    user.get("/deploy").await.assert_has("<b id=\"unseen\">2<span class=\"sr\"> new</span></b>");
    let last = told.between("name=\"last\" value=\"", "\"").to_owned();

    for (last, status) in [("many", 404), ("-1", 404), (last.as_str(), 303)] {
        assert_eq!(user.post("/notices/seen", &[("last", last)]).await.status, status, "{last}");
    }
    let seen = user.get("/notices").await;
    assert!(seen.body.contains("You were awarded 60 credits.") && !seen.body.contains("id=\"unseen\""));
    let mut partner = demo.signed_in("partner").await;
    assert!(!partner.get("/notices").await.body.contains(&id), "each has their own");
}

#[tokio::test]
async fn notices_are_read_in_a_browser() {
    let demo = Demo::published().await;
    demo.award("user", "60").await;
    let mut window = Window::open_as(&demo, "notices-").await;
    window.sign_in(&demo, "user").await;
    window.until(".bell", "1").await;
    window.click(".bell").await;
    window.until("#notices", "You were awarded 60 credits.").await;
    window.picture("new").await;
    window.click("#mark-seen").await;
    window.until("#notices", "You were awarded 60 credits.").await;
    while !window.client.find_all(Locator::Css("#unseen")).await.unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    window.picture("seen").await;
    window.click("#notices a").await;
    window.until("h1", "Credits").await;
    window.client.clone().close().await.unwrap();
}
