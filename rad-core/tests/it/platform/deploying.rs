//! Deploying: the credits follow the run, whatever happens to it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use rad_core::deployment::{DeploymentStatus, RunStatus};
use rad_core::ledger::{Ledger, RevenueQuery};
use rad_core::platform::{Offer, PlatformError, RevenueView, Submission};
use rad_core::runner::{Engine, RunJob, RunObserver, RunOutcome, Runner, RunnerError};
use uuid::Uuid;

use super::market::{Market, credits, values};

/// 30 awarded and 100 bought for 10.00.
pub(super) async fn funded() -> Market {
    let market = Market::open().await;
    market.publish(&["small", "paid", "private", "needy"]).await;
    market.award(market.user, "30").await;
    market.sell(market.user).await;
    market
}

pub(super) fn triple(awarded: &str, purchased: &str, held: &str) -> (String, String, String) {
    (awarded.to_owned(), purchased.to_owned(), held.to_owned())
}

#[tokio::test]
async fn a_success_is_charged_and_everybody_sees_their_own_share() {
    let market = funded().await;
    let module = market.module("small").await;
    let user = market.actor(market.user).await;
    let form = user.deploy_form(module).await.unwrap();
    let split = form.quote.split.unwrap();
    assert_eq!((split.awarded, split.purchased), (credits("30"), credits("30")));

    let deployment = user.deploy(module, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
    assert_eq!(deployment.status, DeploymentStatus::Run(RunStatus::Queued));
    assert_eq!(market.credits(market.user).await, triple("0", "70", "60"));
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(market.credits(market.user).await, triple("0", "70", "0"));

    for (account, view, revenue) in [
        (market.partner, RevenueView::Partner, 60),
        (market.agent, RevenueView::Agent, 15),
        (market.finance, RevenueView::All, 300),
    ] {
        let query = RevenueQuery { limit: 10, ..RevenueQuery::default() };
        let (page, totals, _) = market.actor(account).await.revenue(view, query).await.unwrap();
        assert_eq!(page.items[0].revenue, revenue, "{view:?}");
        assert_eq!(page.items[0].line.is_some(), view == RevenueView::All, "others' shares stay theirs");
        assert_eq!(totals.partner != 0, matches!(view, RevenueView::All | RevenueView::Partner));
        assert_eq!(totals.agent != 0, matches!(view, RevenueView::All | RevenueView::Agent));
    }
    assert_eq!(market.ledger.verify(market.user).await.unwrap(), []);
}

#[tokio::test]
async fn whatever_is_not_a_success_gives_the_credits_back() {
    for outcome in [RunOutcome::Failure, RunOutcome::Timeout, RunOutcome::Stopped] {
        let market = funded().await;
        let module = market.module("small").await;
        let user = market.actor(market.user).await;
        user.deploy(module, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
        market.finish_next(outcome).await;
        assert_eq!(market.credits(market.user).await, triple("30", "100", "0"), "{outcome:?}");
    }
}

#[tokio::test]
async fn the_same_submission_deploys_once() {
    let market = funded().await;
    let module = market.module("small").await;
    let user = market.actor(market.user).await;
    let submission = Uuid::new_v4();
    let typed = values(&[("name", "blue")]);
    let (first, second) =
        tokio::join!(user.deploy(module, &typed, submission), user.deploy(module, &typed, submission));
    assert_eq!(first.unwrap().id, second.unwrap().id);
    assert_eq!(market.credits(market.user).await.2, "60");
    assert_eq!(user.deployments(false, "", None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn of_two_deployments_on_a_balance_for_one_exactly_one_holds() {
    let market = funded().await;
    let module = market.module("paid").await;
    let user = market.actor(market.user).await;
    let none = values(&[]);
    let deploy = || user.deploy(module, &none, Uuid::new_v4());
    let results = tokio::join!(deploy(), deploy(), deploy());
    let results = [results.0, results.1, results.2];
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2, "100 purchased pay 40 twice");
    let refusal = results.into_iter().find_map(Result::err).unwrap();
    assert_eq!(refusal.code(), Some("INSUFFICIENT_PURCHASED_CREDITS"));
    assert_eq!(
        user.deployments(false, "", None).await.unwrap().items.len(),
        2,
        "the refused one left nothing"
    );
}

#[tokio::test]
async fn wrong_values_are_named_and_nothing_is_held() {
    let market = funded().await;
    let module = market.module("small").await;
    let user = market.actor(market.user).await;
    for (typed, variable, part) in [
        (values(&[]), "name", "required"),
        (values(&[("name", "x")]), "name", "A name has three letters at least."),
        (values(&[("name", "blue"), ("color", "red")]), "color", ""),
    ] {
        let refused = user.deploy(module, &typed, Uuid::new_v4()).await.unwrap_err();
        let PlatformError::Values { problems } = refused else { panic!("{refused}") };
        assert_eq!(problems[0].variable, variable);
        assert!(problems[0].message.contains(part), "{}", problems[0].message);
    }
    assert_eq!(market.credits(market.user).await.2, "0");
}

#[tokio::test]
async fn a_lost_worker_ends_the_run_as_interrupted_and_retry_and_destroy_work() {
    let market = funded().await;
    let module = market.module("small").await;
    let user = market.actor(market.user).await;
    let deployment = user.deploy(module, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
    let operations = market.platform.operations();
    let lease = market.lease("lost").await;
    operations.save_state(&lease, &"{\"serial\":1}".into()).await.unwrap();

    market.clock.advance(TimeDelta::seconds(16));
    let report = operations.sweep().await.unwrap();
    assert_eq!((report.interrupted, report.settled), (1, 1));
    assert!(operations.finish(&lease, RunOutcome::Success).await.is_err(), "the lease is gone");
    assert_eq!(market.credits(market.user).await, triple("30", "100", "0"));
    let details = user.deployment(deployment.id).await.unwrap();
    assert_eq!(details.deployment.status, DeploymentStatus::Run(RunStatus::Interrupted));
    assert!(details.has_state);

    user.retry(deployment.id).await.unwrap();
    assert_eq!(market.credits(market.user).await.2, "60");
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(market.credits(market.user).await, triple("0", "70", "0"), "charged once");
    user.destroy(deployment.id).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    let details = user.deployment(deployment.id).await.unwrap();
    assert_eq!(details.deployment.status, DeploymentStatus::Deleted);
    assert_eq!(market.credits(market.user).await, triple("0", "70", "0"), "destroying is free");
    assert!(user.destroy(deployment.id).await.is_err());
}

#[tokio::test]
async fn a_deployment_waits_for_the_modules_it_needs_and_holds_nothing_till_then() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let needy = market.module("needy").await;
    assert_eq!(user.deploy_form(needy).await.unwrap().unmet, ["small"]);
    let waiting = user.deploy(needy, &values(&[]), Uuid::new_v4()).await.unwrap();
    assert_eq!(waiting.status, DeploymentStatus::Run(RunStatus::Waiting));
    assert_eq!(market.credits(market.user).await.2, "0");
    assert_eq!(market.platform.operations().sweep().await.unwrap().queued, 0);

    let small = market.module("small").await;
    user.deploy(small, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap();
    market.finish_next(RunOutcome::Success).await;
    assert_eq!(market.platform.operations().sweep().await.unwrap().queued, 1);
    assert_eq!(market.credits(market.user).await.2, "5");
}

#[tokio::test]
async fn sensitive_values_reach_the_job_and_nothing_else() {
    let market = funded().await;
    let module = market.module("small").await;
    let user = market.actor(market.user).await;
    let typed = values(&[("name", "blue"), ("secret", "correct-horse")]);
    let deployment = user.deploy(module, &typed, Uuid::new_v4()).await.unwrap();
    let shown = format!("{:?}", user.deployment(deployment.id).await.unwrap());
    assert!(!shown.contains("correct-horse"), "{shown}");
    assert_eq!(deployment.secret_names, ["secret"]);
    let lease = market.lease("worker").await;
    let job = market.job(&lease).await;
    assert_eq!(job.values["secret"], "correct-horse");
    assert!(!format!("{job:?}").contains("correct-horse"));
}

#[derive(Debug)]
struct NoEngine;

#[async_trait]
impl Runner for NoEngine {
    async fn engine(&self) -> Result<Engine, RunnerError> {
        Err(RunnerError::NoEngine {
            searched: "tofu, terraform".to_owned(),
            install_page: "https://example.com",
        })
    }

    async fn run(&self, _job: RunJob, _observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError> {
        Err(self.engine().await.unwrap_err())
    }
}

#[tokio::test]
async fn without_an_engine_nothing_is_stored_or_held() {
    let market = Market::with_runner(Arc::new(NoEngine)).await;
    market.publish(&["small"]).await;
    market.award(market.user, "100").await;
    let user = market.actor(market.user).await;
    let module = market.module("small").await;
    let refused = user.deploy(module, &values(&[("name", "blue")]), Uuid::new_v4()).await.unwrap_err();
    assert!(matches!(refused, PlatformError::Runner(RunnerError::NoEngine { .. })), "{refused}");
    assert_eq!(market.credits(market.user).await, triple("100", "0", "0"));
    assert!(user.deployments(false, "", None).await.unwrap().items.is_empty());
}

/// An engine of a version that its modules ask for or not.
#[derive(Debug)]
struct OldEngine;

#[async_trait]
impl Runner for OldEngine {
    async fn engine(&self) -> Result<Engine, RunnerError> {
        Ok(Engine { name: "OpenTofu".to_owned(), version: "1.6.2".to_owned(), is_terraform: true })
    }

    async fn run(&self, _job: RunJob, _observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError> {
        Ok(RunOutcome::Success)
    }
}

#[tokio::test]
async fn a_module_for_another_engine_is_refused_with_both_named_before_anything_is_held() {
    let market = Market::with_runner(Arc::new(OldEngine)).await;
    let module = |required: &str| {
        format!(
            "variable \"credit_cost\" {{ default = 5 }}\nvariable \"public_access\" {{ default = true }}\n\
             terraform {{ required_version = \"{required}\" }}"
        )
    };
    let (new, fine, odd) = (module(">= 1.7"), module("~> 1.6.0"), module(">= 1.5.0-beta1"));
    market.push(&[("new", &new), ("fine", &fine), ("odd", &odd)]);
    market.publish(&["new", "fine", "odd"]).await;
    market.award(market.user, "100").await;
    let user = market.actor(market.user).await;
    let none = values(&[]);
    user.deploy(market.module("fine").await, &none, Uuid::new_v4()).await.unwrap();
    assert_eq!(market.credits(market.user).await.2, "5");
    for (name, parts) in [("new", ["OpenTofu 1.6.2", ">= 1.7"]), ("odd", [">= 1.5.0-beta1", "pre-release"])] {
        let refused = user.deploy(market.module(name).await, &none, Uuid::new_v4()).await.unwrap_err();
        assert_eq!(refused.code(), Some("ENGINE_VERSION"));
        assert!(parts.iter().all(|part| refused.to_string().contains(part)), "{refused}");
    }
    assert_eq!(market.credits(market.user).await.2, "5");
    assert_eq!(user.deployments(false, "", None).await.unwrap().items.len(), 1, "nothing is stored");
}

#[tokio::test]
async fn nobody_pays_what_the_form_did_not_show() {
    let market = funded().await;
    let user = market.actor(market.user).await;
    let module = market.module("paid").await;
    let seen = user.deploy_form(module).await.unwrap().offer();
    let dearer = "variable \"credit_cost\" { default = 41 }\nvariable \"public_access\" { default = true }";
    market.push(&[("paid", dearer)]);
    market.publish(&["paid"]).await;
    let send = async |seen: Offer| {
        user.deploy(module, &values(&[]), Submission { id: Uuid::new_v4(), seen: Some(seen) }).await
    };
    let refused = send(seen.clone()).await.unwrap_err();
    let PlatformError::OfferChanged { commit, cost } = refused else { panic!("{refused}") };
    assert!(commit != seen.commit && cost == credits("41"));
    assert_eq!(market.credits(market.user).await.2, "0");
    send(Offer { commit, cost }).await.unwrap();
    assert_eq!(market.credits(market.user).await.2, "41");
}
