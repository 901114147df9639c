//! Following the log of a container through broken connections: no line is left out, none comes twice.
//!
//! The API server gives lines from a whole second on. What was seen of that second is left out when the log is taken up
//! again; whatever the server does not give again was rotated away, and that is said.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::time::Duration;

use futures_util::AsyncBufRead;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::LogParams;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::terraform::process::next_line;

/// How long it takes until a log is taken up again.
const AGAIN: Duration = Duration::from_millis(300);

/// How many lines wait to be taken.
const AHEAD: usize = 256;

/// How often the end of a log is read again that breaks off.
const TRIES: u32 = 20;

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line, without its line feed.
    Line(String),
    /// Lines that nobody has any more.
    Gap,
}

/// Follows the log of a container until that has ended and all is read, or its pod is gone.
pub(super) fn follow(pods: Api<Pod>, pod: String, container: &'static str) -> Log {
    let (sender, pieces) = mpsc::channel(AHEAD);
    let mut task = tokio::task::JoinSet::new();
    task.spawn(async move {
        let mut reader = Reader { pods, pod, container, seen: Seen::default(), pieces: sender };
        reader.read_on().await;
    });
    Log { pieces, _task: task }
}

/// A log that is followed.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) pieces: mpsc::Receiver<Piece>,
    /// Ends with the log.
    _task: tokio::task::JoinSet<()>,
}

/// What of a log was read.
#[derive(Debug, Default)]
struct Seen {
    /// The second that is read.
    second: Option<i64>,
    /// The lines of that second, hashed.
    lines: VecDeque<u64>,
    /// Those that will come again.
    expected: VecDeque<u64>,
    /// Whether no line has come since the log was taken up again.
    resumed: bool,
}

struct Reader {
    pods: Api<Pod>,
    pod: String,
    container: &'static str,
    seen: Seen,
    pieces: mpsc::Sender<Piece>,
}

impl Reader {
    async fn read_on(&mut self) {
        let mut tries = 0;
        loop {
            // Asked before the log is read: what ended before has written all of its log.
            let ended = match self.pods.get_opt(&self.pod).await {
                Ok(Some(pod)) => has_ended(&pod, self.container),
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "a pod is looked for again");
                    sleep(AGAIN).await;
                    continue;
                }
            };
            let read = self.read(!ended).await;
            match read {
                Ok(()) if ended => return,
                Ok(()) => {}
                Err(_) if self.pieces.is_closed() => return,
                Err(error) if ended && tries == TRIES => {
                    tracing::warn!(pod = self.pod, %error, "the end of a log cannot be read");
                    return;
                }
                Err(error) => {
                    tries += u32::from(ended);
                    tracing::debug!(%error, "a log is taken up again");
                }
            }
            sleep(AGAIN).await;
        }
    }

    /// Reads from where it left off; to the end if `on` is false, otherwise until the connection or the container ends.
    async fn read(&mut self, on: bool) -> io::Result<()> {
        let params = LogParams {
            container: Some(self.container.to_owned()),
            follow: on,
            timestamps: true,
            since_time: self.seen.second.and_then(|second| Timestamp::from_second(second).ok()),
            ..LogParams::default()
        };
        let stream = match self.pods.log_stream(&self.pod, &params).await {
            Ok(stream) => stream,
            // The container is not there yet, or its pod is not any more.
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => return Ok(()),
            Err(error) => return Err(io::Error::other(error)),
        };
        self.seen.resume();
        self.take(stream).await
    }

    async fn take(&mut self, stream: impl AsyncBufRead) -> io::Result<()> {
        let mut stream = std::pin::pin!(stream.compat());
        while let Some(line) = next_line(&mut stream).await? {
            for piece in self.seen.take(&line) {
                self.pieces.send(piece).await.map_err(io::Error::other)?;
            }
        }
        Ok(())
    }
}

impl Seen {
    /// Prepares for the log from the second that was read last.
    fn resume(&mut self) {
        self.expected = self.lines.clone();
        self.resumed = self.second.is_some();
    }

    /// Takes a line as the server gives it, its time before it.
    fn take(&mut self, stamped: &str) -> Vec<Piece> {
        let mut hasher = DefaultHasher::new();
        stamped.hash(&mut hasher);
        let hash = hasher.finish();
        let resumed = std::mem::take(&mut self.resumed);
        if let Some(place) = self.expected.iter().position(|seen| *seen == hash) {
            self.expected.drain(..=place);
            return Vec::new();
        }
        let (time, text) = match stamped.split_once(' ') {
            Some((time, text)) => (time.parse::<Timestamp>().ok(), text),
            None => (stamped.parse().ok(), ""),
        };
        let second = time.map(Timestamp::as_second);
        if second > self.second {
            self.second = second;
            self.lines.clear();
        }
        self.lines.push_back(hash);
        let line = Piece::Line(if time.is_some() { text } else { stamped }.to_owned());
        match resumed && !self.expected.is_empty() {
            true => vec![Piece::Gap, line],
            false => vec![line],
        }
    }
}

/// Whether a container has ended for good.
pub(super) fn has_ended(pod: &Pod, container: &str) -> bool {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
    let mut statuses = statuses.unwrap_or_default().iter().filter(|status| status.name == container);
    statuses.any(|status| status.state.as_ref().is_some_and(|state| state.terminated.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(seen: &mut Seen, lines: &[&str]) -> Vec<String> {
        let pieces = lines.iter().flat_map(|line| seen.take(line));
        let told = pieces.map(|piece| match piece {
            Piece::Line(text) => text,
            Piece::Gap => "…".to_owned(),
        });
        told.collect()
    }

    #[test]
    fn a_log_is_taken_up_where_it_broke_off() {
        let mut seen = Seen::default();
        let log = [
            "2026-01-01T00:00:00.9Z a",
            "2026-01-01T00:00:01.1Z same",
            "2026-01-01T00:00:01.1Z same",
            "2026-01-01T00:00:01.2Z ",
            "2026-01-01T00:00:01.3Z b",
            "2026-01-01T00:00:02Z c",
        ];
        assert_eq!(read(&mut seen, &log[..2]), ["a", "same"]);
        seen.resume();
        assert_eq!(seen.second, Some(1_767_225_601));
        // From a whole second on; a line that is there twice comes twice.
        assert_eq!(read(&mut seen, &log[1..4]), ["same", ""]);
        seen.resume();
        assert_eq!(read(&mut seen, &log[1..]), ["b", "c"]);
        seen.resume();
        assert_eq!(read(&mut seen, &log[5..]), [""; 0]);
    }

    #[test]
    fn lines_that_were_rotated_away_leave_a_gap() {
        let mut seen = Seen::default();
        assert_eq!(read(&mut seen, &["2026-01-01T00:00:00Z a"]), ["a"]);
        seen.resume();
        assert_eq!(read(&mut seen, &["2026-01-01T00:00:09Z x", "2026-01-01T00:00:09Z y"]), ["…", "x", "y"]);
    }

    #[test]
    fn a_line_without_a_time_is_taken_as_it_is() {
        let mut seen = Seen::default();
        assert_eq!(read(&mut seen, &["2026-01-01T00:00:00Z a", "[a line was left out]"]).len(), 2);
        seen.resume();
        assert_eq!(
            read(&mut seen, &["2026-01-01T00:00:00Z a", "[a line was left out]", "no time"]),
            ["no time"]
        );
    }
}
