//! Takes away what runs leave behind, on a thread of its own: nobody waits for a run's directory or control group to go.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use super::tree;

/// How many orders may wait; whoever has another one carries it out itself.
const BACKLOG: usize = 256;

/// How long a control group is waited for whose processes are just being ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long all that was ordered is waited for.
const FINISH: Duration = Duration::from_secs(30);

/// Takes directories and control groups away behind everybody's back; a clone gives orders to the same thread, which ends
/// with the last of them.
#[derive(Debug, Clone)]
pub(super) struct Sweeper {
    orders: SyncSender<Order>,
}

enum Order {
    /// A directory with all that is in it.
    Directory(PathBuf),
    /// An empty control group, or one whose processes are being ended.
    Group(PathBuf),
    /// Say so once all that was ordered before is done.
    Tell(SyncSender<()>),
}

impl Sweeper {
    pub(super) fn start() -> io::Result<Self> {
        let (orders, incoming) = mpsc::sync_channel(BACKLOG);
        thread::Builder::new().name("rad-sweeper".to_owned()).spawn(move || carry_out(&incoming))?;
        Ok(Self { orders })
    }

    /// Removes a directory that nobody else changes any more.
    pub(super) fn directory(&self, path: &Path) {
        self.order(Order::Directory(path.to_owned()));
    }

    /// Removes a control group.
    pub(super) fn group(&self, path: &Path) {
        self.order(Order::Group(path.to_owned()));
    }

    /// Waits until all that was ordered is done; blocks for half a minute at the most.
    pub(super) fn finish(&self) {
        let (told, done) = mpsc::sync_channel(1);
        if self.orders.send(Order::Tell(told)).is_ok() {
            // Whoever gives up waiting leaves the rest to the next start.
            let _ = done.recv_timeout(FINISH);
        }
    }

    fn order(&self, order: Order) {
        if let Err(TrySendError::Full(order) | TrySendError::Disconnected(order)) =
            self.orders.try_send(order)
        {
            order.carry_out();
        }
    }
}

fn carry_out(incoming: &Receiver<Order>) {
    while let Ok(order) = incoming.recv() {
        order.carry_out();
    }
}

impl Order {
    fn carry_out(self) {
        match self {
            Self::Directory(path) => {
                if let Err(error) = tree::remove(&path) {
                    tracing::warn!(path = %path.display(), %error, "a run's directory could not be removed");
                }
            }
            Self::Group(path) => {
                let until = Instant::now() + PATIENCE;
                while fs::remove_dir(&path).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
                    && Instant::now() < until
                {
                    thread::sleep(Duration::from_millis(5));
                }
            }
            Self::Tell(told) => drop(told.try_send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ordered_is_gone_once_it_is_finished() {
        let root = tempfile::tempdir().unwrap();
        let (full, empty) = (root.path().join("full"), root.path().join("empty"));
        fs::create_dir_all(full.join("a/b")).unwrap();
        fs::write(full.join("a/b/file"), "").unwrap();
        fs::create_dir(&empty).unwrap();
        let sweeper = Sweeper::start().unwrap();
        sweeper.directory(&full);
        sweeper.clone().group(&empty);
        sweeper.directory(&root.path().join("never"));
        sweeper.finish();
        assert!(!full.exists() && !empty.exists());
    }
}
