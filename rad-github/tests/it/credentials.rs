//! Tokens at rest: apart, unreadable in the file, and sealed anew when keys change.

use std::path::Path;

use rad_core::access::Publisher;
use rad_core::conformance::credential;
use rad_core::credential::{CredentialKind, CredentialStore as _};
use rad_core::error::FailureKind;
use rad_core::id::AccountId;
use rad_core::seal::Keyring;
use rad_github::{SqliteCredentials, open};
use secrecy::ExposeSecret as _;

const KIND: CredentialKind = CredentialKind::Repository;

async fn store(directory: &Path, keys: &Keyring) -> SqliteCredentials {
    SqliteCredentials::new(open(&directory.join("rad.db")).await.unwrap(), keys.clone())
}

async fn read(store: &SqliteCredentials, publisher: Publisher) -> Result<Option<String>, FailureKind> {
    let read = store.credential(publisher, KIND).await;
    read.map(|found| found.map(|secret| secret.expose_secret().to_owned())).map_err(|error| error.kind())
}

#[tokio::test]
async fn credentials_keep_the_contract_and_are_not_readable_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), &Keyring::generate()).await;
    credential::keeps_credentials_apart(&store).await;
    store.set_credential(Publisher::Platform, KIND, Some(&"ghp_at_rest".into())).await.unwrap();
    let mut stored = Vec::new();
    for file in std::fs::read_dir(directory.path()).unwrap().flatten() {
        stored.extend(std::fs::read(file.path()).unwrap());
    }
    for secret in ["ghp_at_rest", "sécret"] {
        let found = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is readable in the database file");
    }
}

#[tokio::test]
async fn keys_change_without_losing_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (Keyring::generate(), Keyring::generate());
    let (platform, partner) = (Publisher::Platform, Publisher::Partner(AccountId::new()));
    let before = store(directory.path(), &old).await;
    before.set_credential(platform, KIND, Some(&"one".into())).await.unwrap();
    before.set_credential(partner, KIND, Some(&"two".into())).await.unwrap();
    assert_eq!(before.reseal().await.unwrap(), 0);

    let without = store(directory.path(), &new).await;
    assert_eq!(read(&without, platform).await, Err(FailureKind::Corrupt), "the new key alone opens nothing");
    assert_eq!(without.reseal().await.unwrap_err().kind(), FailureKind::Corrupt);
    let both = store(directory.path(), &new.clone().and(old)).await;
    assert_eq!(read(&both, partner).await.unwrap().as_deref(), Some("two"));
    both.set_credential(platform, KIND, Some(&"three".into())).await.unwrap();
    assert_eq!(both.reseal().await.unwrap(), 1, "what was saved since is sealed with the new key");
    assert_eq!(read(&without, platform).await.unwrap().as_deref(), Some("three"));
    assert_eq!(read(&without, partner).await.unwrap().as_deref(), Some("two"));
}

#[tokio::test]
async fn a_sealed_token_does_not_serve_another() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), &Keyring::generate()).await;
    let (mine, theirs) = (Publisher::Partner(AccountId::new()), Publisher::Partner(AccountId::new()));
    store.set_credential(mine, KIND, Some(&"mine".into())).await.unwrap();
    store.set_credential(theirs, KIND, Some(&"theirs".into())).await.unwrap();
    let pool = open(&directory.path().join("rad.db")).await.unwrap();
    let moved = "UPDATE catalog_credentials SET sealed = (SELECT sealed FROM catalog_credentials ORDER BY publisher LIMIT 1)";
    sqlx::query(moved).execute(&pool).await.unwrap();
    let read = (read(&store, mine).await, read(&store, theirs).await);
    let refused = [&read.0, &read.1].into_iter().filter(|read| **read == Err(FailureKind::Corrupt)).count();
    assert_eq!(refused, 1, "{read:?}");
}
