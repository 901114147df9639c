//! The cookies of the portal: the session, the visit of somebody not signed in, the theme, on whose behalf one publishes.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Holds the token of a signed-in session.
pub(crate) const SESSION: &str = "rad_session";

/// Holds the token that protects the sign-in form.
pub(crate) const VISIT: &str = "rad_visit";

/// Holds the theme that was chosen: `light` or `dark`.
pub(crate) const THEME: &str = "rad_theme";

/// Holds on whose behalf somebody with a choice publishes.
pub(crate) const PUBLISHER: &str = "rad_publisher";

/// How long a browser remembers what was chosen: a year.
pub(crate) const REMEMBERED: u32 = 365 * 24 * 60 * 60;

/// The value of a cookie of a request.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A header that sets a cookie for `seconds`; zero takes it away. Scripts never see it, other sites never send it
/// along with a form.
pub(crate) fn set(name: &str, value: &str, seconds: u32, secure: bool) -> [(HeaderName, HeaderValue); 1] {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    [(SET_COOKIE, HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("")))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("xrad_theme=a; rad_theme=dark"));
        headers.append(COOKIE, HeaderValue::from_static("rad_visit=v"));
        assert_eq!(read(&headers, THEME), Some("dark"));
        assert_eq!(read(&headers, VISIT), Some("v"));
        assert_eq!(read(&headers, SESSION), None);
    }

    #[test]
    fn only_https_makes_a_cookie_secure() {
        let text = |secure| set(SESSION, "x", 60, secure)[0].1.to_str().unwrap().to_owned();
        assert!(text(true).ends_with("; Secure") && !text(false).contains("Secure"));
        assert!(text(false).contains("HttpOnly; SameSite=Lax"));
    }
}
