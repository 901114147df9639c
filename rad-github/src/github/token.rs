//! Whether a token can do what publishing needs, said before anything depends on it.

use chrono::{DateTime, Utc};
use http::StatusCode;
use rad_core::repo::{RepoAccess, RepoError};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::ask::{Answer, Ask};
use super::name::RepoName;
use super::source::{At, GitHub, with};

/// The scope that a classic token needs.
const NEEDED_SCOPE: &str = "repo";

/// What GitHub says about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenReport {
    /// Whose it is.
    pub login: String,
    /// What it is.
    pub kind: TokenKind,
    /// When it expires, where it does.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A kind of token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// Good for all repositories of its owner, within scopes.
    Classic {
        /// The scopes.
        scopes: Vec<String>,
    },
    /// Good for chosen repositories, with chosen permissions.
    FineGrained,
}

#[derive(Deserialize)]
struct WireUser {
    login: String,
}

impl GitHub {
    /// Checks that a token is accepted, and may read and write: a classic one by its scopes, any by what it may do with
    /// `repository`, where one is given.
    ///
    /// # Errors
    /// [`Denied`](RepoError::Denied), which names what is missing.
    pub async fn check_token(
        &self,
        token: &SecretString,
        repository: Option<&str>,
    ) -> Result<TokenReport, RepoError> {
        let who = with(token)?;
        let answer = self.asked(&who, &Ask::get("/user")).await.map_err(|e| e.about("the account"))?;
        let user: WireUser = answer.json().map_err(|e| e.about("the account"))?;
        let kind = kind(&answer, token);
        if let TokenKind::Classic { scopes } = &kind
            && !scopes.iter().any(|scope| scope == NEEDED_SCOPE)
        {
            return Err(missing_scope(scopes));
        }
        if let Some(repository) = repository {
            self.check_repository(&At { who, name: RepoName::parse(repository)? }, &kind).await?;
        }
        let expires_at = answer.header("github-authentication-token-expiration").and_then(expiry);
        Ok(TokenReport { login: user.login, kind, expires_at })
    }

    /// Checks that a repository is one of the installation that speaks for a publisher without a token.
    pub(super) async fn check_installation(&self, repo: RepoAccess<'_>) -> Result<(), RepoError> {
        let repository = repo.repository;
        let missing = |what: &str| RepoError::Denied { missing: format!("{repository}: {what}") };
        let at = self.at(repo).await?;
        if at.who.is_anonymous() {
            return Err(missing("only who may write to it publishes from it; save a token that may"));
        }
        let mut pages = self.repository_pages(repo.publisher, None).await?;
        while let Some(page) = pages.next().await? {
            if page.iter().any(|found| found.repository.name.eq_ignore_ascii_case(repository)) {
                return Ok(());
            }
        }
        Err(missing("it is none of the App's installation; add it there, on GitHub"))
    }

    /// Checks what a token may do with a repository.
    async fn check_repository(&self, at: &At<'_>, kind: &TokenKind) -> Result<(), RepoError> {
        let repository = at.name.full;
        let missing = |what: &str| RepoError::Denied { missing: format!("{repository}: {what}") };
        let found = self.described(at).await;
        let found = found.map_err(|error| match (&error, kind) {
            (RepoError::NotFound { .. }, TokenKind::FineGrained) => missing(
                "the token does not show it; add it to the token's repository access, with Contents: read and write",
            ),
            _ => error,
        })?;
        // A fine-grained token shows a repository with Metadata alone; only reading tells whether it may read.
        let probe = Ask::get(at.path("/branches?per_page=1"));
        match self.asked(&at.who, &probe).await {
            Err(error) if error.is(StatusCode::NOT_FOUND) => {
                return Err(missing("the token may not read its contents; give it Contents: read and write"));
            }
            other => other.map_err(|e| e.about(repository))?,
        };
        // Who owns an archive may no longer write to it.
        let is_own = found.permissions.push || (found.repository.archived && found.permissions.admin);
        match (is_own, kind) {
            (true, _) => Ok(()),
            (false, TokenKind::Classic { .. }) => Err(missing(
                "the token's owner may read it and not write; ask for the role Write, or choose another repository",
            )),
            (false, _) => Err(missing("the token may not write; give it Contents: read and write")),
        }
    }
}

fn kind(answer: &Answer, token: &SecretString) -> TokenKind {
    // Only classic tokens have scopes; those without any have an empty list of them.
    match answer.header("x-oauth-scopes") {
        Some(scopes) if !token.expose_secret().trim().starts_with("github_pat_") => {
            let scopes = scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty());
            TokenKind::Classic { scopes: scopes.map(str::to_owned).collect() }
        }
        _ => TokenKind::FineGrained,
    }
}

fn missing_scope(scopes: &[String]) -> RepoError {
    let has = if scopes.is_empty() { "no scope".to_owned() } else { format!("only {}", scopes.join(", ")) };
    let missing = format!(
        "the classic token has {has} and needs the scope {NEEDED_SCOPE}: tick it where the token was made"
    );
    RepoError::Denied { missing }
}

/// `2026-03-01 10:00:00 UTC`, or with an offset.
fn expiry(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().replace("UTC", "+0000");
    DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S %z").ok().map(|at| at.to_utc())
}
