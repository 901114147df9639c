//! `/admin/settings`: shares, prices and switches of the platform.

use std::fmt::Display;
use std::str::FromStr;

use askama::Template;
use axum::http::StatusCode;
use rad_core::platform::{Capability, PlatformError};
use rad_core::settings::{Settings, SettingsError, VersionedSettings};

use super::rates::{self, PartnerField};
use super::{Answer, go, page, page_with};
use crate::error::PageError;
use crate::fields::Fields;
use crate::layout::{Layout, Section};
use crate::session::{Posted, Session};
use crate::show;

#[derive(Template)]
#[template(path = "pages/settings.html")]
struct SettingsPage {
    layout: Layout,
    version: u32,
    since: Option<String>,
    sees_isolation: bool,
    problem: Option<String>,
    texts: [TextField; 5],
    partners: Vec<PartnerField>,
    switches: [(&'static str, &'static str, bool); 8],
}

struct TextField {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    text: String,
    problem: Option<String>,
}

/// The settings that are typed: name, label, help.
const TEXTS: [(&str, &str, &str); 5] = [
    (
        "partner_revenue_share",
        "Partner share, %",
        "Of the true revenue of a partner's modules. Partners can have a rate of their own below.",
    ),
    ("agent_revenue_share", "Agent share, %", "Of the true revenue from users an agent referred."),
    ("credits_per_unit", "Credits for one unit of the currency", "Fixed after the first purchase."),
    ("currency", "Currency", "ISO 4217, such as USD. Fixed after the first purchase."),
    ("signup_credits", "Credits at sign-up", "Awarded to every new account: 0 to 100 000."),
];

/// The settings that are switched: name, label.
const SWITCHES: [(&str, &str); 8] = [
    ("enable_credits", "Deployments cost credits"),
    ("enable_purchases", "Credits can be bought"),
    ("own_modules_free", "Partners deploy their own modules free"),
    ("allowance_earns_revenue", "Credits of allowances earn revenue"),
    ("revenue_at_price", "Purchased credits earn their price, not what was paid for them"),
    ("partner_revenue_page", "Partners have the revenue page"),
    ("agent_revenue_page", "Agents have the revenue page"),
    ("private_mode", "Private mode: one organisation's own installation"),
];

/// `GET /admin/settings`
pub(super) async fn show(session: Session) -> Answer {
    let current = session.actor.platform_settings().await?;
    page(view(&session, &current, None).await?)
}

/// `POST /admin/settings`
pub(super) async fn change(form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let current = session.actor.platform_settings().await?;
    let expected = fields.parsed("version")?;
    let refusal = match read(fields) {
        Ok(settings) => match session.actor.change_settings(expected, &settings).await {
            Ok(_) => return go("/admin/settings?notice=settings"),
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    let status = match refusal {
        PlatformError::Settings(SettingsError::Stale { .. }) => StatusCode::CONFLICT,
        PlatformError::Invalid { .. } | PlatformError::Settings(SettingsError::Invalid { .. }) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        other => return Err(other.into()),
    };
    let html = view(session, &current, Some((fields, &refusal))).await?;
    page_with(status, html)
}

fn read(fields: &Fields) -> Result<Settings, PlatformError> {
    Ok(Settings {
        currency: parse(fields, "currency")?,
        credits_per_unit: parse(fields, "credits_per_unit")?,
        signup_credits: parse(fields, "signup_credits")?,
        partner_revenue_share: parse(fields, "partner_revenue_share")?,
        partner_rates: rates::read(fields)?,
        agent_revenue_share: parse(fields, "agent_revenue_share")?,
        enable_credits: fields.is_on("enable_credits"),
        enable_purchases: fields.is_on("enable_purchases"),
        own_modules_free: fields.is_on("own_modules_free"),
        allowance_earns_revenue: fields.is_on("allowance_earns_revenue"),
        revenue_at_price: fields.is_on("revenue_at_price"),
        partner_revenue_page: fields.is_on("partner_revenue_page"),
        agent_revenue_page: fields.is_on("agent_revenue_page"),
        private_mode: fields.is_on("private_mode"),
    })
}

fn parse<T: FromStr<Err: Display>>(fields: &Fields, field: &'static str) -> Result<T, PlatformError> {
    let text = rates::bare(fields.text(field));
    text.parse().map_err(|error: T::Err| PlatformError::Invalid { field, reason: error.to_string() })
}

async fn view(
    session: &Session,
    current: &VersionedSettings,
    refused: Option<(&Fields, &PlatformError)>,
) -> Result<SettingsPage, PageError> {
    let settings = &current.settings;
    let wrong = match refused {
        Some((_, PlatformError::Invalid { field, .. })) => Some(*field),
        Some((_, PlatformError::Settings(SettingsError::Invalid { field, .. }))) => Some(*field),
        _ => None,
    };
    let texts = TEXTS.map(|(name, label, help)| TextField {
        name,
        label,
        help,
        text: refused.map_or_else(|| text_of(settings, name), |(fields, _)| fields.text(name).to_owned()),
        problem: refused.filter(|_| wrong == Some(name)).map(|(_, error)| error.to_string()),
    });
    let switches = SWITCHES.map(|(name, label)| {
        (name, label, refused.map_or_else(|| is_on(settings, name), |(fields, _)| fields.is_on(name)))
    });
    let partners = rates::partner_fields(session, settings, refused.map(|(fields, _)| fields)).await?;
    // A rate that is wrong is told beside it.
    let told = texts.iter().any(|field| field.problem.is_some())
        || partners.iter().any(|field| field.problem.is_some());
    Ok(SettingsPage {
        layout: session.layout("Settings", Section::Settings).await?,
        version: current.version,
        since: current.since.map(show::time),
        sees_isolation: session.actor.can(Capability::ChangeAllSettings),
        problem: refused.filter(|_| !told).map(|(_, error)| error.to_string()),
        texts,
        partners,
        switches,
    })
}

fn text_of(settings: &Settings, name: &str) -> String {
    match name {
        "partner_revenue_share" => settings.partner_revenue_share.percent().normalize().to_string(),
        "agent_revenue_share" => settings.agent_revenue_share.percent().normalize().to_string(),
        "credits_per_unit" => settings.credits_per_unit.to_string(),
        "currency" => settings.currency.to_string(),
        _ => settings.signup_credits.to_string(),
    }
}

fn is_on(settings: &Settings, name: &str) -> bool {
    match name {
        "enable_credits" => settings.enable_credits,
        "enable_purchases" => settings.enable_purchases,
        "own_modules_free" => settings.own_modules_free,
        "allowance_earns_revenue" => settings.allowance_earns_revenue,
        "revenue_at_price" => settings.revenue_at_price,
        "partner_revenue_page" => settings.partner_revenue_page,
        "agent_revenue_page" => settings.agent_revenue_page,
        _ => settings.private_mode,
    }
}
