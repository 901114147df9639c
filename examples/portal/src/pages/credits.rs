//! `/credits`: balances, buying, orders, transactions.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use rad_core::id::{AccountId, OrderId, ParseIdError};
use rad_core::ledger::{Category, EntryQuery, Posted as Entry};
use rad_core::money::Credits;
use rad_core::page::{Cursor, Page};
use rad_core::payment::{Order, OrderStatus};
use rad_core::platform::{PlatformError, ProviderChoice};
use rad_core::revenue::{Body, Bucket, EntryKind, LotSource, Place};
use serde::Deserialize;

use super::days::{self, invalid};
use super::{Answer, go, id_of, page, page_with, query};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::session::{Posted, Session};
use crate::show;
use crate::state::App;

#[derive(Template)]
#[template(path = "pages/credits.html")]
struct CreditsPage {
    layout: Layout,
    awarded: String,
    purchased: String,
    held: String,
    debt: Option<String>,
    per_unit: String,
    currency: String,
    providers: Vec<ProviderChoice>,
    amount: String,
    problem: Option<String>,
    orders: Vec<OrderView>,
    categories: Vec<(String, &'static str, bool)>,
    category: String,
    kinds: Vec<(&'static str, String, bool)>,
    from: String,
    to: String,
    q: String,
    refusal: Option<String>,
    rows: Vec<RowView>,
    next: Option<String>,
    previous: Option<String>,
}

struct OrderView {
    id: String,
    short: String,
    credits: String,
    price: String,
    provider: String,
    status: &'static str,
    made: String,
}

struct RowView {
    time: String,
    machine_time: String,
    kind: &'static str,
    what: String,
    category: &'static str,
    amount: String,
    awarded: String,
    purchased: String,
    after: String,
    deployment: Option<String>,
}

/// Which transactions to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    category: String,
    kind: String,
    from: String,
    to: String,
    q: String,
    page: Option<String>,
}

impl Wanted {
    /// The address of a selection: this one with another category, and a page of it.
    fn address(&self, category: &str, page: &str) -> String {
        let Self { kind, from, to, q, .. } = self;
        let pairs =
            [("category", category), ("kind", kind), ("from", from), ("to", to), ("q", q), ("page", page)];
        format!("/credits{}#transactions", query(&pairs))
    }

    /// The query, both days included; the account is whoever asks.
    fn query(&self, account: AccountId) -> Result<EntryQuery, PlatformError> {
        let category = CATEGORIES.iter().find(|(key, ..)| *key == self.category);
        let kind = (!self.kind.is_empty()).then(|| self.kind.parse()).transpose();
        let (from, to) = days::range(&self.from, &self.to)?;
        Ok(EntryQuery {
            category: category.and_then(|(.., category)| *category),
            kind: kind.map_err(|error: ParseIdError| invalid("kind", error.to_string()))?,
            from,
            to,
            text: Some(self.q.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
            page: self.page.clone().map(Cursor::new),
            limit: ROWS,
            ..EntryQuery::new(account)
        })
    }
}

/// Transactions on one page.
const ROWS: u32 = 50;

const CATEGORIES: [(&str, &str, Option<Category>); 5] = [
    ("", "All", None),
    ("deployment", "Deployments", Some(Category::Deployment)),
    ("project", "Projects", Some(Category::Project)),
    ("purchase", "Purchases", Some(Category::Purchase)),
    ("grant", "Grants", Some(Category::Grant)),
];

/// `GET /credits`
pub(super) async fn show(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    page(view(&session, wanted, "100", None).await?)
}

/// `POST /credits/buy`
pub(super) async fn buy(State(app): State<App>, form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let typed = fields.text("credits");
    let return_url = |order: OrderId| format!("{}/credits/orders/{order}", app.base_url);
    let bought = match typed.parse::<Credits>() {
        Ok(credits) => session.actor.buy(credits, fields.text("provider"), return_url).await,
        Err(_) => Err(PlatformError::Invalid {
            field: "credits",
            reason: format!("{typed:?} is not a number of credits: write 100 or 12.5"),
        }),
    };
    match bought {
        // Our own sandbox is reached as the portal is, whatever name it is reached by.
        Ok((_, checkout)) => go(checkout.url.strip_prefix(&app.base_url).unwrap_or(&checkout.url)),
        Err(refusal @ PlatformError::Invalid { .. }) => {
            let html = view(session, Wanted::default(), typed, Some(refusal.to_string())).await?;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, html)
        }
        Err(error) => Err(error.into()),
    }
}

async fn view(
    session: &Session,
    wanted: Wanted,
    amount: &str,
    problem: Option<String>,
) -> Result<CreditsPage, PageError> {
    let actor = &session.actor;
    let balance = actor.balances().await?.balance;
    let options = actor.buy_options().await?;
    let (entries, refusal) = match wanted.query(actor.id()) {
        Ok(query) => (actor.transactions(query).await?, None),
        Err(refusal) => (Page::default(), Some(refusal.to_string())),
    };
    let turn = |cursor: &Option<Cursor>| {
        cursor.as_ref().map(|cursor| wanted.address(&wanted.category, cursor.as_str()))
    };
    Ok(CreditsPage {
        layout: session.layout("Credits", Section::Credits).await?,
        awarded: balance.awarded.to_string(),
        purchased: balance.purchased.to_string(),
        held: balance.held().to_string(),
        debt: (balance.debt > Credits::ZERO).then(|| balance.debt.to_string()),
        per_unit: options.settings.credits_per_unit.to_string(),
        currency: options.settings.currency.to_string(),
        providers: options.providers,
        amount: amount.to_owned(),
        problem,
        orders: actor.orders().await?.iter().map(order_view).collect(),
        categories: CATEGORIES
            .iter()
            .map(|(key, label, _)| (wanted.address(key, ""), *label, *key == wanted.category))
            .collect(),
        category: wanted.category.clone(),
        kinds: EntryKind::ALL
            .iter()
            .filter(|kind| **kind != EntryKind::ShareRules)
            .map(|kind| (kind.as_str(), show::humanised(kind.as_str()), kind.as_str() == wanted.kind))
            .collect(),
        refusal,
        next: turn(&entries.next),
        previous: turn(&entries.previous),
        rows: entries.items.iter().map(row_view).collect(),
        from: wanted.from,
        to: wanted.to,
        q: wanted.q,
    })
}

#[derive(Template)]
#[template(path = "pages/order.html")]
struct OrderPage {
    layout: Layout,
    order: OrderView,
    sentence: &'static str,
}

/// `GET /credits/orders/{id}`: where the payer comes back to.
pub(super) async fn order(session: Session, Path(id): Path<String>) -> Answer {
    let id: OrderId = id_of(&id, "order")?;
    let order = session.actor.order(id).await?;
    let sentence = match order.status {
        OrderStatus::Created => "The payment is not complete yet. This page shows it as soon as it is.",
        OrderStatus::Paid => "Thank you: the payment came through and the credits are yours.",
        OrderStatus::Failed => "The payment did not come through. Nothing was credited, and nothing is owed.",
        OrderStatus::Mismatch => {
            "What was paid is not what was ordered. Nothing was credited; finance has been told and will be in touch."
        }
    };
    let order = order_view(&order);
    page(OrderPage { layout: session.layout("Order", Section::Credits).await?, order, sentence })
}

fn order_view(order: &Order) -> OrderView {
    let id = order.id.to_string();
    OrderView {
        short: id.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect(),
        id,
        credits: order.credits.to_string(),
        price: order.price.to_string(),
        provider: order.provider.clone(),
        status: match order.status {
            OrderStatus::Created => "open",
            OrderStatus::Paid => "paid",
            OrderStatus::Failed => "failed",
            OrderStatus::Mismatch => "mismatch",
        },
        made: show::time(order.created_at),
    }
}

fn row_view(posted: &Entry) -> RowView {
    let body = &posted.entry.body;
    let (awarded, purchased) = split(posted);
    let amount = awarded.checked_add(purchased).unwrap_or(Credits::ZERO);
    RowView {
        time: show::time(posted.entry.at),
        machine_time: show::machine_time(posted.entry.at),
        kind: body.kind(),
        what: what(body),
        category: posted.topic.category.map_or("", Category::as_str),
        amount: show::signed(amount),
        awarded: blank_zero(awarded),
        purchased: blank_zero(purchased),
        after: posted.effect.balance_after.spendable().to_string(),
        deployment: posted.topic.deployment.map(|id| id.to_string()),
    }
}

/// What an entry moved of each bucket, as the owner sees it: what is held counts as gone until it comes back, and a
/// charge is what was held for it.
fn split(posted: &Entry) -> (Credits, Credits) {
    let is_capture = matches!(posted.entry.body, Body::Capture(_));
    let mut sums = (Credits::ZERO, Credits::ZERO);
    for step in &posted.effect.moves {
        let amount = match (step.from, step.to) {
            (Place::Held, Place::Spent) if is_capture => step.credits.checked_neg(),
            (_, Place::Open) if !is_capture => Some(step.credits),
            (Place::Open, _) => step.credits.checked_neg(),
            _ => None,
        };
        let sum = if step.bucket == Bucket::Awarded { &mut sums.0 } else { &mut sums.1 };
        *sum = amount.and_then(|amount| sum.checked_add(amount)).unwrap_or(*sum);
    }
    sums
}

fn what(body: &Body) -> String {
    match body {
        Body::Grant(grant) => match grant.source {
            LotSource::Signup => "Welcome credits",
            LotSource::Referral => "Referral",
            LotSource::AdminAward => "Award",
            LotSource::Purchase => "Purchase",
            LotSource::Subscription => "Subscription",
            LotSource::PartnerAllowance => "Allowance",
            LotSource::Adjustment => "Adjustment",
            _ => "Credits",
        }
        .to_owned(),
        Body::Hold(_) => "Held for a deployment".to_owned(),
        Body::Capture(_) => "Charge".to_owned(),
        Body::Release(_) => "Released".to_owned(),
        Body::Refund(_) => "Refund".to_owned(),
        Body::ProjectDebit(_) => "Project cost".to_owned(),
        other => show::humanised(other.kind()),
    }
}

fn blank_zero(credits: Credits) -> String {
    if credits == Credits::ZERO { String::new() } else { show::signed(credits) }
}
