//! `/deploy`: the catalogue, and the form of one module.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use rad_core::catalog::{Card, CatalogSort, Publisher};
use rad_core::id::ModuleId;
use rad_core::module::ValueProblem;
use rad_core::page::Cursor;
use rad_core::platform::{DeployForm, Offer, PlatformError, Quote, Submission};
use serde::Deserialize;
use uuid::Uuid;

use super::{Answer, go, id_of, page, page_with, query};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::module_form::{Asked, FormView, Node, PREFIX};
use crate::session::{Posted, Session};

#[derive(Template)]
#[template(path = "pages/deploy.html")]
struct CataloguePage {
    layout: Layout,
    tabs: [Tab; 2],
    tab: &'static str,
    search: String,
    sorts: [(&'static str, &'static str, bool); 4],
    here: String,
    cards: Vec<CardView>,
    next: Option<String>,
}

struct Tab {
    key: &'static str,
    label: &'static str,
    href: String,
    current: bool,
}

struct CardView {
    id: String,
    name: String,
    description: String,
    services: Vec<String>,
    cost: String,
    purchased_only: bool,
    rating: String,
    deployments: String,
    pinned: bool,
    /// Whether it is a module of one's own that the code agent can refine.
    may_refine: bool,
}

/// Which part of the catalogue to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    tab: String,
    q: String,
    sort: String,
    after: Option<String>,
}

/// `GET /deploy`
pub(super) async fn list(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    let platform = wanted.tab != "partner";
    let tab = if platform { "platform" } else { "partner" };
    let (sort, sort_name) = match wanted.sort.as_str() {
        "deployments" => (CatalogSort::Deployments, "deployments"),
        "rating" => (CatalogSort::Rating, "rating"),
        "name" => (CatalogSort::Name, "name"),
        _ => (CatalogSort::Pinned, "pinned"),
    };
    let after = wanted.after.map(Cursor::new);
    let found = session.actor.search_modules(platform, &wanted.q, sort, after).await?;
    let address = |tab: &str, after: &str| {
        format!(
            "/deploy{}",
            query(&[("tab", tab), ("q", &wanted.q), ("sort", &wanted.sort), ("after", after)])
        )
    };
    let tabs = [("platform", "Platform modules"), ("partner", "Partner modules")].map(|(key, label)| Tab {
        key,
        label,
        href: address(key, ""),
        current: key == tab,
    });
    let sorts = [
        ("pinned", "Pinned first"),
        ("deployments", "Most deployed"),
        ("rating", "Best rated"),
        ("name", "Name"),
    ]
    .map(|(value, label)| (value, label, value == sort_name));
    let has_agent = session.actor.has_agent().await?;
    let own = session.actor.publishes_as().ok().filter(|_| has_agent);
    page(CataloguePage {
        layout: session.layout("Deploy", Section::Deploy).await?,
        tabs,
        tab,
        sorts,
        here: address(tab, ""),
        next: found.next.as_ref().map(|cursor| address(tab, cursor.as_str())),
        cards: found.items.into_iter().map(|card| card_view(card, own)).collect(),
        search: wanted.q,
    })
}

/// A card; whose modules the account may `refine`.
fn card_view(card: Card, refine: Option<Publisher>) -> CardView {
    let stats = card.listing.stats;
    let manifest = card.listing.revision.manifest;
    let rating = match stats.ratings {
        0 => "not rated yet".to_owned(),
        ratings => {
            let tenths = stats.stars.saturating_mul(10) / ratings;
            format!("★ {}.{} ({ratings})", tenths / 10, tenths % 10)
        }
    };
    let deployments = match stats.deployments {
        1 => "1 deployment".to_owned(),
        many => format!("{many} deployments"),
    };
    CardView {
        id: card.listing.id.to_string(),
        name: card.listing.name,
        description: manifest.description,
        services: manifest.metadata.services,
        cost: manifest.metadata.credit_cost.to_string(),
        purchased_only: manifest.metadata.require_credit_purchases,
        rating,
        deployments,
        pinned: card.pinned,
        may_refine: refine == Some(card.listing.publisher),
    }
}

/// `POST /deploy/{module}/pin`
pub(super) async fn pin(Path(module): Path<String>, form: Posted) -> Answer {
    form.session.actor.pin_module(module_id(&module)?, form.fields.is_on("pinned")).await?;
    let back = form.fields.text("back");
    go(if back.starts_with("/deploy?") { back } else { "/deploy" })
}

#[derive(Template)]
#[template(path = "pages/deploy_form.html")]
struct FormPage {
    layout: Layout,
    id: String,
    name: String,
    description: String,
    submission: String,
    /// What is on offer, to be sent back.
    offered_commit: String,
    offered_cost: String,
    page: usize,
    form: FormView,
    refusal: Option<Refusal>,
    problems: usize,
    stray: Vec<String>,
    quote: QuoteView,
    unmet: Vec<String>,
    commit: String,
    resources: u32,
    outputs: usize,
    needs: String,
    documentation: String,
    readme: String,
}

struct Refusal {
    message: String,
    code: Option<&'static str>,
}

struct QuoteView {
    cost: String,
    purchased_only: bool,
    split: Result<(String, String), String>,
}

/// What was typed, and what came of it.
struct Filled {
    typed: Node,
    submission: Uuid,
    /// What the form showed.
    seen: Offer,
    page: usize,
    problems: Vec<ValueProblem>,
    refusal: Option<Refusal>,
}

/// `GET /deploy/{module}`
pub(super) async fn show(session: Session, Path(module): Path<String>) -> Answer {
    let form = session.actor.deploy_form(module_id(&module)?).await?;
    let filled = Filled {
        typed: Node::default(),
        submission: Uuid::new_v4(),
        seen: form.offer(),
        page: 1,
        problems: Vec::new(),
        refusal: None,
    };
    page(view(&session, form, filled).await?)
}

/// `POST /deploy/{module}`: a page was checked, a row added or removed, or the deployment wanted.
pub(super) async fn submit(Path(module): Path<String>, form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let module = module_id(&module)?;
    let asked = session.actor.deploy_form(module).await?;
    let mut filled = Filled {
        typed: Node::read(fields, PREFIX),
        submission: fields.parsed("submission")?,
        seen: Offer { commit: fields.parsed("commit")?, cost: fields.parsed("cost")? },
        page: fields.text("page").parse().unwrap_or(1),
        problems: Vec::new(),
        refusal: None,
    };
    let pressed = asked_of(&asked).press(fields.text("do"), &mut filled.typed);
    let status = match pressed {
        Some(problems) => {
            filled.problems = problems;
            if filled.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
        }
        None => match deploy(session, module, &asked, &filled).await {
            Ok(_) => return go("/deployments?notice=deploying"),
            Err(PageError::Platform(PlatformError::Values { problems })) => {
                filled.problems = problems;
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Err(PageError::Platform(error)) if shown_in_form(&error) => {
                filled.refusal = Some(Refusal { message: error.to_string(), code: error.code() });
                PageError::Platform(error).status()
            }
            Err(error) => return Err(error),
        },
    };
    let html = view(session, asked, filled).await?;
    page_with(status, html)
}

async fn deploy(
    session: &Session,
    module: ModuleId,
    asked: &DeployForm,
    filled: &Filled,
) -> Result<(), PageError> {
    let typed =
        asked_of(asked).values(&filled.typed).map_err(|problems| PlatformError::Values { problems })?;
    let submission = Submission { id: filled.submission, seen: Some(filled.seen.clone()) };
    session.actor.deploy(module, &typed, submission).await?;
    Ok(())
}

/// Refusals that a person can do something about and go on with the same form.
fn shown_in_form(error: &PlatformError) -> bool {
    error.backend().is_none()
        && matches!(
            error,
            PlatformError::InsufficientPurchasedCredits { .. }
                | PlatformError::InsufficientTotalCredits { .. }
                | PlatformError::Violation(_)
                | PlatformError::EngineVersion { .. }
                | PlatformError::OfferChanged { .. }
                | PlatformError::Runner(_)
        )
}

fn asked_of(form: &DeployForm) -> Asked<'_> {
    let revision = &form.listing.revision;
    Asked { manifest: &revision.manifest, published: &revision.values, kept: &[] }
}

async fn view(session: &Session, asked: DeployForm, filled: Filled) -> Result<FormPage, PageError> {
    let asks = asked_of(&asked);
    let revision = &asked.listing.revision;
    let manifest = &revision.manifest;
    let form = asks.form(&filled.typed, &filled.problems);
    Ok(FormPage {
        layout: session.layout(&asked.listing.name, Section::Deploy).await?,
        id: asked.listing.id.to_string(),
        name: asked.listing.name.clone(),
        description: manifest.description.clone(),
        submission: filled.submission.to_string(),
        offered_commit: asked.offer().commit.to_string(),
        offered_cost: asked.offer().cost.to_string(),
        page: form.first_wrong().unwrap_or(filled.page),
        refusal: filled.refusal,
        problems: filled.problems.len(),
        stray: asks.stray(&filled.problems),
        quote: quote_view(&asked.quote),
        unmet: asked.unmet.clone(),
        commit: revision.commit.short().to_owned(),
        resources: manifest.resources.values().sum(),
        outputs: manifest.outputs.len(),
        needs: manifest.metadata.dependencies.join(", "),
        documentation: manifest.documentation.clone().unwrap_or_default(),
        readme: manifest.readme.clone().unwrap_or_default(),
        form,
    })
}

fn quote_view(quote: &Quote) -> QuoteView {
    QuoteView {
        cost: quote.cost.to_string(),
        purchased_only: quote.purchased_only,
        split: match &quote.split {
            Ok(split) => Ok((split.awarded.to_string(), split.purchased.to_string())),
            Err(refusal) => Err(refusal.message.clone()),
        },
    }
}

fn module_id(text: &str) -> Result<ModuleId, PageError> {
    id_of(text, "module")
}
