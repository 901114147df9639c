//! Publishing: what is planned is what happens, or nothing does.

use std::collections::BTreeSet;

use rad_core::access::Role;
use rad_core::catalog::CatalogSort;
use rad_core::module::Values;
use rad_core::platform::{GridState, PlatformError, Selection};
use rad_core::repo::{RepoConnection, RepoError};
use rad_core::watch::StepKind;
use uuid::Uuid;

use super::market::{MODULES, Market, person, publish, values};

fn select(names: &[&str]) -> Selection {
    let modules: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Selection { modules, ..Selection::default() }
}

async fn kinds(market: &Market, selection: &Selection) -> Vec<(String, StepKind)> {
    let plan = market.actor(market.partner).await.plan_sync(selection).await.unwrap();
    plan.steps.into_iter().map(|step| (step.module, step.kind)).collect()
}

async fn on_offer(market: &Market) -> Vec<String> {
    let partner = market.actor(market.partner).await;
    let page = partner.search_modules(false, "", CatalogSort::Name, None).await.unwrap();
    page.items.into_iter().map(|card| card.listing.name).collect()
}

#[tokio::test]
async fn every_directory_is_on_the_grid_broken_ones_with_their_place() {
    let market = Market::open().await;
    market.connect(market.partner).await;
    let grid = market.actor(market.partner).await.module_grid().await.unwrap();
    let names: Vec<_> = grid.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["broken", "needy", "paid", "private", "small"]);
    let GridState::Invalid(errors) = &grid.entries[0].state else { panic!("{:?}", grid.entries[0].state) };
    assert!(errors[0].to_string().starts_with("broken/main.tf:1:"), "{}", errors[0]);
}

#[tokio::test]
async fn a_sync_publishes_updates_and_withdraws_as_planned() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    let module = market.module("small").await;
    assert_eq!(on_offer(&market).await, ["paid", "small"]);
    assert!(market.publish(&["small", "paid"]).await.is_empty(), "the same again changes nothing");

    let mut changed = MODULES.to_vec();
    changed.retain(|(name, _)| *name != "paid");
    changed[0].1 = "variable \"credit_cost\" { default = 61 }\nvariable \"public_access\" { default = true }";
    market.push(&changed);
    assert_eq!(
        kinds(&market, &select(&["small", "needy"])).await,
        [
            ("needy".to_owned(), StepKind::Publish),
            ("paid".to_owned(), StepKind::Withdraw),
            ("small".to_owned(), StepKind::Update)
        ]
    );
    market.publish(&["small", "needy"]).await;
    assert_eq!(on_offer(&market).await, ["needy", "small"]);
    assert_eq!(market.module("small").await, module, "a listing keeps its id over revisions");
}

#[tokio::test]
async fn a_plan_is_void_once_the_branch_or_the_catalogue_moved_on() {
    let market = Market::open().await;
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    let selection = select(&["small"]);
    let plan = partner.plan_sync(&selection).await.unwrap();
    market.push(&MODULES[..2]);
    let refused = partner.apply_sync(&selection, &plan.commit, plan.version).await.unwrap_err();
    assert!(matches!(refused, PlatformError::PlanChanged), "{refused}");

    let plan = partner.plan_sync(&selection).await.unwrap();
    partner.apply_sync(&selection, &plan.commit, plan.version).await.unwrap();
    let refused = partner.apply_sync(&select(&["paid"]), &plan.commit, plan.version).await.unwrap_err();
    assert!(matches!(refused, PlatformError::PlanChanged), "{refused}");
    assert_eq!(on_offer(&market).await, ["small"]);
}

#[tokio::test]
async fn an_invalid_or_missing_module_publishes_nothing_of_the_selection() {
    let market = Market::open().await;
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    for name in ["broken", "nowhere"] {
        let refused = partner.plan_sync(&select(&["small", name])).await.unwrap_err();
        let PlatformError::Unpublishable { module, .. } = refused else { panic!("{refused}") };
        assert_eq!(module, name);
    }
    assert!(on_offer(&market).await.is_empty());
}

#[tokio::test]
async fn a_published_module_that_breaks_stays_while_others_are_published_and_can_be_withdrawn() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    let mut broken = MODULES.to_vec();
    broken[0].1 = "variable \"x\" {";
    market.push(&broken);
    let partner = market.actor(market.partner).await;
    let selection = select(&["small", "paid", "private"]);
    let plan = partner.plan_sync(&selection).await.unwrap();
    let small = plan.steps.iter().find(|step| step.module == "small").unwrap();
    assert_eq!(small.kind, StepKind::Keep);
    assert!(
        small.reason.contains("stays at") && small.reason.contains("small/main.tf:1:"),
        "{}",
        small.reason
    );
    partner.apply_sync(&selection, &plan.commit, plan.version).await.unwrap();
    assert_eq!(on_offer(&market).await, ["paid", "private", "small"]);
    assert_eq!(
        kinds(&market, &select(&["paid", "private"])).await.last().unwrap(),
        &("small".to_owned(), StepKind::Withdraw)
    );
    market.publish(&["paid", "private"]).await;
    assert_eq!(on_offer(&market).await, ["paid", "private"]);
    let refused = partner.plan_sync(&select(&["small"])).await.unwrap_err();
    assert!(
        matches!(refused, PlatformError::Unpublishable { .. }),
        "once withdrawn it is not put back: {refused}"
    );
}

#[tokio::test]
async fn a_module_is_found_by_its_partners_name_and_nobody_by_an_email() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    let user = market.actor(market.user).await;
    let found = async |text: &str| {
        let page = user.search_modules(false, text, CatalogSort::Name, None).await.unwrap();
        page.items.into_iter().map(|card| card.listing.name).collect::<Vec<_>>()
    };
    assert_eq!(found("PARTNER").await, ["paid", "small"]);
    assert_eq!(found("partner small").await, ["small"]);
    assert!(found("partner@example.com").await.is_empty() && found("agent").await.is_empty());
}

#[tokio::test]
async fn publish_time_values_decide_the_listing() {
    let market = Market::open().await;
    let source = r#"variable "credit_cost" {
                      description = "Price. {{UIMeta group=0}}"
                      type        = number
                      default     = 5
                    }"#;
    market.push(&[("priced", source)]);
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    let mut selection = select(&["priced"]);
    let price = Values::from_iter([("credit_cost".to_owned(), 9.into())]);
    selection.values.insert("priced".to_owned(), price);
    publish(&partner, &selection).await;
    let form = partner.deploy_form(market.module("priced").await).await.unwrap();
    assert_eq!(form.quote.cost.to_string(), "9");

    let nonsense = Values::from_iter([("credit_cost".to_owned(), "-1".into())]);
    selection.values.insert("priced".to_owned(), nonsense);
    let refused = partner.plan_sync(&selection).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Values { .. }), "{refused}");
}

#[tokio::test]
async fn another_repository_withdraws_what_it_lacks_and_running_deployments_stay() {
    let market = Market::open().await;
    market.publish(&["small", "paid"]).await;
    market.award(market.user, "100").await;
    let user = market.actor(market.user).await;
    let module = market.module("small").await;
    let deployment = user.deploy(module, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
    market.finish_next(rad_core::runner::RunOutcome::Success).await;

    let partner = market.actor(market.partner).await;
    let missing = RepoConnection { repository: "none".into(), branch: None, sub_dir: String::new() };
    let refused = partner.connect(Some(missing)).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Repo(RepoError::NotFound { .. })), "{refused}");
    assert_eq!(on_offer(&market).await.len(), 2, "a refused connection changes nothing");

    partner.connect(None).await.unwrap();
    assert!(on_offer(&market).await.is_empty());
    assert!(user.deploy_form(module).await.is_err());
    user.destroy(deployment.id).await.unwrap();
    let lease = market.lease("w").await;
    let job = market.job(&lease).await;
    assert!(job.source.file("main.tf").is_some(), "the archived source outlives the repository");
}

#[tokio::test]
async fn a_secret_of_the_publisher_never_gets_into_a_listing() {
    let market = Market::open().await;
    let source = r#"variable "api_key" {
                      description = "Key. {{UIMeta group=0}}"
                      type        = string
                      default     = ""
                      sensitive   = true
                    }"#;
    market.push(&[("keyed", source)]);
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    let mut selection = select(&["keyed"]);
    assert!(partner.plan_sync(&selection).await.is_ok(), "it can be left out");
    selection.values.insert("keyed".to_owned(), values(&[("api_key", "correct-horse")]));
    let refused = partner.plan_sync(&selection).await.unwrap_err();
    let PlatformError::Values { problems } = refused else { panic!("{refused}") };
    assert_eq!(problems[0].variable, "api_key");
    assert!(!problems[0].message.contains("correct-horse"));

    selection.values.insert("keyed".to_owned(), values(&[("api_key", &"x".repeat(300_000))]));
    let refused = partner.plan_sync(&selection).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Invalid { field: "values", .. }), "{refused}");
}

#[tokio::test]
async fn modules_that_need_each_other_in_a_circle_are_not_published() {
    let market = Market::open().await;
    let needing = |name: &str| format!("variable \"module_dependency\" {{ default = [\"{name}\"] }}");
    let (chicken, egg) = (needing("egg"), needing("chicken"));
    market.push(&[("chicken", &chicken), ("egg", &egg), ("farm", &needing("chicken"))]);
    market.connect(market.partner).await;
    let partner = market.actor(market.partner).await;
    let plan = async |names: &[&str]| {
        let modules = names.iter().map(|name| (*name).to_owned()).collect();
        partner.plan_sync(&Selection { modules, ..Selection::default() }).await
    };
    assert!(plan(&["farm", "chicken"]).await.is_ok(), "what is not published closes no circle");
    let refused = plan(&["chicken", "egg", "farm"]).await.unwrap_err();
    assert_eq!(refused.code(), Some("DEPENDENCY_CYCLE"));
    assert!(refused.to_string().contains("chicken → egg → chicken"), "{refused}");

    let admin = market.actor(market.admin).await;
    market.connect(market.admin).await;
    let own = Selection { modules: BTreeSet::from(["egg".to_owned()]), ..Selection::default() };
    publish(&admin, &own).await;
    let over_the_platform = plan(&["chicken"]).await.unwrap_err();
    assert_eq!(over_the_platform.code(), Some("DEPENDENCY_CYCLE"), "{over_the_platform}");
}

#[tokio::test]
async fn a_circle_over_other_partners_is_refused_by_its_names() {
    let market = Market::open().await;
    let needing = |name: &str| format!("variable \"module_dependency\" {{ default = [\"{name}\"] }}");
    market.push(&[("roof", &needing("wall")), ("wall", &needing("floor")), ("floor", &needing("roof"))]);
    let boss = market.actor(market.admin).await;
    let mut partners = vec![market.partner];
    for name in ["mason", "tiler"] {
        partners.push(boss.create_account(person(name, [Role::Partner])).await.unwrap().id);
    }
    let offer = async |partner: usize, names: &[&str]| {
        market.connect(partners[partner]).await;
        let modules = names.iter().map(|name| (*name).to_owned()).collect();
        let (actor, selection) =
            (market.actor(partners[partner]).await, Selection { modules, ..Selection::default() });
        let plan = actor.plan_sync(&selection).await?;
        actor.apply_sync(&selection, &plan.commit, plan.version).await
    };
    offer(0, &["roof"]).await.unwrap();
    offer(1, &["wall"]).await.unwrap();
    let refused = offer(2, &["floor"]).await.unwrap_err();
    assert_eq!(refused.code(), Some("DEPENDENCY_CYCLE"));
    assert!(refused.to_string().contains("floor → roof → wall → floor"), "{refused}");

    offer(0, &[]).await.unwrap();
    offer(2, &["floor"]).await.unwrap();
    let refused = offer(0, &["roof"]).await.unwrap_err();
    assert!(refused.to_string().contains("roof → wall → floor → roof"), "{refused}");
    market.push(&[("wall", ""), ("roof", &needing("wall"))]);
    offer(2, &["wall"]).await.unwrap();
    offer(0, &["roof"]).await.expect("another wall needs nothing: one is enough");
}
