//! Unpacks an archive where it may block, while it comes in.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::Response;
use rad_core::source::{CommitId, SourceTree};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::archive::{ArchiveError, ArchiveLimits, read_archive};
use super::failure::ApiError;
use super::transport::{Body, Unread, next_part};

/// Parts of an archive that wait to be unpacked at the most; each has some 16 KiB.
const WAITING: usize = 16;

/// What an archive is unpacked by.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) commit: CommitId,
    pub(super) sub_dir: String,
    pub(super) limits: ArchiveLimits,
    /// For each next part.
    pub(super) next: Duration,
    /// For the whole.
    pub(super) whole: Duration,
}

/// The tree in an archive, or what is wrong with it once it is here.
pub(super) async fn unpack(
    response: Response<Body>,
    wanted: Wanted,
) -> Result<Result<SourceTree, ArchiveError>, Unread> {
    let (sender, receiver) = channel(WAITING);
    let (next, whole) = (wanted.next, wanted.whole);
    let reading = tokio::task::spawn_blocking(move || {
        let parts = Parts { receiver, part: Bytes::new() };
        read_archive(parts, &wanted.sub_dir, Some(&wanted.commit), &wanted.limits)
    });
    let fed = tokio::time::timeout(whole, feed(response.into_body(), sender, next)).await;
    let late = || Unread::Refused(ApiError::Failed("the archive takes too long".into()));
    let fed = fed.unwrap_or_else(|_| Err(late()));
    let read = reading.await.map_err(|e| Unread::Refused(ApiError::Unreadable(e.into())))?;
    fed.map(|()| read)
}

/// Passes parts on until the body or the interest in it ends.
async fn feed(mut body: Body, parts: Sender<Bytes>, next: Duration) -> Result<(), Unread> {
    while let Some(part) = next_part(&mut body, next).await? {
        if parts.send(part).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The parts as one stream of bytes.
struct Parts {
    receiver: Receiver<Bytes>,
    part: Bytes,
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.receiver.blocking_recv() {
                Some(part) => self.part = part,
                None => return Ok(0),
            }
        }
        let length = self.part.len().min(buffer.len());
        self.part.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
