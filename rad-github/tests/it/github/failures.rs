//! What goes wrong on the way: limits are heeded, what passes is tried again, and nothing hangs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rad_core::access::Publisher;
use rad_core::clock::Clock;
use rad_core::error::FailureKind;
use rad_core::repo::{RepoError, RepoSource as _};
use rad_github::github::{GitHub, Patience};
use secrecy::SecretString;

use super::reading::access;
use super::server::{Fault, Server, token};
use crate::{time, tree};

/// A clock that a test moves.
#[derive(Debug)]
pub(super) struct Hands(Mutex<DateTime<Utc>>);

impl Hands {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(time())))
    }

    pub(super) fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Hands {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

async fn with_modules() -> Server {
    let server = Server::start().await;
    server.put("octo/modules", "main", &tree(&[("a/main.tf", "1")]));
    server
}

async fn head(github: &GitHub, token: &SecretString) -> Result<rad_core::repo::Head, RepoError> {
    github.head(access("octo/modules", token), Some("main")).await
}

fn answer(status: u16, headers: &[(&'static str, &str)], message: &'static str) -> Fault {
    Fault::Answer(status, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), message)
}

fn kind(error: &RepoError) -> FailureKind {
    match error {
        RepoError::Backend(error) => error.kind(),
        other => panic!("a failure of the backend, not {other:?}"),
    }
}

#[tokio::test]
async fn a_rate_limit_is_told_with_its_time_and_heeded_without_asking() {
    let server = with_modules().await;
    let hands = Hands::new();
    let github = server.builder().clock(hands.clone()).build().unwrap();
    let reset = (time() + TimeDelta::minutes(40)).timestamp().to_string();
    for (fault, minutes) in [
        (
            answer(
                403,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)],
                "API rate limit exceeded",
            ),
            40,
        ),
        (answer(429, &[("retry-after", "120")], "You have exceeded a secondary rate limit"), 2),
        (answer(403, &[], "You have exceeded a secondary rate limit. Please wait"), 1),
    ] {
        let start = hands.now();
        let (limited, other) = (token(), SecretString::from("ghp_other"));
        server.fail("/branches/main", fault);
        let wait =
            if minutes == 40 { time() + TimeDelta::minutes(40) } else { start + TimeDelta::minutes(minutes) };
        let refusal = head(&github, &limited).await.unwrap_err();
        assert!(matches!(refusal, RepoError::RateLimited { until } if until == wait), "{refusal:?}");
        assert!(refusal.to_string().contains(&wait.format("%H:%M:%S UTC").to_string()), "{refusal}");
        assert_eq!(server.calls().len(), 1, "it is not asked again");
        let refusal = github.repositories(Publisher::Platform, Some(&limited)).await.unwrap_err();
        assert!(matches!(refusal, RepoError::RateLimited { until } if until == wait), "{refusal:?}");
        assert_eq!(server.calls().len(), 0, "a limit that is known is heeded");
        assert!(matches!(head(&github, &other).await.unwrap_err(), RepoError::Denied { .. }));
        assert_eq!(server.calls().len(), 1, "another token has limits of its own");
        hands.advance(wait - start);
        head(&github, &limited).await.unwrap();
        server.calls();
    }
}

#[tokio::test]
async fn what_passes_is_asked_again_and_what_does_not_is_said() {
    let server = with_modules().await;
    let (github, token) = (server.github(), token());
    let expected = head(&github, &token).await.unwrap();
    server.calls();
    for faults in [
        vec![answer(502, &[], ""), answer(500, &[], ""), answer(503, &[("retry-after", "0")], "")],
        vec![Fault::BreakOff, Fault::BreakOff],
    ] {
        let github = server.github();
        let attempts = faults.len() + 1;
        faults.into_iter().for_each(|fault| server.fail("/branches/main", fault));
        assert_eq!(head(&github, &token).await.unwrap(), expected);
        assert_eq!(server.calls().len(), attempts);
    }
    (0..4).for_each(|_| server.fail("/branches/main", answer(504, &[], "")));
    let refusal = head(&github, &token).await.unwrap_err();
    assert_eq!((kind(&refusal), server.calls().len()), (FailureKind::Unavailable, 4));
    server.fail("/branches/main", answer(503, &[("retry-after", "3600")], ""));
    let refusal = head(&github, &token).await.unwrap_err();
    assert_eq!((kind(&refusal), server.calls().len()), (FailureKind::Unavailable, 1), "nobody waits an hour");
    server.fail("/branches/main", answer(418, &[], "I'm a teapot"));
    let refusal = head(&github, &token).await.unwrap_err();
    assert_eq!((kind(&refusal), server.calls().len()), (FailureKind::Permanent, 1));
}

#[tokio::test]
async fn an_answer_that_drips_for_ever_is_given_up() {
    let server = with_modules().await;
    let patience = Patience { answer: Duration::from_millis(300), attempts: 1, ..Patience::default() };
    let github = server.builder().patience(patience).build().unwrap();
    server.fail("/branches/main", Fault::Drip);
    let refusal = head(&github, &token()).await.unwrap_err();
    assert_eq!(kind(&refusal), FailureKind::Unavailable, "{refusal}");
    head(&github, &token()).await.unwrap();
}

#[tokio::test]
async fn an_archive_that_breaks_off_is_downloaded_again() {
    let server = Server::start().await;
    let files = tree(&[("a/main.tf", &"variable \"x\" {}\n".repeat(100)), ("b/main.tf", "2")]);
    let commit = server.put("octo/modules", "main", &files);
    let (github, token) = (server.github(), token());
    server.fail("/codeload/", Fault::BreakOff);
    server.fail("/codeload/", answer(502, &[], ""));
    let read = github.tree(access("octo/modules", &token), &commit, "").await.unwrap();
    assert_eq!(read, files);
    assert_eq!(server.calls().len(), 3, "the address of an archive is good once");
}

#[tokio::test]
async fn what_does_not_come_is_not_waited_for() {
    let server = with_modules().await;
    let patience = Patience {
        answer: Duration::from_millis(200),
        attempts: 2,
        first_wait: Duration::from_millis(1),
        ..Patience::default()
    };
    let (github, token) = (server.builder().patience(patience).build().unwrap(), token());
    let commit = server.state.store.head("octo/modules", None).await.unwrap().commit;
    for fault in [Fault::Stall, Fault::Silence] {
        (0..2).for_each(|_| server.fail("/branches/main", fault.clone()));
        assert_eq!(kind(&head(&github, &token).await.unwrap_err()), FailureKind::Unavailable);
        (0..2).for_each(|_| server.fail("/codeload/", fault.clone()));
        let refusal = github.tree(access("octo/modules", &token), &commit, "").await.unwrap_err();
        assert_eq!(kind(&refusal), FailureKind::Unavailable);
    }
    let whole = Patience { archive: Duration::from_millis(50), ..patience };
    let github = server.builder().patience(whole).build().unwrap();
    server.fail("/codeload/", Fault::Stall);
    let refusal = github.tree(access("octo/modules", &token), &commit, "").await.unwrap_err();
    assert_eq!(kind(&refusal), FailureKind::Unavailable);
}

/// A server that takes connections and ends them at once.
async fn hanging_up() -> (String, Arc<AtomicU32>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    (address, taken)
}

#[tokio::test]
async fn a_server_that_is_down_is_left_alone() {
    let (address, taken) = hanging_up().await;
    let patience = Patience {
        attempts: 2,
        first_wait: Duration::from_millis(1),
        failures: 4,
        rest: Duration::from_millis(400),
        ..Patience::default()
    };
    let (github, token) = (GitHub::builder().api(address).patience(patience).build().unwrap(), token());
    for _ in 0..2 {
        assert_eq!(kind(&head(&github, &token).await.unwrap_err()), FailureKind::Unavailable);
    }
    assert_eq!(taken.load(Ordering::SeqCst), 4);
    let refusal = head(&github, &token).await.unwrap_err();
    assert_eq!(kind(&refusal), FailureKind::Unavailable);
    assert_eq!(taken.load(Ordering::SeqCst), 4, "nothing is asked while it rests");
    tokio::time::sleep(Duration::from_millis(450)).await;
    head(&github, &token).await.unwrap_err();
    assert_eq!(taken.load(Ordering::SeqCst), 5, "one try, and it rests again");
}

#[tokio::test]
async fn redirects_stay_with_the_api_or_go_without_the_token_and_end() {
    let server = with_modules().await;
    let (github, token) = (server.github(), token());
    let here = format!("{}/repos/octo/modules/branches/main", server.address);
    server.fail("/repos/octo/renamed", answer(301, &[("location", &here)], ""));
    let head = github.head(access("octo/renamed", &token), Some("main")).await.unwrap();
    assert_eq!(head.branch, "main");
    let calls = server.calls();
    assert!(calls.iter().all(|call| call.authorization.is_some()), "{calls:?}");
    (0..16).for_each(|_| server.fail("/repos/octo/modules", answer(302, &[("location", &here)], "")));
    let refusal = github.head(access("octo/modules", &token), Some("main")).await.unwrap_err();
    assert_eq!(kind(&refusal), FailureKind::Unavailable);
    let server = with_modules().await;
    let github = server.github();
    (0..4).for_each(|_| {
        server.fail("/tarball/", answer(302, &[("location", "http://archives.example.com/x")], ""));
    });
    let commit = "0".repeat(40).parse().unwrap();
    let refusal = github.tree(access("octo/modules", &token), &commit, "").await.unwrap_err();
    assert_eq!(kind(&refusal), FailureKind::Unavailable, "not without TLS");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let server = with_modules().await;
    let (github, token) = (server.github(), token());
    server.fail(
        "/branches/main",
        answer(
            403,
            &[("x-accepted-github-permissions", "contents=read")],
            "Resource not accessible by personal access token",
        ),
    );
    let refusal = head(&github, &token).await.unwrap_err().to_string();
    assert!(refusal.contains("contents=read") && refusal.contains("not accessible"), "{refusal}");
    server.fail("/branches/main", answer(451, &[], "Repository access blocked"));
    let refusal = head(&github, &token).await.unwrap_err();
    assert!(matches!(&refusal, RepoError::Denied { missing } if missing.contains("blocked")), "{refusal:?}");
    let broken: SecretString = "two\nlines".into();
    assert!(matches!(head(&github, &broken).await.unwrap_err(), RepoError::Denied { .. }));
}
