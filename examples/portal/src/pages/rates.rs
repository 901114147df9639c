//! The part of the settings page that gives partners rates of their own.

use std::collections::BTreeMap;

use rad_core::access::Role;
use rad_core::directory::AccountQuery;
use rad_core::id::{AccountId, ParseIdError};
use rad_core::money::{MoneyError, Rate};
use rad_core::platform::PlatformError;
use rad_core::settings::Settings;

use crate::error::PageError;
use crate::fields::Fields;
use crate::session::Session;

/// A partner, and the rate of their own as it is typed; empty where there is none.
pub(super) struct PartnerField {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) email: String,
    pub(super) text: String,
    pub(super) problem: Option<String>,
}

/// What the names of the fields for partners' own rates begin with; the id follows.
const RATE: &str = "rate.";

/// Partners listed at the most who have no rate of their own; those who have one are all listed.
const PARTNERS: usize = 1_000;

/// The rates that are typed in; a partner whose field is empty has none.
pub(super) fn read(fields: &Fields) -> Result<BTreeMap<AccountId, Rate>, PlatformError> {
    let mut rates = BTreeMap::new();
    for (name, text) in fields.iter() {
        let Some(id) = name.strip_prefix(RATE) else { continue };
        if bare(text).is_empty() {
            continue;
        }
        let invalid = |reason: String| PlatformError::Invalid { field: "partner_rates", reason };
        let partner = id.parse().map_err(|error: ParseIdError| invalid(error.to_string()))?;
        rates.insert(partner, bare(text).parse().map_err(|error: MoneyError| invalid(error.to_string()))?);
    }
    Ok(rates)
}

/// Every partner with a rate of their own, and others.
pub(super) async fn partner_fields(
    session: &Session,
    settings: &Settings,
    typed: Option<&Fields>,
) -> Result<Vec<PartnerField>, PageError> {
    let mut found = BTreeMap::new();
    let mut query =
        AccountQuery { role: Some(Role::Partner), limit: AccountQuery::MOST, ..AccountQuery::default() };
    while found.len() < PARTNERS {
        let page = session.actor.accounts(&query).await?;
        found.extend(page.items.into_iter().map(|account| (account.id, (account.name, account.email))));
        match page.next {
            None => break,
            next => query.after = next,
        }
    }
    for id in settings.partner_rates.keys().filter(|id| !found.contains_key(id)).copied().collect::<Vec<_>>()
    {
        let names = match session.actor.account_of(id).await {
            Ok(account) => (account.name, account.email),
            Err(PlatformError::NotFound { .. }) => (id.to_string(), "the account is gone".to_owned()),
            Err(error) => return Err(error.into()),
        };
        found.insert(id, names);
    }
    let agents = typed.and_then(|fields| bare(fields.text("agent_revenue_share")).parse::<Rate>().ok());
    let mut fields: Vec<_> = found
        .into_iter()
        .map(|(id, (label, email))| {
            let name = format!("{RATE}{id}");
            let kept = || settings.partner_rates.get(&id).map(|rate| rate.percent().to_string());
            let text =
                typed.map_or_else(|| kept().unwrap_or_default(), |fields| fields.text(&name).to_owned());
            let problem = typed.and_then(|_| rate_problem(&text, agents));
            PartnerField { name, label, email, text, problem }
        })
        .collect();
    fields.sort_by(|one, other| one.email.cmp(&other.email));
    Ok(fields)
}

/// A number without blanks and a percent sign around it.
pub(super) fn bare(text: &str) -> &str {
    text.trim().trim_end_matches('%').trim_end()
}

/// What is wrong with a partner's own rate, given the agents' share.
fn rate_problem(text: &str, agents: Option<Rate>) -> Option<String> {
    if bare(text).is_empty() {
        return None;
    }
    let rate = match bare(text).parse::<Rate>() {
        Ok(rate) => rate,
        Err(error) => return Some(error.to_string()),
    };
    let left = Rate::FULL.percent() - agents?.percent();
    (rate.percent() > left).then(|| format!("agents get the rest: at most {left} %"))
}
