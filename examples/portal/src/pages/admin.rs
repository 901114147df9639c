//! `/admin/accounts`: who is here, their roles, awards of credits.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use rad_core::access::{Role, Roles};
use rad_core::directory::{Account, AccountQuery, DirectoryError, NewAccount};
use rad_core::id::AccountId;
use rad_core::money::Credits;
use rad_core::page::Cursor;
use rad_core::platform::{Actor, Capability, PartnerOffer, PlatformError};
use secrecy::ExposeSecret;
use serde::Deserialize;
use uuid::Uuid;

use super::{Answer, go, id_of, page, page_with, query};
use crate::error::PageError;
use crate::fields::Fields;
use crate::layout::{Layout, Section};
use crate::password;
use crate::session::{Posted, Session};
use crate::show;

#[derive(Template)]
#[template(path = "pages/accounts.html")]
struct AccountsPage {
    layout: Layout,
    search: String,
    accounts: Vec<AccountRow>,
    next: Option<String>,
    may_change: bool,
    problem: Option<String>,
    made: Option<(String, String)>,
    typed_email: String,
    typed_name: String,
    roles: [&'static str; 6],
}

struct AccountRow {
    id: String,
    email: String,
    name: String,
    roles: String,
    made: String,
}

/// Which accounts to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    q: String,
    after: Option<String>,
}

/// `GET /admin/accounts`
pub(super) async fn list(session: Session, Query(wanted): Query<Wanted>) -> Answer {
    page(accounts(&session, wanted).await?)
}

async fn accounts(session: &Session, wanted: Wanted) -> Result<AccountsPage, PageError> {
    let text = wanted.q.trim().chars().take(200).collect::<String>();
    let asked = AccountQuery {
        text: (!text.is_empty()).then_some(text),
        role: None,
        after: wanted.after.map(Cursor::new),
        limit: 100,
    };
    let found = session.actor.accounts(&asked).await?;
    let row = |account: &Account| AccountRow {
        id: account.id.to_string(),
        email: account.email.clone(),
        name: account.name.clone(),
        roles: account.roles.to_string(),
        made: show::time(account.created_at),
    };
    let next = found.next.as_ref().map(Cursor::as_str);
    Ok(AccountsPage {
        layout: session.layout("Users", Section::Admin).await?,
        accounts: found.items.iter().map(row).collect(),
        next: next.map(|after| format!("/admin/accounts{}", query(&[("q", &wanted.q), ("after", after)]))),
        search: wanted.q,
        may_change: session.actor.can(Capability::ChangeAccounts),
        problem: None,
        made: None,
        typed_email: String::new(),
        typed_name: String::new(),
        roles: Role::ALL.map(Role::as_str),
    })
}

/// `POST /admin/accounts`: makes an account with a random password, shown once.
pub(super) async fn create(form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let password = password::random()?;
    let new = NewAccount {
        email: fields.text("email").to_owned(),
        name: fields.text("name").chars().take(100).collect(),
        roles: roles_of(fields)?,
        referred_by: None,
        password_hash: Some(password::hash(password.clone()).await?),
    };
    let made = session.actor.create_account(new).await;
    let mut shown = accounts(session, Wanted::default()).await?;
    let status = match made {
        Ok(account) => {
            shown.made = Some((account.email, password.expose_secret().to_owned()));
            StatusCode::CREATED
        }
        Err(PlatformError::Directory(
            refusal @ (DirectoryError::EmailTaken { .. } | DirectoryError::InvalidEmail { .. }),
        )) => {
            shown.problem = Some(refusal.to_string());
            shown.typed_email = fields.text("email").to_owned();
            shown.typed_name = fields.text("name").to_owned();
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Err(error) => return Err(error.into()),
    };
    page_with(status, shown)
}

#[derive(Template)]
#[template(path = "pages/account.html")]
struct AccountPage {
    layout: Layout,
    id: String,
    email: String,
    name: String,
    made: String,
    referrer: Option<String>,
    problem: Option<String>,
    is_self: bool,
    may_change: bool,
    /// What the account has on offer as a partner, and where from, if anything.
    offer: Option<OfferView>,
    submission: String,
    amount: String,
    roles: Vec<(&'static str, bool)>,
}

/// What somebody has on offer as a partner.
struct OfferView {
    is_partner: bool,
    repository: Option<String>,
    modules: String,
}

/// `GET /admin/accounts/{id}`
pub(super) async fn show(session: Session, Path(id): Path<String>) -> Answer {
    page(account(&session, account_id(&id)?, None).await?)
}

async fn account(
    session: &Session,
    id: AccountId,
    refused: Option<(&str, String)>,
) -> Result<AccountPage, PageError> {
    let actor = &session.actor;
    if !actor.can(Capability::SeeAccounts) {
        return Err(PlatformError::Forbidden { capability: Capability::SeeAccounts }.into());
    }
    let account = actor.account_of(id).await?;
    let referrer = match account.referred_by {
        Some(id) => Some(actor.account_of(id).await?.email),
        None => None,
    };
    let may_change = actor.can(Capability::ChangeAccounts);
    let offer = if may_change { offer_view(actor, &account).await? } else { None };
    let (amount, problem) = refused.map_or(("", None), |(amount, problem)| (amount, Some(problem)));
    Ok(AccountPage {
        layout: session.layout(&account.name, Section::Admin).await?,
        id: id.to_string(),
        made: show::time(account.created_at),
        referrer,
        problem,
        is_self: id == actor.id(),
        may_change,
        offer,
        submission: Uuid::new_v4().to_string(),
        amount: amount.to_owned(),
        roles: Role::ALL.into_iter().map(|role| (role.as_str(), account.roles.has(role))).collect(),
        email: account.email,
        name: account.name,
    })
}

/// Nothing for who never was a partner.
async fn offer_view(actor: &Actor, account: &Account) -> Result<Option<OfferView>, PageError> {
    let is_partner = account.roles.has(Role::Partner);
    let PartnerOffer { connection, modules } = actor.offer_of(account.id).await?;
    let repository = connection.map(|connection| connection.repository);
    let is_there = is_partner || repository.is_some() || modules > 0;
    Ok(is_there.then(|| OfferView { is_partner, repository, modules: show::counted(modules, "module") }))
}

/// `POST /admin/accounts/{id}/withdraw`: disconnects a partner and takes the partner's modules off the catalogue.
pub(super) async fn withdraw(Path(id): Path<String>, form: Posted) -> Answer {
    form.session.actor.withdraw_offer_of(account_id(&id)?).await?;
    go(format!("/admin/accounts/{id}?notice=withdrawn"))
}

/// `POST /admin/accounts/{id}/roles`
pub(super) async fn roles(Path(id): Path<String>, form: Posted) -> Answer {
    form.session.actor.set_roles(account_id(&id)?, roles_of(&form.fields)?).await?;
    go(format!("/admin/accounts/{id}?notice=roles"))
}

/// `POST /admin/accounts/{id}/award`
pub(super) async fn award(Path(id): Path<String>, form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let account_id = account_id(&id)?;
    let typed = fields.text("credits");
    let awarded = match typed.parse::<Credits>() {
        Ok(credits) => session.actor.award(account_id, credits, fields.parsed("submission")?).await,
        Err(_) => Err(PlatformError::Invalid {
            field: "credits",
            reason: format!("{typed:?} is not a number of credits: write 100 or 12.5"),
        }),
    };
    match awarded {
        Ok(_) => go(format!("/admin/accounts/{id}?notice=awarded")),
        Err(refusal @ PlatformError::Invalid { .. }) => {
            let html = account(session, account_id, Some((typed, refusal.to_string()))).await?;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, html)
        }
        Err(error) => Err(error.into()),
    }
}

fn roles_of(fields: &Fields) -> Result<Roles, PageError> {
    let roles = fields.all("role").map(str::parse::<Role>);
    let roles: Result<Vec<_>, _> = roles.collect();
    let roles = roles.map_err(|error| PageError::BadRequest(error.to_string()))?;
    Ok(Roles::from(roles))
}

fn account_id(text: &str) -> Result<AccountId, PageError> {
    id_of(text, "account")
}
