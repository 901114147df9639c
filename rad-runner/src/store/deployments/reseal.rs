//! Sealing everything anew, so that an old key can be put away.

use rad_core::error::BackendError;
use rad_core::id::DeploymentId;
use rad_sql::sql;

use super::lifecycle::secrets_place;
use super::reports::outputs_place;
use super::states;
use super::{KEY_PROBE, SqlDeployments};

/// Something sealed: how it is read, how it is replaced if nobody wrote it meanwhile, and what it is sealed for.
type Kind = (&'static str, &'static str, fn(DeploymentId) -> String);

/// Those of runs before those of deployments: an apply copies them, as they are sealed, from the one to the other.
const KINDS: [Kind; 4] = [
    (
        "SELECT deployment, secrets AS sealed FROM run_targets",
        "UPDATE run_targets SET secrets = $1 WHERE deployment = $2 AND secrets = $3",
        secrets_place,
    ),
    (
        "SELECT id AS deployment, secrets AS sealed FROM deployments",
        "UPDATE deployments SET secrets = $1 WHERE id = $2 AND secrets = $3",
        secrets_place,
    ),
    (
        "SELECT id AS deployment, outputs AS sealed FROM deployments WHERE outputs IS NOT NULL",
        "UPDATE deployments SET outputs = $1 WHERE id = $2 AND outputs = $3",
        outputs_place,
    ),
    (
        "SELECT deployment, sealed FROM deployment_states",
        "UPDATE deployment_states SET sealed = $1 WHERE deployment = $2 AND sealed = $3",
        states::place,
    ),
];

impl SqlDeployments {
    /// Seals what older keys sealed with the first key of the ring, and tells how much that was. Afterwards the older keys
    /// can be put away.
    ///
    /// Others may read and write meanwhile. Where it fails midway, doing it again goes on.
    ///
    /// # Errors
    /// [`Corrupt`](rad_core::error::FailureKind::Corrupt) for what no key of the ring opens, or a failure of the database.
    pub async fn reseal(&self) -> Result<u64, BackendError> {
        let mut sealed_anew = 0;
        for (select, update, place) in KINDS {
            for row in sql(select).rows(&self.database, "reading what is sealed").await? {
                let (deployment, old): (DeploymentId, Vec<u8>) = (row.get("deployment")?, row.get("sealed")?);
                let Some(new) = self.key.resealed(&place(deployment), &old)? else { continue };
                // A worker that wrote meanwhile sealed with the first key already.
                let update = sql(update).bind(new).bind(deployment).bind(old);
                sealed_anew += update.execute(&self.database, "sealing anew").await?;
            }
        }
        // Last, because it stands for all the others.
        let probe = self.key.seal(KEY_PROBE, KEY_PROBE.as_bytes())?;
        let update = sql("UPDATE runner_key SET sealed = $1").bind(probe);
        update.execute(&self.database, "keeping the proof of the key").await?;
        Ok(sealed_anew)
    }
}
