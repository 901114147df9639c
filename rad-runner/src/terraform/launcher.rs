//! The one thread that starts engines.
//!
//! An engine asks the kernel to be killed when its parent dies, so that no engine outlives a killed platform. For the
//! kernel the parent is the *thread* that started it, and a runtime's threads come and go; this one stays.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Starts processes from a thread that lives as long as the launcher.
#[derive(Debug)]
pub(super) struct Launcher {
    orders: mpsc::Sender<Order>,
}

struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

impl Launcher {
    pub(super) fn start() -> io::Result<Self> {
        let (orders, incoming) = mpsc::channel::<Order>();
        thread::Builder::new().name("rad-launcher".to_owned()).spawn(move || {
            for mut order in incoming {
                let _entered = order.runtime.enter();
                // A caller that is gone drops the child, which kills it.
                let _ = order.reply.send(order.command.spawn());
            }
        })?;
        Ok(Self { orders })
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
