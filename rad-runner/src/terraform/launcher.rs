//! The one thread that starts engines, and whose heart beats for their watchdogs.
//!
//! An engine asks the kernel to be killed when its parent dies, so that no engine outlives a killed platform. For the
//! kernel the parent is the *thread* that started it, and a runtime's threads come and go; this one stays.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::watchdog::{BEAT, Heart, Watchdog};

/// Starts processes from a thread that lives as long as the launcher.
#[derive(Debug)]
pub(super) struct Launcher {
    orders: mpsc::Sender<Order>,
    heart: Heart,
    patience: Duration,
}

struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

impl Launcher {
    /// `patience` is how long engines may go on while this process stands still.
    pub(super) fn start(patience: Duration) -> io::Result<Self> {
        let (orders, incoming) = mpsc::channel::<Order>();
        let heart = Heart::default();
        let beating = heart.clone();
        thread::Builder::new()
            .name("rad-launcher".to_owned())
            .spawn(move || carry_out(&incoming, &beating))?;
        Ok(Self { orders, heart, patience })
    }

    /// Has a watchdog kill the process group that `leader` leads, should this process stand still.
    pub(super) async fn watch(&self, leader: u32) -> io::Result<Option<Watchdog>> {
        self.heart.watch(leader, self.patience, async |command| self.spawn(command).await).await
    }

    /// Starts a process; it is killed when its handle is dropped.
    pub(super) async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        command.kill_on_drop(true);
        let gone = || io::Error::other("the launcher's thread is gone");
        let (reply, started) = oneshot::channel();
        let order = Order { command, runtime: Handle::current(), reply };
        self.orders.send(order).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}

/// Starts what is ordered, and lets the heart beat meanwhile, until nobody can order any more.
fn carry_out(incoming: &mpsc::Receiver<Order>, heart: &Heart) {
    let mut due = Instant::now();
    loop {
        let wait = due.saturating_duration_since(Instant::now());
        match incoming.recv_timeout(wait) {
            Ok(mut order) => {
                let _entered = order.runtime.enter();
                // A caller that is gone drops the child, which kills it.
                let _ = order.reply.send(order.command.spawn());
            }
            Err(RecvTimeoutError::Timeout) => {
                heart.beat();
                due = Instant::now() + BEAT;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
