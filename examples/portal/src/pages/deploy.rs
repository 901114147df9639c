//! `/deploy`: the catalogue, and the form of one module.

use std::collections::HashSet;

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use rad_core::catalog::{Card, CatalogSort, Publisher};
use rad_core::id::ModuleId;
use rad_core::module::{ValueProblem, Values};
use rad_core::page::Cursor;
use rad_core::platform::{DeployForm, PlatformError, Quote};
use serde::Deserialize;
use uuid::Uuid;

use super::{Answer, go, id_of, page, page_with, query};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::module_form::{FormView, Node, PREFIX, values};
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
        page: fields.text("page").parse().unwrap_or(1),
        problems: Vec::new(),
        refusal: None,
    };
    let status = match fields.text("do").split_once(':') {
        Some(("add", path)) => {
            filled.typed.add_row(below_prefix(path));
            StatusCode::OK
        }
        Some(("remove", path)) => {
            filled.typed.remove(below_prefix(path));
            StatusCode::OK
        }
        Some(("refresh", _)) => StatusCode::OK,
        Some(("check", number)) => {
            filled.problems = check(&asked, &filled.typed, number.parse().unwrap_or(1));
            if filled.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
        }
        _ => match deploy(session, module, &asked, &filled).await {
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
    let typed = typed_values(asked, &filled.typed).map_err(|problems| PlatformError::Values { problems })?;
    session.actor.deploy(module, &typed, filled.submission).await?;
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
                | PlatformError::Runner(_)
        )
}

/// The values of the fields that are asked, and of those only.
fn typed_values(asked: &DeployForm, typed: &Node) -> Result<Values, Vec<ValueProblem>> {
    let manifest = &asked.listing.revision.manifest;
    let hidden = hidden(asked, typed);
    let fields = manifest.pages().into_iter().flat_map(|page| page.fields);
    values(fields.filter(|variable| !hidden.contains(variable.name.as_str())), typed)
}

/// What is wrong on one page of the form.
fn check(asked: &DeployForm, typed: &Node, number: usize) -> Vec<ValueProblem> {
    let revision = &asked.listing.revision;
    let checked = typed_values(asked, typed)
        .and_then(|values| revision.manifest.check(&Values::new(), &revision.values, &values).map(drop));
    let pages = revision.manifest.pages();
    let here = number.checked_sub(1).and_then(|index| pages.get(index));
    let on_page = |name: &str| here.is_some_and(|page| page.fields.iter().any(|field| field.name == name));
    let problems = checked.err().unwrap_or_default();
    problems.into_iter().filter(|problem| on_page(&problem.variable)).collect()
}

fn hidden<'a>(asked: &'a DeployForm, typed: &Node) -> HashSet<&'a str> {
    let revision = &asked.listing.revision;
    let fields = revision.manifest.pages().into_iter().flat_map(|page| page.fields);
    let typed = values(fields, typed).unwrap_or_default();
    revision.manifest.hidden(&Values::new(), &revision.values, &typed)
}

async fn view(session: &Session, asked: DeployForm, filled: Filled) -> Result<FormPage, PageError> {
    let hidden = hidden(&asked, &filled.typed);
    let revision = &asked.listing.revision;
    let manifest = &revision.manifest;
    let form = FormView::for_deployer(manifest, &revision.values, &filled.typed, &filled.problems, &hidden);
    let fields: HashSet<&str> =
        manifest.pages().iter().flat_map(|page| &page.fields).map(|field| field.name.as_str()).collect();
    let stray = filled.problems.iter().filter(|problem| !fields.contains(problem.variable.as_str()));
    let first_wrong = form.pages.iter().find(|page| page.has_problems).map(|page| page.number);
    Ok(FormPage {
        layout: session.layout(&asked.listing.name, Section::Deploy).await?,
        id: asked.listing.id.to_string(),
        name: asked.listing.name.clone(),
        description: manifest.description.clone(),
        submission: filled.submission.to_string(),
        page: first_wrong.unwrap_or(filled.page),
        refusal: filled.refusal,
        problems: filled.problems.len(),
        stray: stray.map(|problem| format!("{}: {}", problem.variable, problem.message)).collect(),
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

fn below_prefix(path: &str) -> &str {
    path.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default()
}

fn module_id(text: &str) -> Result<ModuleId, PageError> {
    id_of(text, "module")
}
