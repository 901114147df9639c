//! What GitHub's answers say about its rate limits
//! (docs.github.com, "Rate limits for the REST API" and "Best practices for using the REST API").

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, StatusCode};

/// The wait after a secondary limit that does not say how long it lasts, as GitHub asks for it.
const UNSTATED: TimeDelta = TimeDelta::minutes(1);
/// The longest wait that is believed: a primary limit is renewed every hour.
const LONGEST: TimeDelta = TimeDelta::hours(2);

/// Until when an answer asks not to be asked again; `None` if it is not about a limit.
pub(super) fn limited_until(
    status: StatusCode,
    headers: &HeaderMap,
    message: &str,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let secondary = || {
        let message = message.to_lowercase();
        message.contains("rate limit") || message.contains("abuse detection")
    };
    let until = if let Some(wait) = retry_after(headers, now) {
        now + wait
    } else if text(headers, "x-ratelimit-remaining") == Some("0") {
        reset(headers)?
    } else if status == StatusCode::TOO_MANY_REQUESTS || secondary() {
        now + UNSTATED
    } else {
        return None;
    };
    Some(until.clamp(now + TimeDelta::seconds(1), now + LONGEST))
}

/// When the primary limit is renewed.
pub(super) fn reset(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(text(headers, "x-ratelimit-reset")?.parse().ok()?, 0)
}

/// How long `Retry-After` asks to wait: seconds or a date (RFC 9110 §10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let value = text(headers, "retry-after")?;
    let seconds = value.parse::<u32>().ok().map(|seconds| TimeDelta::seconds(seconds.into()));
    seconds.or_else(|| Some(DateTime::parse_from_rfc2822(value).ok()?.to_utc() - now))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_limit_says_when_to_come_back() {
        let now = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
        let until = |status: u16, pairs: &[(&'static str, &str)], message| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            limited_until(status, &headers, message, now).map(|until| (until - now).num_seconds())
        };
        let primary = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1770000900")];
        assert_eq!(until(403, &primary, ""), Some(900));
        assert_eq!(until(429, &primary, ""), Some(900));
        assert_eq!(until(403, &[("retry-after", "30")], ""), Some(30));
        let date = (now + TimeDelta::seconds(45)).to_rfc2822();
        assert_eq!(until(429, &[("retry-after", &date)], ""), Some(45));
        assert_eq!(until(403, &[], "You have exceeded a secondary rate limit."), Some(60));
        assert_eq!(until(429, &[], ""), Some(60));
        assert_eq!(until(403, &[], "Resource not accessible by integration"), None);
        assert_eq!(until(404, &primary, ""), None);
        assert_eq!(
            until(403, &[("retry-after", "4000000000")], ""),
            Some(7200),
            "no answer stops us for days"
        );
        assert_eq!(until(403, &[("retry-after", "0")], ""), Some(1));
    }
}
