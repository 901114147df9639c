//! Takes away what runs leave behind, on a thread of its own: nobody waits for a run's directory or control group to go.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::tree;

/// How long a directory or a control group is waited for whose processes are just being ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long all that was ordered is waited for.
const FINISH: Duration = Duration::from_secs(30);

/// Takes directories and control groups away behind everybody's back; a clone gives orders to the same thread, which ends
/// with the last of them.
#[derive(Debug, Clone)]
pub(super) struct Sweeper {
    orders: Sender<Order>,
}

enum Order {
    /// A directory with all that is in it, into which nobody but processes that are being ended writes.
    Directory(PathBuf),
    /// An empty control group, or one whose processes are being ended.
    Group(PathBuf),
    /// Say so once all that was ordered before is done.
    Tell(SyncSender<()>),
}

impl Sweeper {
    pub(super) fn start() -> io::Result<Self> {
        let (orders, incoming) = mpsc::channel();
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

    /// Never waits: those who order may not.
    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::warn!("what a run left behind is left to the next start: the sweeper is gone");
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
                if let Err(error) = patiently(|| tree::remove(&path), io::ErrorKind::DirectoryNotEmpty) {
                    tracing::warn!(path = %path.display(), %error, "a run's directory could not be removed");
                }
            }
            Self::Group(path) => {
                if let Err(error) = patiently(|| remove_group(&path), io::ErrorKind::ResourceBusy) {
                    tracing::warn!(path = %path.display(), %error, "a run's control group could not be removed");
                }
            }
            Self::Tell(told) => drop(told.try_send(())),
        }
    }
}

/// Tries again for a while what fails because processes that are being ended still stand in its way.
fn patiently(remove: impl Fn() -> io::Result<()>, in_the_way: io::ErrorKind) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match remove() {
            Err(error) if error.kind() == in_the_way && Instant::now() < until => {
                thread::sleep(Duration::from_millis(5));
            }
            removed => return removed,
        }
    }
}

fn remove_group(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        // Whoever cleared the groups of killed runners met it, too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
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

    #[test]
    fn who_orders_never_does_the_work() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("of a run");
        fs::create_dir(&directory).unwrap();
        let (orders, incoming) = mpsc::channel();
        let sweeper = Sweeper { orders };
        (0..1_000).for_each(|_| sweeper.directory(&directory));
        assert!(directory.exists(), "nobody has taken an order");
        drop(sweeper);
        carry_out(&incoming);
        assert!(!directory.exists());
    }

    #[test]
    fn what_is_still_written_into_is_removed_once_it_is_not() {
        let root = tempfile::tempdir().unwrap();
        let tries = std::cell::Cell::new(0);
        let remove = || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 {
                Err(io::ErrorKind::DirectoryNotEmpty.into())
            } else {
                fs::remove_dir(root.path())
            }
        };
        patiently(remove, io::ErrorKind::DirectoryNotEmpty).unwrap();
        assert_eq!(tries.get(), 3);
        let gone = patiently(|| fs::remove_dir(root.path()), io::ErrorKind::ResourceBusy).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound, "any other error is told at once");
    }
}
