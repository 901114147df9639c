//! Styles and scripts, part of the binary.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// Every file: name, media type, content.
pub(crate) const ALL: [(&str, &str, &str); 7] = [
    ("app.css", "text/css; charset=utf-8", include_str!("../assets/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("../assets/app.js")),
    ("chat.js", "text/javascript; charset=utf-8", include_str!("../assets/chat.js")),
    ("form.js", "text/javascript; charset=utf-8", include_str!("../assets/form.js")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("../assets/live.js")),
    ("profile.js", "text/javascript; charset=utf-8", include_str!("../assets/profile.js")),
    ("icon.svg", "image/svg+xml", include_str!("../assets/icon.svg")),
];

/// `GET /assets/{version}/{name}`: the version changes with the content, so that a browser asks once.
pub(crate) async fn asset(Path((_, name)): Path<(String, String)>) -> Response {
    match ALL.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => {
            let headers = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, *text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
