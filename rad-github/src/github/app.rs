//! GitHub Apps: what signs for an App, and the tokens of its installations.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use rad_core::source::Digest;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::ask::{Ask, Who};
use super::failure::ApiError;
use super::transport::Transport;

/// For how long an App's own assertion is good: GitHub takes 10 minutes at the most.
const ASSERTED: TimeDelta = TimeDelta::minutes(9);
/// GitHub's clock may be behind ours by so much.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// A token is renewed so long before it lapses.
const RENEWED_BEFORE: TimeDelta = TimeDelta::minutes(5);

/// A GitHub App, installed for one organisation or person. It opens every repository of the installation, so that a
/// [`GitHub`](super::GitHub) lets it speak for one publisher alone: for the platform, say, whose repositories they are.
///
/// ```no_run
/// use rad_core::access::Publisher;
/// use rad_github::github::{AppInstallation, GitHub};
/// use secrecy::SecretString;
///
/// # async fn example(pem: SecretString) -> Result<(), Box<dyn std::error::Error>> {
/// let app = AppInstallation::new("Iv1.0123456789abcdef", &pem, 4_711)?;
/// let source = GitHub::builder().app(Publisher::Platform, app).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AppInstallation {
    app: String,
    key: Arc<RsaKeyPair>,
    installation: u64,
}

impl AppInstallation {
    /// The App with this client id (or number), the private key that GitHub made for it (PEM), and the number of the
    /// installation, which is in the address of the page that configures it.
    ///
    /// # Errors
    /// [`AppKeyError`] unless the key is an RSA private key of 2,048 bits or more.
    pub fn new(app: impl Into<String>, key: &SecretString, installation: u64) -> Result<Self, AppKeyError> {
        let pem = key.expose_secret().as_bytes();
        let key = match PrivatePkcs1KeyDer::from_pem_slice(pem) {
            Ok(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            Err(_) => {
                let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| AppKeyError)?;
                RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
            }
        };
        Ok(Self { app: app.into(), key: Arc::new(key.map_err(|_| AppKeyError)?), installation })
    }

    /// The App's assertion about itself: a JWT (RFC 7519) signed with RS256.
    fn assertion(&self, now: DateTime<Utc>) -> Result<SecretString, ApiError> {
        let claims = json!({
            "iat": (now - SKEW).timestamp(),
            "exp": (now + ASSERTED).timestamp(),
            "iss": self.app,
        });
        let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| ApiError::Unreadable("the App's key does not sign".into()))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

impl fmt::Debug for AppInstallation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppInstallation")
            .field("app", &self.app)
            .field("installation", &self.installation)
            .finish_non_exhaustive()
    }
}

/// A key that no App can sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the App's private key is not an RSA key of 2,048 bits or more in PEM: use the file that GitHub let you download"
)]
pub struct AppKeyError;

/// An installation and its token, renewed when need be.
#[derive(Debug)]
pub(super) struct Installed {
    app: AppInstallation,
    id: Digest,
    token: Mutex<Option<InstallationToken>>,
}

#[derive(Debug, Clone, Deserialize)]
struct InstallationToken {
    #[serde(deserialize_with = "secret")]
    token: SecretString,
    expires_at: DateTime<Utc>,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl Installed {
    pub(super) fn new(app: AppInstallation) -> Self {
        let id = Digest::of(format!("installation {} of {}", app.installation, app.app).as_bytes());
        Self { app, id, token: Mutex::default() }
    }

    /// Who asks in the name of the installation; several callers at once wait for one token.
    pub(super) async fn who(&self, transport: &Transport) -> Result<Who, ApiError> {
        let now = transport.now();
        let mut kept = self.token.lock().await;
        let token = match kept.as_ref().filter(|token| now + RENEWED_BEFORE < token.expires_at) {
            Some(token) => token.clone(),
            None => {
                let assertion = self.app.assertion(now)?;
                let path = format!("/app/installations/{}/access_tokens", self.app.installation);
                // A token made twice lapses unused.
                let ask = Ask::write(Method::POST, path, &json!({}))?.repeatable();
                let who = Who::renewed(assertion, Digest::of(self.app.app.as_bytes()));
                let made: InstallationToken = transport.ask(&who, &ask).await?.json()?;
                kept.insert(made).clone()
            }
        };
        Ok(Who::renewed(token.token, self.id))
    }

    /// Whether it is the installation that asked.
    pub(super) fn speaks_as(&self, who: &Who) -> bool {
        who.id == self.id
    }

    /// Forgets a token that GitHub no longer takes.
    pub(super) async fn renew(&self) {
        *self.token.lock().await = None;
    }
}
