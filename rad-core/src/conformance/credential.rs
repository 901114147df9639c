//! The contract of [`CredentialStore`].

use secrecy::{ExposeSecret as _, SecretString};

use super::{must, side_by_side};
use crate::access::Publisher;
use crate::credential::{CredentialKind, CredentialStore};
use crate::id::AccountId;

/// Credentials are kept apart by publisher and kind, replaced and removed.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_credentials_apart(store: &dyn CredentialStore) {
    let publishers = [Publisher::Partner(AccountId::new()), Publisher::Partner(AccountId::new())];
    let kinds = [CredentialKind::Repository, CredentialKind::Agent, CredentialKind::Webhook];
    let all = || publishers.into_iter().flat_map(|publisher| kinds.map(|kind| (publisher, kind)));
    for (publisher, kind) in all() {
        assert_eq!(read(store, publisher, kind).await, None, "there is none at first");
    }
    for (number, (publisher, kind)) in all().enumerate() {
        let secret = SecretString::from(format!("sécret-{number}"));
        must("a credential is saved", store.set_credential(publisher, kind, Some(&secret)).await);
    }
    for (number, (publisher, kind)) in all().enumerate() {
        let expected = Some(format!("sécret-{number}"));
        assert_eq!(read(store, publisher, kind).await, expected, "each publisher and kind has its own");
    }
    let (publisher, kind) = (publishers[0], kinds[0]);
    let other = SecretString::from("another");
    must("a credential is replaced", store.set_credential(publisher, kind, Some(&other)).await);
    assert_eq!(read(store, publisher, kind).await.as_deref(), Some("another"), "the last one counts");
    for _ in 0..2 {
        must("removing is repeatable", store.set_credential(publisher, kind, None).await);
        assert_eq!(read(store, publisher, kind).await, None, "a removed one is gone");
    }
    assert!(read(store, publishers[1], kind).await.is_some(), "and the others stay");
    assert!(!format!("{store:?}").contains("sécret"), "nothing secret is shown");
}

/// A credential is replaced while it is the one that it is taken for, and by one of those who try.
///
/// # Panics
/// If the contract is broken.
pub async fn replaces_what_did_not_change(store: &dyn CredentialStore) {
    let (publisher, kind) = (Publisher::Partner(AccountId::new()), CredentialKind::Webhook);
    let mut before = None;
    for round in 0..5 {
        let secrets: Vec<SecretString> =
            (0..6).map(|number| format!("sécret-{round}-{number}").into()).collect();
        let replaced =
            secrets.iter().map(|new| store.replace_credential(publisher, kind, before.as_ref(), new));
        let replaced = side_by_side(replaced).await;
        let replaced = replaced.into_iter().map(|done| must("a credential is replaced", done));
        let winners: Vec<&str> = secrets
            .iter()
            .zip(replaced)
            .filter_map(|(secret, done)| done.then_some(secret.expose_secret()))
            .collect();
        assert_eq!(winners.len(), 1, "one replaces it in round {round}: {winners:?}");
        let there = read(store, publisher, kind).await;
        assert_eq!(there.as_deref(), winners.first().copied(), "what is there is the winner's");
        before = there.map(SecretString::from);
    }
    let (other, new) = (SecretString::from("another"), &SecretString::from("new"));
    for wrong in [None, Some(&other)] {
        let replaced = must("nothing fails", store.replace_credential(publisher, kind, wrong, new).await);
        assert!(!replaced, "it is another one than was thought");
    }
    must("a credential is removed", store.set_credential(publisher, kind, None).await);
    let replaced = store.replace_credential(publisher, kind, before.as_ref(), new).await;
    assert!(!must("nothing fails", replaced), "it is not there any more");
    assert_eq!(read(store, publisher, kind).await, None, "and does not come back");
}

async fn read(store: &dyn CredentialStore, publisher: Publisher, kind: CredentialKind) -> Option<String> {
    let read = must("a credential can be read", store.credential(publisher, kind).await);
    read.map(|secret| secret.expose_secret().to_owned())
}
