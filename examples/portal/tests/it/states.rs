//! Versions of states: listed, fetched and restored by the owner, and by nobody else.

use serde_json::Value;

use crate::browser::Window;
use crate::portal::{Demo, deploy, wait_for};

#[tokio::test]
async fn an_owner_fetches_and_restores_what_a_run_left() {
    let demo = Demo::published().await;
    demo.award("user", "60").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "faulty", &[]).await;
    wait_for(&mut user, &id, "failure").await.assert_has(&format!("href=\"/deployments/{id}/states\""));
    assert_eq!(user.post(&format!("/deployments/{id}/retry"), &[]).await.status, 303);
    wait_for(&mut user, &id, "failure").await;

    let states = format!("/deployments/{id}/states");
    let list = user.get(&states).await;
    list.assert_has("<tr id=\"version-2\"><td>2 <span class=\"badge\">current</span>");
    list.assert_has(&format!("action=\"{states}/1\""));
    assert!(!list.body.contains(&format!("action=\"{states}/2\"")), "the current one is not restored");
    let first = user.get(&format!("{states}/1")).await;
    let disposition = first.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.contains(&format!("{id}-1.tfstate")), "{disposition}");
    assert_eq!(first.headers["cache-control"], "no-store");
    let old: Value = serde_json::from_str(&first.body).unwrap();

    let restored = user.post(&format!("{states}/1"), &[]).await;
    assert_eq!(
        (restored.status.as_u16(), restored.location()),
        (303, format!("{states}?notice=restored").as_str())
    );
    user.get(restored.location()).await.assert_has("<td>version 1, restored by you</td>");
    let mut now: Value = serde_json::from_str(&user.get(&format!("{states}/3")).await.body).unwrap();
    assert!(now["serial"].as_u64() > old["serial"].as_u64(), "{now}");
    now["serial"] = old["serial"].clone();
    assert_eq!(now, old, "all else is as it was");

    for path in [&states, &format!("{states}/9"), &format!("{states}/x")] {
        let mut agent = demo.signed_in("agent").await;
        assert_eq!(agent.get(path).await.status, 404, "{path}");
        assert_eq!(agent.post(&format!("{states}/1"), &[]).await.status, 404);
    }
    assert_eq!(user.get(&format!("{states}/9")).await.status, 404);
    assert_eq!(demo.signed_in("admin").await.get(&format!("{states}/1")).await.status, 200);
}

#[tokio::test]
async fn a_state_is_fetched_and_restored_in_a_browser() {
    let demo = Demo::published().await;
    demo.award("user", "60").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "faulty", &[]).await;
    wait_for(&mut user, &id, "failure").await;
    assert_eq!(user.post(&format!("/deployments/{id}/retry"), &[]).await.status, 303);
    wait_for(&mut user, &id, "failure").await;
    let mut window = Window::open_as(&demo, "states-").await;
    window.sign_in(&demo, "user").await;
    window.go(&format!("/deployments/{id}")).await;
    window.click("#history header a").await;
    window.until("#version-2", "current").await;
    window.picture("versions").await;

    let fetch =
        "return fetch(document.querySelector('#version-1 a[download]').href).then(answer => answer.text())";
    let fetched = window.client.execute(fetch, Vec::new()).await.unwrap();
    let state: Value = serde_json::from_str(fetched.as_str().unwrap()).unwrap();
    assert!(state["resources"].is_array(), "{state}");

    window.click("#version-1 button").await;
    window.client.dismiss_alert().await.unwrap();
    window.click("#version-1 button").await;
    window.client.accept_alert().await.unwrap();
    window.until("#version-3", "version 1, restored by you").await;
    window.until("main", "The state is restored").await;
    window.picture("restored").await;
    assert!(user.get(&format!("/deployments/{id}/states/3")).await.body.contains("\"resources\""));
    window.client.clone().close().await.unwrap();
}
