//! A small HTTP client that behaves as a browser without scripts: keeps cookies, sends the forms of the last page.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// One person's browser.
pub(crate) struct Browser {
    base: String,
    client: Client<HttpConnector, Body>,
    cookies: BTreeMap<String, String>,
    /// The proof of the last page that had a form.
    pub(crate) proof: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// Where the answer sends the browser.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// The text between the first `before` and the next `after`.
    #[track_caller]
    pub(crate) fn between(&self, before: &str, after: &str) -> &str {
        let rest = self.body.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {}", self.body)).1;
        rest.split_once(after).unwrap().0
    }

    #[track_caller]
    pub(crate) fn assert_has(&self, text: &str) {
        assert!(self.body.contains(text), "no {text:?} in {} {}", self.status, self.body);
    }
}

impl Browser {
    pub(crate) fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            cookies: BTreeMap::new(),
            proof: String::new(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(self.address(path)), Body::empty()).await
    }

    /// Sends a form with the proof of the last page.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let proof = self.proof.clone();
        let mut fields = fields.to_vec();
        fields.push(("csrf", &proof));
        self.post_bare(path, &fields).await
    }

    /// Sends exactly these fields.
    pub(crate) async fn post_bare(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request =
            Request::post(self.address(path)).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    /// Sends a body with headers of its own.
    pub(crate) async fn post_raw(&mut self, path: &str, headers: &[(&str, &str)], body: Bytes) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(self.address(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, Body::from(body)).await
    }

    /// The same person at another server.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            client: self.client.clone(),
            cookies: self.cookies.clone(),
            proof: self.proof.clone(),
        }
    }

    /// Reads server-sent events until one of them is `until`, and then breaks off; gives the text of all of them. `last` is the
    /// id of the last event that was seen before.
    pub(crate) async fn events(&self, path: &str, last: &str, until: impl Fn(&str) -> bool) -> String {
        let mut request = Request::get(self.address(path)).header(COOKIE, self.cookies());
        if !last.is_empty() {
            request = request.header("last-event-id", last);
        }
        let response = self.client.request(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let (mut body, mut text) = (response.into_body(), String::new());
        while let Some(frame) = body.frame().await {
            text.push_str(&String::from_utf8_lossy(frame.unwrap().data_ref().unwrap()));
            // Whole events only: what is cut off comes again.
            if let Some((whole, _)) = text.rsplit_once("\n\n")
                && whole.split("\n\n").any(&until)
            {
                return whole.to_owned();
            }
        }
        text
    }

    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.get("/sign-in").await;
        let answer = self.post("/sign-in", &[("email", email), ("password", password), ("next", "/")]).await;
        if answer.status == StatusCode::SEE_OTHER {
            self.get("/profile").await;
        }
        answer
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn cookies(&self) -> String {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Answer {
        let request = request.header(COOKIE, self.cookies()).body(body).unwrap();
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        if let Some((_, rest)) = body.split_once("name=\"csrf\" value=\"") {
            self.proof = rest.split_once('"').unwrap().0.to_owned();
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
