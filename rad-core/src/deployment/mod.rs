//! Deployments and their runs: the state machine, what is kept of each, and the store that keeps every step.

mod record;
mod state;
mod store;
mod version;

pub use record::{
    Deployment, LOG_CUT, LOG_LIMIT, Lease, LeaseNews, LogChunk, NewDeployment, NewRun, Plan, Run, RunReport,
    SecretValues, Settlement, Target,
};
pub use state::{DeploymentStatus, IllegalTransition, RunStatus, Transition, Wait};
pub use store::{DeploymentError, DeploymentQuery, DeploymentStore, LeaseLimits};
pub use version::{STATE_VERSIONS, StateOrigin, StateVersion, state_serial, with_serial};
