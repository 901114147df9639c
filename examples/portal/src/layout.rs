//! What every page has around it: navigation, balances, theme, notices, warnings.

use std::fmt;
use std::sync::LazyLock;

use rad_core::platform::{Actor, Capability, PlatformError};
use rad_core::runner::RunnerError;
use rad_core::source::Digest;

use crate::assets;
use crate::error::PageError;
use crate::session::Session;

/// Changes whenever a style or script does, so that browsers can keep them for ever.
pub(crate) static ASSET_VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<u8> = assets::ALL.iter().flat_map(|(_, _, text)| text.bytes()).collect();
    Digest::of(&all).to_string()[..12].to_owned()
});

/// Light, dark, or as the machine is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the machine is set.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The theme that a cookie or form names.
    pub(crate) fn of(text: Option<&str>) -> Self {
        match text {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::Auto,
        }
    }
}

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        })
    }
}

/// The sections of the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Choosing and deploying modules.
    Deploy,
    /// What was deployed.
    Deployments,
    /// Balances, buying, transactions.
    Credits,
    /// Refining modules with the code agent.
    Explore,
    /// Modules of one's own.
    Publish,
    /// Who earned what.
    Revenue,
    /// Accounts and awards.
    Admin,
    /// Settings of the platform.
    Settings,
    /// One's own account.
    Profile,
    /// What one was told; the bell at the top of each page leads there.
    Notices,
}

impl Section {
    /// Those of the navigation, in its order.
    const NAVIGATION: [Self; 9] = [
        Self::Deploy,
        Self::Deployments,
        Self::Credits,
        Self::Explore,
        Self::Publish,
        Self::Revenue,
        Self::Admin,
        Self::Settings,
        Self::Profile,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Deploy => "Deploy",
            Self::Deployments => "Deployments",
            Self::Credits => "Credits",
            Self::Explore => "Explore",
            Self::Publish => "Publish",
            Self::Revenue => "Revenue",
            Self::Admin => "Users",
            Self::Settings => "Settings",
            Self::Profile => "Profile",
            Self::Notices => "Notices",
        }
    }

    /// Its path.
    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Deploy => "/deploy",
            Self::Deployments => "/deployments",
            Self::Credits => "/credits",
            Self::Explore => "/explore",
            Self::Publish => "/publish",
            Self::Revenue => "/revenue",
            Self::Admin => "/admin/accounts",
            Self::Settings => "/admin/settings",
            Self::Profile => "/profile",
            Self::Notices => "/notices",
        }
    }

    /// Whether the section is about what one publishes.
    fn publishes(self) -> bool {
        matches!(self, Self::Profile | Self::Publish | Self::Explore)
    }

    /// The section with this path, if it is about what one publishes.
    pub(crate) fn publishing_at(path: &str) -> Option<Self> {
        Self::NAVIGATION.into_iter().find(|section| section.publishes() && section.href() == path)
    }

    /// Whether the section does nothing without tofu or terraform.
    fn needs_engine(self) -> bool {
        matches!(self, Self::Deploy | Self::Deployments)
    }
}

/// A link of the navigation.
#[derive(Debug, Clone)]
pub(crate) struct NavItem {
    /// Where it leads.
    pub(crate) href: &'static str,
    /// What it says.
    pub(crate) label: &'static str,
    /// The name of its icon, see [`crate::icons`].
    pub(crate) icon: &'static str,
    /// Whether the page is in this section.
    pub(crate) current: bool,
}

/// What every page of somebody signed in has around it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The title of the page.
    pub(crate) title: String,
    /// The links that the account can use.
    pub(crate) nav: Vec<NavItem>,
    /// The balances awarded and purchased; `None` where deployments cost nothing.
    pub(crate) balances: Option<(String, String)>,
    /// The account's e-mail.
    pub(crate) email: String,
    /// The account's name.
    pub(crate) name: String,
    /// How much the account was told that it has not seen.
    pub(crate) unseen: u64,
    /// On whose behalf one can publish, where there is a choice and the page depends on it: what a form says, what a person
    /// reads, whether it is chosen.
    pub(crate) publishers: Vec<(String, &'static str, bool)>,
    /// The path of the section.
    pub(crate) here: &'static str,
    /// The proof that forms carry.
    pub(crate) csrf: String,
    /// The theme.
    pub(crate) theme: Theme,
    /// What changes whenever a style or script does.
    pub(crate) assets: &'static str,
    /// What the last action did.
    pub(crate) notice: Option<&'static str>,
    /// Why nothing can be deployed, and the page to follow.
    pub(crate) warning: Option<EngineWarning>,
}

/// Why nothing can be deployed on this machine.
#[derive(Debug, Clone)]
pub(crate) struct EngineWarning {
    /// The sentence.
    pub(crate) message: String,
    /// The page that says how to install an engine, where that is the mend.
    pub(crate) install_page: Option<&'static str>,
}

impl Layout {
    /// The surroundings of a page of `session`.
    pub(crate) async fn of(
        session: &Session,
        title: &str,
        section: Section,
        notice: Option<&str>,
    ) -> Result<Self, PageError> {
        let actor = &session.actor;
        let balances = actor.balances().await?;
        let shown = visible(session, balances.enabled).await?;
        let warning = if section.needs_engine() {
            match actor.engine().await {
                Ok(_) => None,
                Err(PlatformError::Runner(error)) => Some(EngineWarning::of(&error)),
                Err(error) => return Err(error.into()),
            }
        } else {
            None
        };
        let nav = shown.into_iter().map(|item| NavItem {
            href: item.href(),
            label: item.label(),
            icon: item.label(),
            current: item == section,
        });
        let balance = balances.balance;
        Ok(Self {
            title: title.to_owned(),
            nav: nav.collect(),
            balances: balances.enabled.then(|| (balance.awarded.to_string(), balance.purchased.to_string())),
            email: actor.account().email.clone(),
            name: actor.account().name.clone(),
            unseen: actor.unseen_notices().await?,
            publishers: if section.publishes() { publishers(actor) } else { Vec::new() },
            here: section.href(),
            csrf: session.form_proof(),
            theme: session.theme,
            assets: &ASSET_VERSION,
            notice: notice.and_then(self::notice),
            warning,
        })
    }
}

impl EngineWarning {
    fn of(error: &RunnerError) -> Self {
        match error {
            RunnerError::NoEngine { install_page, .. } => Self {
                message: "No OpenTofu or Terraform was found on this machine: nothing can be deployed or destroyed \
                          until one is installed."
                    .to_owned(),
                install_page: Some(install_page),
            },
            error => Self { message: format!("Nothing can be deployed at the moment: {error}."), install_page: None },
        }
    }
}

/// On whose behalf the account can publish, where it has a choice.
fn publishers(actor: &Actor) -> Vec<(String, &'static str, bool)> {
    let all = actor.publishers();
    if all.len() < 2 {
        return Vec::new();
    }
    let chosen = actor.publishes_as().ok();
    let shown = all.into_iter().map(|publisher| {
        let label = if publisher.partner().is_none() { "The platform" } else { "Myself, as a partner" };
        (publisher.to_string(), label, Some(publisher) == chosen)
    });
    shown.collect()
}

/// The sections that the account can use.
async fn visible(session: &Session, credits: bool) -> Result<Vec<Section>, PageError> {
    let actor = &session.actor;
    let is_connected = actor.publishes_as().is_ok() && actor.connection().await?.is_some();
    let mut shown = Vec::new();
    for section in Section::NAVIGATION {
        let show = match section {
            Section::Deploy => actor.can(Capability::Deploy),
            Section::Deployments | Section::Profile | Section::Notices => true,
            Section::Credits => credits,
            Section::Explore => is_connected && actor.has_agent().await?,
            Section::Publish => is_connected,
            Section::Revenue => !actor.revenue_views().await?.is_empty(),
            Section::Admin => actor.can(Capability::SeeAccounts),
            Section::Settings => actor.can(Capability::ChangeCreditSettings),
        };
        if show {
            shown.push(section);
        }
    }
    Ok(shown)
}

/// What a page says after an action sent somebody there with `?notice=CODE`; unknown codes say nothing.
fn notice(code: &str) -> Option<&'static str> {
    Some(match code {
        "connected" => "The repository is connected. Choose what to publish.",
        "disconnected" => "The repository is disconnected, and its modules have left the catalogue.",
        "token" => "The token is saved. Choose a repository.",
        "key" => "The key is saved. The sparkles on your modules begin a conversation.",
        "key-forgotten" => "The key is forgotten.",
        "webhook-forgotten" => "Webhooks are no longer taken.",
        "forgotten" => "The token is forgotten. What is published stays so.",
        "group" => "The group is saved.",
        "group-removed" => "The group is removed.",
        "auto-on" => "What changes in the repository is published by itself from now on.",
        "auto-off" => "Publishing what changed is your decision from now on.",
        "published" => "The catalogue is as you wanted it.",
        "committed" => "The change is committed. Publish it when you like it.",
        "restored" => "The state is restored. The next run plans from it.",
        "awarded" => "The credits were awarded.",
        "created" => "The account was made.",
        "roles" => "The roles were changed.",
        "withdrawn" => "The repository is disconnected, and the partner's modules have left the catalogue.",
        "settings" => "The settings are in force from now on.",
        "deploying" => "The deployment is on its way.",
        "checking" => "The engine looks at what exists. Nothing is changed.",
        "deleting" => "The deployment is being destroyed.",
        "retrying" => "The run was queued again.",
        "updating" => {
            "The update is on its way. What it destroys or replaces is asked for before anything is changed."
        }
        "cancelling" => "The run is being stopped. Its state is kept.",
        "confirmed" => "The plan is confirmed. The run goes on.",
        "purging" => "The deployment is being purged.",
        "paid" => "Thank you: the payment came through.",
        _ => return None,
    })
}
