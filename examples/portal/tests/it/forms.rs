//! The form of a module: values of the wrong type, rows, fields that come and go, plans that went stale.

use crate::portal::{Demo, borrowed, form_of, newest, sent_back, submit};

#[tokio::test]
async fn wrong_values_are_kept_with_the_message_beside_the_field() {
    let demo = Demo::published().await;
    demo.award("user", "100").await;
    let mut user = demo.signed_in("user").await;
    let values = [
        ("v/service_name", "Bad Name"),
        ("v/instances", "many"),
        ("v/region", "the-moon"),
        ("v/database/storage_gb", "huge"),
        ("v/admin_password", "short"),
        ("v/listeners/0/port", "99999"),
    ];
    let (answer, ..) = submit(&mut user, "web-stack", &values).await;
    assert_eq!(answer.status, 422);
    for (name, value) in values {
        let field = answer.between(&format!("data-field=\"{name}\""), "</div>\n</div>");
        assert!(field.contains(value), "{name}: {field}");
    }
    let beside = |name: &str| answer.between(&format!("data-field=\"v/{name}\""), "data-field=");
    assert!(beside("service_name").contains("A service name has 3 to 30 lower-case letters"));
    assert!(beside("instances").contains("number"), "{}", beside("instances"));
    assert!(beside("region").contains("problem"), "{}", beside("region"));
    assert!(beside("admin_password").contains("at least 12 characters"));
    answer.assert_has("A port lies between 1 and 65535.");
    user.get("/deployments").await.assert_has("Nothing is deployed yet.");
}

#[tokio::test]
async fn rows_come_and_go_and_fields_depend_on_each_other_without_scripts() {
    let demo = Demo::published().await;
    let mut user = demo.signed_in("user").await;
    let form = form_of(&mut user, "web-stack").await;
    let page = user.get(&form).await;
    let mut fields = sent_back(&page);
    fields.extend([
        ("v/labels".into(), String::new()),
        ("v/labels/0/key".into(), "team".into()),
        ("v/labels/0/value".into(), "web".into()),
        ("v/create_database".into(), "false".into()),
    ]);
    fields.push(("do".into(), "add:v/labels".into()));
    let added = user.post(&form, &borrowed(&fields)).await;
    assert_eq!(added.status, 200);
    added.assert_has("name=\"v/labels/1/key\"");
    added.assert_has("name=\"v/labels/0/value\" value=\"web\"");
    let database = added.between("id=\"v-database\"", ">");
    assert!(database.contains("hidden"), "the database is not asked for: {database}");

    fields.pop();
    fields.push(("do".into(), "remove:v/labels/0".into()));
    let removed = user.post(&form, &borrowed(&fields)).await;
    assert!(!removed.body.contains("v/labels/0/key"), "no default comes back for a row that was removed");
}

#[tokio::test]
async fn a_variable_the_module_does_not_have_is_never_passed_on() {
    let demo = Demo::published().await;
    demo.award("user", "100").await;
    let mut user = demo.signed_in("user").await;
    let (answer, ..) =
        submit(&mut user, "hello", &[("v/no_such_variable", "x"), ("v/credit_cost", "0")]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let id = newest(&mut user).await;
    let page = user.get(&format!("/deployments/{id}")).await;
    assert!(!page.body.contains("no_such_variable"));
    page.assert_has("5 credits");
}

#[tokio::test]
async fn a_plan_is_applied_to_what_it_was_made_for_or_not_at_all() {
    let demo = Demo::published().await;
    let mut partner = demo.signed_in("partner").await;
    let plan = partner.post("/publish/plan", &[("module", "hello")]).await;
    plan.assert_has("deselected");
    let commit = plan.between("name=\"commit\" value=\"", "\"").to_owned();
    let stale = [("module", "hello"), ("commit", commit.as_str()), ("version", "0")];
    let answer = partner.post("/publish/apply", &stale).await;
    assert_eq!(answer.status, 409);
    let unknown = partner.post("/publish/plan", &[("module", "no-such-module")]).await;
    assert_eq!(unknown.status, 422);
    unknown.assert_has("no-such-module cannot be published");
}

#[tokio::test]
async fn publish_time_values_are_the_publishers_own_and_checked_in_place() {
    let demo = Demo::published().await;
    let mut partner = demo.signed_in("partner").await;
    let wrong = partner.post("/publish/plan", &[("module", "hello"), ("p/hello/credit_cost", "-1")]).await;
    assert_eq!(wrong.status, 422);
    let beside = wrong.between("data-field=\"p/hello/credit_cost\"", "data-field=");
    assert!(beside.contains("value=\"-1\"") && beside.contains("problem"), "{beside}");

    let fields = [("module", "hello"), ("p/hello/credit_cost", "8")];
    let plan = partner.post("/publish/plan", &fields).await;
    plan.assert_has("other publish-time values");
    let commit = plan.between("name=\"commit\" value=\"", "\"").to_owned();
    let version = plan.between("name=\"version\" value=\"", "\"").to_owned();
    let mut fields = fields.to_vec();
    fields.extend([("commit", commit.as_str()), ("version", version.as_str())]);
    assert_eq!(partner.post("/publish/apply", &fields).await.status, 303);
    let mut user = demo.signed_in("user").await;
    user.get("/deploy?tab=partner").await.assert_has("<b>8</b> credits");
}

#[tokio::test]
async fn a_broken_module_is_listed_with_the_place_and_the_others_can_be_published() {
    let demo = Demo::start().await;
    let repository = demo.dir.path().join("data/repos/mixed");
    for (module, source) in
        [("good", "output \"x\" { value = 1 }\n"), ("bad", "variable \"x\" {\n  type = \n}\n")]
    {
        std::fs::create_dir_all(repository.join(module)).unwrap();
        std::fs::write(repository.join(module).join("main.tf"), source).unwrap();
    }
    let mut partner = demo.signed_in("partner").await;
    let fields = [("repository", "mixed"), ("branch", ""), ("sub_dir", "")];
    let connected = partner.post("/profile/repository", &fields).await;
    assert_eq!(connected.status, 303, "{}", connected.body);
    let grid = partner.get("/publish").await;
    let bad = grid.between("data-name=\"bad\"", "</article>");
    assert!(bad.contains("main.tf:2") && bad.contains("disabled"), "{bad}");
    let plan = partner.post("/publish/plan", &[("module", "good")]).await;
    assert_eq!(plan.status, 200, "{}", plan.body);
    let refused = partner.post("/publish/plan", &[("module", "good"), ("module", "bad")]).await;
    assert_eq!(refused.status, 422);
    refused.assert_has("bad cannot be published");
}
