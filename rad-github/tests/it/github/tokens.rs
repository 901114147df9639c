//! Tokens and Apps: what is missing is named, and nothing secret is shown.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use rad_core::access::Publisher;
use rad_core::id::AccountId;
use rad_core::repo::{RepoAccess, RepoError, RepoSource as _};
use rad_github::github::{AppInstallation, TokenKind};
use rustls_pki_types::PrivatePkcs1KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;

use super::failures::Hands;
use super::server::{Fault, Server, token};
use crate::tree;

/// A key that signs for nothing but these tests.
pub(super) const APP_KEY: &str = include_str!("app-key.pem");

#[tokio::test]
async fn a_token_is_checked_and_what_is_missing_is_named() {
    let server = Server::start().await;
    let owned = "octo/archived-readonly-owned";
    for name in ["octo/modules", "octo/readonly", "octo/archived-readonly", owned, "octo/hidden"] {
        server.put(name, "main", &tree(&[("a/main.tf", "")]));
    }
    let github = server.github();
    let check = async |token: &str, repository| github.check_token(&token.into(), repository).await;
    let report = check("ghp_good", Some("octo/modules")).await.unwrap();
    assert_eq!(report.login, "octo");
    assert_eq!(report.kind, TokenKind::Classic { scopes: vec!["repo".to_owned(), "workflow".to_owned()] });
    assert_eq!(report.expires_at, None);
    let report = check("github_pat_fine", Some("octo/modules")).await.unwrap();
    assert_eq!(report.kind, TokenKind::FineGrained);
    let expected: DateTime<chrono::Utc> = "2027-01-31T10:00:00Z".parse().unwrap();
    assert_eq!(report.expires_at, Some(expected));
    assert!(check("ghp_good", Some(owned)).await.is_ok(), "its owner only reads an archive");

    for (token, repository, named) in [
        ("ghp_revoked", None, "wrong, expired or revoked"),
        ("ghp_poor", None, "only read:org, gist and needs the scope repo"),
        ("ghp_none", None, "no scope and needs the scope repo"),
        ("ghp_good", Some("octo/readonly"), "may read it and not write"),
        ("ghp_good", Some("octo/archived-readonly"), "may read it and not write"),
        ("github_pat_fine", Some("octo/readonly"), "Contents: read and write"),
        ("github_pat_fine", Some("octo/hidden"), "repository access"),
        ("github_pat_metadata", Some("octo/modules"), "contents=read"),
        ("", None, "is empty"),
    ] {
        let refusal = check(token, repository).await.unwrap_err();
        let RepoError::Denied { missing } = &refusal else { panic!("{token}: {refusal:?}") };
        assert!(missing.contains(named), "{token}: {missing}");
        assert!(token.is_empty() || !format!("{refusal:?}").contains(token), "{refusal:?}");
    }
    let refusal = check("ghp_good", Some("octo/nope")).await.unwrap_err();
    assert!(matches!(refusal, RepoError::NotFound { .. }), "{refusal:?}");
}

fn app() -> AppInstallation {
    AppInstallation::new("Iv1.app", &APP_KEY.into(), 4711).unwrap()
}

#[tokio::test]
async fn an_app_speaks_where_no_token_is_given_and_renews_its_own() {
    let server = Server::start().await;
    let commit = server.put("octo/modules", "main", &tree(&[("a/main.tf", "")]));
    let hands = Hands::new();
    let github = server.builder().clock(hands.clone()).app(Publisher::Platform, app()).build().unwrap();
    let repo = RepoAccess { repository: "octo/modules", publisher: Publisher::Platform, credential: None };
    let (one, two) = tokio::join!(github.head(repo, Some("main")), github.head(repo, Some("main")));
    assert_eq!((one.unwrap().commit, two.unwrap().commit), (commit.clone(), commit.clone()));
    let made = || server.calls().iter().filter(|call| call.path.ends_with("/access_tokens")).count();
    assert_eq!(made(), 1, "one token for all who wait");
    let listed = github.repositories(Publisher::Platform, None).await.unwrap();
    assert_eq!(listed.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["octo/modules"]);
    assert!(github.tree(repo, &commit, "a").await.is_ok());
    assert_eq!(made(), 0);
    hands.advance(TimeDelta::minutes(56));
    github.head(repo, None).await.unwrap();
    assert_eq!(made(), 1, "a token is renewed before it lapses");

    server.fail("/branches/main", Fault::Answer(401, Vec::new(), "Bad credentials"));
    assert!(matches!(github.head(repo, Some("main")).await.unwrap_err(), RepoError::Denied { .. }));
    github.head(repo, Some("main")).await.unwrap();
    assert_eq!(made(), 1, "one that was refused is not used again");
    let refused = |part| server.fail(part, Fault::Answer(401, Vec::new(), "Bad credentials"));
    refused("/tarball/");
    assert!(github.tree(repo, &commit, "").await.is_err());
    refused("/installation/repositories");
    assert!(github.repositories(Publisher::Platform, None).await.is_err());
    refused("/contents/");
    assert!(github.file(repo, "main", "a/main.tf").await.is_err());
    refused("/git/refs");
    github.create_branch(repo, "other", &commit).await.unwrap_err();
    assert_eq!(made(), 3, "whatever it was refused for");
    github.head(repo, Some("main")).await.unwrap();
    assert_eq!(made(), 1);
    let own =
        RepoAccess { repository: "octo/modules", publisher: Publisher::Platform, credential: Some(&token()) };
    github.head(own, Some("main")).await.unwrap();
    let last = server.calls().pop().unwrap();
    assert_eq!(last.authorization.as_deref(), Some("Bearer ghp_good"), "a token that is given goes first");
    assert!(!format!("{github:?} {:?}", app()).contains("ghs_"), "no token is shown");
}

#[tokio::test]
async fn an_app_opens_for_the_publisher_it_was_given_to_and_nobody_else() {
    let server = Server::start().await;
    server.put("octo/modules", "main", &tree(&[("a/main.tf", "")]));
    let github = server.builder().app(Publisher::Platform, app()).build().unwrap();
    let of = |repository, publisher| RepoAccess { repository, publisher, credential: None };
    github.check_publishing(of("octo/modules", Publisher::Platform)).await.unwrap();
    let elsewhere = github.check_publishing(of("octo/elsewhere", Publisher::Platform)).await.unwrap_err();
    assert!(elsewhere.to_string().contains("none of the App's installation"), "{elsewhere}");
    server.calls();
    let partner = Publisher::Partner(AccountId::new());
    let refused = github.check_publishing(of("octo/modules", partner)).await.unwrap_err();
    assert!(refused.to_string().contains("only who may write"), "{refused}");
    assert!(matches!(github.repositories(partner, None).await.unwrap_err(), RepoError::Denied { .. }));
    github.head(of("octo/modules", partner), Some("main")).await.unwrap();
    let asked = server.calls();
    assert!(asked.iter().all(|call| call.authorization.is_none()), "the App is silent: {asked:?}");
}

#[tokio::test]
async fn what_a_token_may_only_read_is_not_published_from() {
    let server = Server::start().await;
    for name in ["octo/modules", "octo/readonly"] {
        server.put(name, "main", &tree(&[("a/main.tf", "")]));
    }
    let github = server.github();
    for token in ["ghp_good", "github_pat_fine"] {
        let token = SecretString::from(token);
        let of =
            |repository| RepoAccess { repository, publisher: Publisher::Platform, credential: Some(&token) };
        github.check_publishing(of("octo/modules")).await.unwrap();
        let refused = github.check_publishing(of("octo/readonly")).await.unwrap_err();
        assert!(matches!(refused, RepoError::Denied { .. }), "{refused:?}");
    }
}

#[test]
fn keys_of_apps_are_taken_as_github_and_others_write_them() {
    let new = |pem: &str| AppInstallation::new("Iv1.app", &SecretString::from(pem), 1).map(Arc::new);
    assert!(new(APP_KEY).is_ok());
    let der = PrivatePkcs1KeyDer::from_pem_slice(APP_KEY.as_bytes()).unwrap();
    let der = der.secret_pkcs1_der();
    // PrivateKeyInfo of RFC 5208 around it: version, rsaEncryption, the key as an octet string.
    let mut inner =
        b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82".to_vec();
    inner.extend(u16::try_from(der.len()).unwrap().to_be_bytes());
    inner.extend(der);
    let mut info = b"\x30\x82".to_vec();
    info.extend(u16::try_from(inner.len()).unwrap().to_be_bytes());
    info.extend(inner);
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, info);
    assert!(new(&format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")).is_ok());
    for wrong in ["", "no key", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
        assert!(new(wrong).unwrap_err().to_string().contains("RSA"), "{wrong:?}");
    }
}
