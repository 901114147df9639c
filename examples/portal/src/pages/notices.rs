//! `/notices`: what somebody was told, the latest first.

use askama::Template;
use rad_core::notify::{KeptNotice, Notice};
use rad_core::watch::PlannedStep;

use super::{Answer, go, id_of, page};
use crate::layout::{Layout, Section};
use crate::session::{Posted, Session};
use crate::show;

#[derive(Template)]
#[template(path = "pages/notices.html")]
struct NoticesPage {
    layout: Layout,
    /// The number of the latest one, while any is new.
    newest: Option<u64>,
    notices: Vec<NoticeView>,
}

struct NoticeView {
    number: u64,
    at: String,
    machine_at: String,
    is_new: bool,
    sentence: String,
    /// What it is about, and where that is.
    about: Option<(String, &'static str)>,
    steps: Vec<PlannedStep>,
}

/// `GET /notices`
pub(super) async fn list(session: Session) -> Answer {
    let layout = session.layout("Notices", Section::Notices).await?;
    let notices: Vec<NoticeView> = session.actor.notices().await?.into_iter().map(view).collect();
    let newest = notices.first().filter(|_| layout.unseen > 0).map(|notice| notice.number);
    page(NoticesPage { layout, newest, notices })
}

/// `POST /notices/seen`
pub(super) async fn mark_seen(Posted { session, fields }: Posted) -> Answer {
    session.actor.mark_notices_seen(id_of(fields.text("last"), "notice")?).await?;
    go("/notices")
}

fn view(kept: KeptNotice) -> NoticeView {
    let (sentence, about) = told(&kept.notice);
    NoticeView {
        number: kept.number,
        at: show::time(kept.at),
        machine_at: show::machine_time(kept.at),
        is_new: !kept.seen,
        sentence,
        about,
        steps: match kept.notice {
            Notice::ModulesKept { steps, .. } => steps,
            _ => Vec::new(),
        },
    }
}

/// A notice in a sentence, and where to go from it.
fn told(notice: &Notice) -> (String, Option<(String, &'static str)>) {
    match notice {
        Notice::DeploymentSucceeded { deployment } => (
            format!("Deployment {deployment} succeeded."),
            Some((format!("/deployments/{deployment}"), "Look at it")),
        ),
        Notice::DeploymentFailed { deployment } => (
            format!("A run of deployment {deployment} did not succeed."),
            Some((format!("/deployments/{deployment}"), "See why")),
        ),
        Notice::DeploymentRefused { deployment, reason } => (
            format!("Deployment {deployment} could not begin: {reason}."),
            Some((format!("/deployments/{deployment}"), "Look at it")),
        ),
        Notice::ConfirmationAsked { deployment } => (
            format!(
                "A run of deployment {deployment} would destroy or replace something, and waits for you."
            ),
            Some((format!("/deployments/{deployment}"), "See the plan")),
        ),
        Notice::DeploymentDeleted { deployment } => (
            format!("Deployment {deployment} was destroyed."),
            Some((format!("/deployments/{deployment}"), "Look at it")),
        ),
        Notice::CreditsPurchased { order, credits } => (
            format!("You bought {credits} credits."),
            Some((format!("/credits/orders/{order}"), "See the order")),
        ),
        Notice::CreditsAwarded { credits } => (
            format!("You were awarded {credits} credits."),
            Some(("/credits".to_owned(), "See your credits")),
        ),
        Notice::ModulesKept { repository, commit, modules, .. } => (
            format!(
                "{} in {repository} changed at {}, and cannot be published as they are: what is on offer stays.",
                show::counted(usize::try_from(*modules).unwrap_or(usize::MAX), "module"),
                commit.short()
            ),
            Some(("/publish".to_owned(), "Publish by hand")),
        ),
        Notice::PaymentMismatch { order } => (
            format!(
                "What was paid for order {order} is not what was ordered. Nothing was credited; somebody must look."
            ),
            None,
        ),
        _ => ("Something happened that this page cannot tell.".to_owned(), None),
    }
}
