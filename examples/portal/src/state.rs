//! What request handlers share.

use std::sync::Arc;

use axum::Router;
use rad_billing::SandboxPayments;
use rad_core::platform::Platform;
use rad_runner::terraform::TerraformRunner;
use tokio::sync::watch;

use crate::config::Runs;
use crate::sign_in::SignIn;

/// What request handlers share; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Parts>);

/// The parts of [`App`].
#[derive(Debug)]
pub(crate) struct Parts {
    /// The use cases.
    pub(crate) platform: Platform,
    /// Sessions and passwords.
    pub(crate) sign_in: SignIn,
    /// The sandbox that stands in for payment providers, where none is set up.
    pub(crate) sandbox: Option<Arc<SandboxPayments>>,
    /// The routes that payment providers call; the sandbox's page delivers through them too.
    pub(crate) webhooks: Router,
    /// Whether repositories on GitHub can be connected.
    pub(crate) github: bool,
    /// The engine on this machine, unless a cluster does the runs.
    pub(crate) engine: Option<Arc<TerraformRunner>>,
    /// Whether this process carries runs out itself.
    pub(crate) works: bool,
    /// How runs are set up.
    pub(crate) runs: Runs,
    /// Where people reach the portal, without a slash at the end.
    pub(crate) base_url: String,
    /// Turns true when the portal closes, so that endless responses end.
    pub(crate) closing: watch::Receiver<bool>,
}

impl App {
    /// Shares `parts`.
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether cookies may travel over https only.
    pub(crate) fn is_secure(&self) -> bool {
        self.base_url.starts_with("https://")
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
