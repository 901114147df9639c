//! A browser as far as it is needed: signs in, reads a page, watches the events of a run.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use portal::Portal;
use rad_core::id::{AccountId, RunId};
use secrecy::ExposeSecret as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a run may be watched.
const PATIENCE: Duration = Duration::from_secs(300);

/// A signed-in browser.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    url: String,
    email: String,
    cookies: BTreeMap<String, String>,
    client: Client<HttpConnector, Body>,
}

impl Browser {
    /// Signs in with the account that the portal made at its first start.
    pub(crate) async fn sign_in(portal: &Portal) -> anyhow::Result<Self> {
        let account = portal.first_accounts().first().context("the portal made no account")?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (url, email) = (portal.url().to_owned(), account.email.clone());
        let mut browser = Self { url, email, cookies: BTreeMap::new(), client };
        let form = browser.request("/sign-in", None).await?;
        browser.keep_cookies(&form);
        let page = String::from_utf8_lossy(&form.into_body().collect().await?.to_bytes()).into_owned();
        let proof = between(&page, "name=\"csrf\" value=\"", "\"")?;
        let fields = [
            ("email", account.email.as_str()),
            ("password", account.password.expose_secret()),
            ("next", "/"),
            ("csrf", proof),
        ];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let answer = browser.request("/sign-in", Some(body)).await?;
        ensure!(answer.status().is_redirection(), "signing in was refused: {}", answer.status());
        browser.keep_cookies(&answer);
        Ok(browser)
    }

    /// The account that is signed in, as the list of accounts names it.
    pub(crate) async fn own_account(&self) -> anyhow::Result<AccountId> {
        let path = format!("/admin/accounts?q={}", self.email);
        let page = self.request(&path, None).await?.into_body().collect().await?.to_bytes();
        let page = String::from_utf8_lossy(&page);
        Ok(between(&page, "<a href=\"/admin/accounts/", "\"")?.parse()?)
    }

    /// Watches a run to its end with so many connections, and gives how many microseconds each line took to each of them that
    /// was printed after all of them were connected.
    pub(crate) async fn watch(&self, run: RunId, count: usize) -> anyhow::Result<Vec<u64>> {
        let path = format!("/runs/{run}/events");
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            let answer = self.request(&path, None).await?;
            ensure!(answer.status().is_success(), "watching was refused: {}", answer.status());
            streams.push(answer.into_body());
        }
        let connected = micros_now();
        let mut watchers = JoinSet::new();
        for stream in streams {
            watchers.spawn(timeout(PATIENCE, delays(stream, connected)));
        }
        let mut all = Vec::new();
        while let Some(watcher) = watchers.join_next().await {
            all.extend(watcher?.context("the run does not end")??);
        }
        Ok(all)
    }

    async fn request(&self, path: &str, form: Option<String>) -> anyhow::Result<Response<Body>> {
        let request = match &form {
            Some(_) => Request::post(format!("{}{path}", self.url))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
            None => Request::get(format!("{}{path}", self.url)),
        };
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = Body::from(form.unwrap_or_default());
        let answer = self.client.request(request.header(COOKIE, cookies.join("; ")).body(body)?).await?;
        Ok(answer.map(Body::new))
    }

    fn keep_cookies(&mut self, answer: &Response<Body>) {
        let new = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs = new.filter_map(|cookie| cookie.split(';').next()?.split_once('='));
        self.cookies.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

/// How long the lines took that were printed after a moment.
async fn delays(mut stream: Body, after: u64) -> anyhow::Result<Vec<u64>> {
    let (mut delays, mut text) = (Vec::new(), String::new());
    while let Some(frame) = stream.frame().await {
        let Ok(bytes) = frame?.into_data() else { continue };
        let now = micros_now();
        text.push_str(&String::from_utf8_lossy(&bytes));
        // An event may come in several parts: what follows its last whole line is kept.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for stamp in text[..whole].split("stamp=").skip(1) {
            // The engine also prints the command that prints the time.
            let printed = stamp.split('=').next().and_then(|nanos| nanos.parse::<u64>().ok());
            if let Some(printed) = printed.map(|nanos| nanos / 1000).filter(|printed| *printed >= after) {
                delays.push(now.saturating_sub(printed));
            }
        }
        text.drain(..whole);
    }
    Ok(delays)
}

fn micros_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> anyhow::Result<&'t str> {
    let (_, rest) = text.split_once(before).with_context(|| format!("{before:?} is not on the page"))?;
    Ok(rest.split_once(after).map_or(rest, |(found, _)| found))
}
