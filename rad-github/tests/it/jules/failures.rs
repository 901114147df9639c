//! What becomes of a call when Jules refuses, is slow to say so, or does not answer.

use rad_core::agent::{AgentError, CodeAgent as _, NewAgentSession};
use secrecy::SecretString;

use super::server::{Fault, KEY, Server};

fn key() -> SecretString {
    KEY.into()
}

fn answer(status: u16, message: &str) -> Fault {
    Fault::Answer(status, Vec::new(), format!("{{\"error\":{{\"message\":{message:?}}}}}"))
}

fn new(source: &str) -> NewAgentSession {
    NewAgentSession {
        prompt: "p".to_owned(),
        title: "t".to_owned(),
        source: source.to_owned(),
        branch: "main".to_owned(),
        require_plan_approval: true,
    }
}

#[tokio::test]
async fn a_question_is_repeated_after_a_failure_and_a_deed_is_not() {
    let server = Server::start().await;
    server.connect("a/b");
    let (jules, key) = (server.jules(), key());
    for fault in [answer(503, "later"), Fault::Lost] {
        server.fail(fault);
        assert_eq!(jules.sources(Some(&key)).await.unwrap().len(), 1);
        assert_eq!(server.asked().len(), 2, "asked again");
    }
    for fault in [answer(500, "oops"), Fault::Lost] {
        server.fail(fault);
        let failed = jules.start(Some(&key), &new("sources/github-0")).await.unwrap_err();
        let AgentError::Backend(error) = failed else { panic!("{failed:?}") };
        assert!(!error.is_retryable(), "it may have been done: {error}");
        assert_eq!(server.asked().len(), 1, "asked once");
    }
}

#[tokio::test]
async fn a_limit_says_until_when_and_is_heeded() {
    let server = Server::start().await;
    let (jules, key) = (server.jules(), key());
    server.fail(Fault::Answer(429, vec![("retry-after", "30")], "{}".to_owned()));
    let before = chrono::Utc::now();
    let limited = jules.sources(Some(&key)).await.unwrap_err();
    let AgentError::TooManyRequests { until } = limited else { panic!("{limited:?}") };
    assert!((25..=35).contains(&(until - before).num_seconds()), "{until}");
    assert_eq!(server.asked().len(), 1);
    let again = jules.sources(Some(&key)).await.unwrap_err();
    assert!(matches!(again, AgentError::TooManyRequests { .. }), "{again:?}");
    assert!(server.asked().is_empty(), "it was not asked while it would refuse");
}

#[tokio::test]
async fn refusals_are_told_apart_in_the_words_of_the_service() {
    let server = Server::start().await;
    server.connect("a/b");
    let (jules, key) = (server.jules(), key());
    server.fail(answer(403, "The caller does not have permission"));
    let denied = jules.sources(Some(&key)).await.unwrap_err();
    assert_eq!(denied.to_string(), "the code agent denies access: The caller does not have permission");
    server.fail(answer(400, "Request contains an invalid argument."));
    let refused = jules.start(Some(&key), &new("sources/github-0")).await.unwrap_err();
    assert!(matches!(refused, AgentError::Refused { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), "the code agent refuses: Request contains an invalid argument.");
    let missing = jules.sources(None).await.unwrap_err();
    assert!(matches!(missing, AgentError::Denied { .. }), "no key at all: {missing:?}");
}

#[tokio::test]
async fn nonsense_and_endless_answers_are_failures_and_nothing_worse() {
    let server = Server::start().await;
    let (jules, key) = (server.jules(), key());
    for body in ["", "[]", "nonsense", "{\"sources\":[{\"id\":1}]}", "{\"sources\":{}}"] {
        server.fail(Fault::Answer(200, Vec::new(), body.to_owned()));
        let failed = jules.sources(Some(&key)).await;
        assert!(matches!(failed, Err(AgentError::Backend(_))), "{body:?}: {failed:?}");
    }
    server.fail(Fault::Endless);
    let failed = jules.sources(Some(&key)).await;
    assert!(matches!(failed, Err(AgentError::Backend(_))), "{failed:?}");
}

#[tokio::test]
async fn odd_activities_are_kept_as_what_they_are() {
    let server = Server::start().await;
    let (jules, key) = (server.jules(), key());
    let odd = r#"{"activities":[
        {},
        {"name":"sessions/1/activities/x","createTime":"yesterday","originator":"user","planGenerated":{"plan":[1]}},
        {"id":"y","artifacts":[{"changeSet":{"gitPatch":{}}},7,{"media":{"mimeType":"image/png","data":"AA=="}}]}
    ]}"#;
    server.fail(Fault::Answer(200, Vec::new(), odd.to_owned()));
    let feed = jules.activities(Some(&key), "sessions/1", None).await.unwrap();
    let ids: Vec<&str> = feed.activities.iter().map(|activity| activity.id.as_str()).collect();
    assert_eq!((ids[0].len(), &ids[1..]), (64, &["x", "y"][..]));
    assert_eq!(feed.activities[2].artifacts.len(), 3);
}

#[test]
fn a_key_is_never_sent_in_the_clear_nor_shown() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let builder = || rad_github::Jules::builder().key(key());
    assert!(builder().api("http://agent.example.com/v1").build().is_err());
    let jules = builder().build().unwrap();
    assert!(!format!("{jules:?} {:?}", builder()).contains(KEY));
}
