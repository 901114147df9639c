//! Tokens and keys of publishers, sealed, in a SQLite file.

use async_trait::async_trait;
use rad_core::access::Publisher;
use rad_core::credential::{CredentialKind, CredentialStore};
use rad_core::error::BackendError;
use rad_core::seal::Keyring;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::sqlite::SqlitePool;

use crate::catalog::publisher_key;
use crate::sqlite::failed;

/// A [`CredentialStore`] in a SQLite file; the keys that open it are not in the file.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rad_core::access::Publisher;
/// use rad_core::credential::{CredentialKind, CredentialStore as _};
/// use rad_core::seal::Keyring;
/// use rad_github::SqliteCredentials;
///
/// # let directory = tempfile::tempdir()?;
/// # let (path, key) = (directory.path().join("rad.db"), directory.path().join("rad.key"));
/// let store = SqliteCredentials::new(rad_github::open(&path).await?, Keyring::from_file(&key)?);
/// store.set_credential(Publisher::Platform, CredentialKind::Repository, Some(&"ghp_…".into())).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteCredentials {
    pool: SqlitePool,
    keys: Keyring,
}

impl SqliteCredentials {
    /// The credentials in a database that [`open`](crate::sqlite::open) opened or [`migrate`](crate::sqlite::migrate)
    /// prepared.
    pub fn new(pool: SqlitePool, keys: Keyring) -> Self {
        Self { pool, keys }
    }

    /// Seals what older keys sealed with the first key of the ring, and tells how much that was. Afterwards the older keys
    /// can be put away.
    ///
    /// # Errors
    /// [`Corrupt`](rad_core::error::FailureKind::Corrupt) for what no key opens, or a failure of the database.
    pub async fn reseal(&self) -> Result<u64, BackendError> {
        let rows: Vec<(Vec<u8>, String, Vec<u8>)> =
            sqlx::query_as("SELECT publisher, kind, sealed FROM catalog_credentials")
                .fetch_all(&self.pool)
                .await
                .map_err(failed("reading credentials"))?;
        let mut sealed_anew = 0;
        for (publisher, kind, old) in rows {
            if self.keys.is_current(&old) {
                continue;
            }
            let place = place(&publisher, &kind);
            let new = self.keys.seal(&place, &self.keys.unseal(&place, &old)?)?;
            // One that was saved meanwhile is sealed with the first key already.
            let update =
                "UPDATE catalog_credentials SET sealed = ? WHERE publisher = ? AND kind = ? AND sealed = ?";
            let update = sqlx::query(update).bind(new).bind(publisher).bind(kind).bind(old);
            let done = update.execute(&self.pool).await.map_err(failed("sealing credentials anew"))?;
            sealed_anew += done.rows_affected();
        }
        Ok(sealed_anew)
    }
}

#[async_trait]
impl CredentialStore for SqliteCredentials {
    async fn credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
    ) -> Result<Option<SecretString>, BackendError> {
        let publisher = publisher_key(publisher);
        let select = "SELECT sealed FROM catalog_credentials WHERE publisher = ? AND kind = ?";
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(select)
            .bind(&publisher)
            .bind(kind.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a credential"))?;
        let Some(sealed) = sealed else { return Ok(None) };
        let plain = self.keys.unseal(&place(&publisher, kind.as_str()), &sealed)?;
        let text = String::from_utf8(plain)
            .map_err(|_| BackendError::corrupt("reading a credential", "it is no text"))?;
        Ok(Some(text.into()))
    }

    async fn set_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        credential: Option<&SecretString>,
    ) -> Result<(), BackendError> {
        let (publisher, kind) = (publisher_key(publisher), kind.as_str());
        let query = match credential {
            Some(credential) => {
                let sealed =
                    self.keys.seal(&place(&publisher, kind), credential.expose_secret().as_bytes())?;
                sqlx::query(
                    "INSERT INTO catalog_credentials (publisher, kind, sealed) VALUES (?, ?, ?)
                     ON CONFLICT (publisher, kind) DO UPDATE SET sealed = excluded.sealed",
                )
                .bind(publisher)
                .bind(kind)
                .bind(sealed)
            }
            None => sqlx::query("DELETE FROM catalog_credentials WHERE publisher = ? AND kind = ?")
                .bind(publisher)
                .bind(kind),
        };
        query.execute(&self.pool).await.map_err(failed("saving a credential"))?;
        Ok(())
    }
}

/// What a credential is sealed for, so that one publisher's does not serve another.
fn place(publisher: &[u8], kind: &str) -> String {
    let publisher: String = publisher.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("credential:{publisher}:{kind}")
}
