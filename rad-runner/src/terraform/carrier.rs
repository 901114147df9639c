//! The network of a run: a network namespace, and pasta or slirp4netns, outside, which carries its packets.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use super::launcher::Launcher;
use super::network::{GATEWAY, Internet, OWN, RESOLVER, name_server, own_addresses, routes};
use super::sandbox::PATH;
use super::watchdog::Watchdog;

/// How long a network may take to come up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps a network namespace. It leaves what will be connected there without IPv6, which nobody carries, says that it is
/// there, sets the routes it is given once there is a way out, says so, and waits until nobody needs it any more.
const HOLDER: &str = "f=/proc/sys/net/ipv6/conf/default/disable_ipv6; [ ! -w $f ] || echo 1 > $f || :; echo; \
                      while read -r line && [ \"$line\" != . ]; do echo \"$line\"; done | ip -batch - >&2 || exit 125; \
                      echo; read -r over";

/// A program that carries the packets of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carrier {
    pub(super) executable: PathBuf,
    pub(super) kind: CarrierKind,
    settings: Internet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CarrierKind {
    Pasta,
    Slirp4netns,
}

impl CarrierKind {
    /// In the order of preference.
    pub(super) const ALL: [Self; 2] = [Self::Pasta, Self::Slirp4netns];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pasta => "pasta",
            Self::Slirp4netns => "slirp4netns",
        }
    }
}

/// A network that runs can be given; it lasts as long as the handle.
#[derive(Debug)]
pub(super) struct Connection {
    holder: Child,
    // Dropped before another process can have the id of the group it watches.
    _watchdog: Option<Watchdog>,
    // Its end is the holder's.
    _orders: ChildStdin,
    carrier: Child,
    terms: Terms,
}

/// What a connection depends on that may change: the addresses of the host, and its name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    /// What `ip -batch` has to do once there is a way out.
    routes: String,
    resolver: Option<Ipv4Addr>,
}

impl Connection {
    /// Whether it is as it would be made now.
    pub(super) fn holds(&self, terms: &Terms) -> bool {
        self.terms == *terms
    }

    /// Whether it still carries: neither of its processes has ended.
    pub(super) fn lives(&mut self) -> bool {
        [&mut self.holder, &mut self.carrier]
            .into_iter()
            .all(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// What stands before a command that is to run in it.
    pub(super) fn prefix(&self) -> Vec<String> {
        let process = self.holder.id().unwrap_or_default();
        let namespace = |kind: &str| format!("--{kind}=/proc/{process}/ns/{kind}");
        ["nsenter".to_owned(), "--preserve-credentials".to_owned(), namespace("user")]
            .into_iter()
            .chain([namespace("net"), "--".to_owned()])
            .collect()
    }
}

impl Carrier {
    pub(super) fn new(executable: PathBuf, kind: CarrierKind, settings: Internet) -> Self {
        Self { executable, kind, settings }
    }

    /// A connected network. `scratch` is a directory that module code does not see.
    pub(super) async fn connect(&self, scratch: &Path, launcher: &Launcher) -> io::Result<Connection> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--", "/bin/sh", "-c", HOLDER, "network"]);
        // Tells whoever looks at the processes what it was made with; which run claimed that is in the log.
        command.arg(scratch);
        command.env_clear().env("PATH", PATH).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = launcher.spawn(command).await?;
        let (Some(mut orders), Some(mut told)) = (holder.stdin.take(), holder.stdout.take()) else {
            return Err(io::Error::other("a network was started without pipes"));
        };
        let process = holder.id().ok_or_else(|| io::Error::other("a network ended at once"))?;
        let terms = self.terms();
        let connected = async {
            told.read_u8().await?;
            // Over the carrier too, which is of the same process group: changing its credentials, it forgets that it is
            // to die with its parent.
            let watchdog = launcher.watch(process).await?;
            let carrier = self.carry(process, terms.resolver, scratch, launcher).await?;
            orders.write_all(format!("{}.\n", terms.routes).as_bytes()).await?;
            told.read_u8().await?;
            Ok((watchdog, carrier))
        };
        match timeout(PATIENCE, connected).await.map_err(io::Error::from).flatten() {
            Ok((_watchdog, carrier)) => Ok(Connection { holder, _watchdog, _orders: orders, carrier, terms }),
            Err(error) => {
                let said = words(holder.stderr.take()).await;
                Err(io::Error::other(format!("a run gets no network: {error} {said}")))
            }
        }
    }

    /// What a connection made now depends on.
    pub(super) fn terms(&self) -> Terms {
        let trie = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
        let resolver = self.resolver();
        let answered = self.kind == CarrierKind::Slirp4netns || resolver.is_some();
        Terms { routes: routes(&self.settings.allow, &own_addresses(&trie), answered), resolver }
    }

    /// Starts to carry the packets of a process's namespaces.
    async fn carry(
        &self,
        process: u32,
        resolver: Option<Ipv4Addr>,
        scratch: &Path,
        launcher: &Launcher,
    ) -> io::Result<Child> {
        let ready = scratch.join("network.pid");
        let _ = fs::remove_file(&ready);
        let mut command = self.command(process, resolver, &ready);
        command.process_group(i32::try_from(process).map_err(io::Error::other)?);
        let mut child = launcher.spawn(command).await?;
        let up = match self.kind {
            CarrierKind::Pasta => written(&ready, &mut child).await,
            CarrierKind::Slirp4netns => match child.stdout.take() {
                Some(mut told) => told.read_u8().await.map(drop),
                None => Ok(()),
            },
        };
        match up {
            Ok(()) => Ok(child),
            Err(error) => {
                let said = words(child.stderr.take()).await;
                Err(io::Error::other(format!("{} does not work here: {error} {said}", self.kind.name())))
            }
        }
    }

    fn command(&self, process: u32, resolver: Option<Ipv4Addr>, ready: &Path) -> Command {
        // Killed with the platform, as the sandbox is.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.executable);
        match self.kind {
            CarrierKind::Pasta => {
                command.args(["--foreground", "--quiet", "--config-net", "--ipv4-only", "--no-map-gw"]);
                command.args(["--ns-ifname", "tap0", "--netmask", "24"]);
                command.arg("--address").arg(OWN.to_string()).arg("--gateway").arg(GATEWAY.to_string());
                // No port of the host's loopback inside, none of the run's outside.
                for ports in ["--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns"] {
                    command.args([ports, "none"]);
                }
                if let Some(server) = resolver {
                    command.arg("--dns").arg(server.to_string());
                    command.arg("--dns-forward").arg(RESOLVER.to_string());
                }
                if rustix::process::geteuid().is_root() {
                    // As anyone else it may not enter the namespaces; it gives up all privileges itself.
                    command.args(["--runas", "0:0"]);
                }
                command.arg("--pid").arg(ready).arg(process.to_string()).stdout(Stdio::null());
            }
            CarrierKind::Slirp4netns => {
                command.args([
                    "--configure",
                    "--disable-host-loopback",
                    "--enable-sandbox",
                    "--enable-seccomp",
                ]);
                command.args(["--mtu", "65520", "--ready-fd", "1"]);
                command.arg(format!("--userns-path=/proc/{process}/ns/user"));
                command.arg(process.to_string()).arg("tap0").stdout(Stdio::piped());
            }
        }
        command.env_clear().env("PATH", PATH).stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// The name server that answers runs, if the host has one that is not its own loopback.
    pub(super) fn resolver(&self) -> Option<Ipv4Addr> {
        // systemd keeps the servers behind its own in the second file.
        let hosts = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"].into_iter().find_map(|file| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().find_map(name_server)
        });
        self.settings.resolver.or(hosts)
    }
}

/// Waits until pasta wrote its process id, which it does once the network is up.
async fn written(file: &Path, child: &mut Child) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while fs::metadata(file).map_or(true, |file| file.len() == 0) {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(status.to_string()));
        }
        if Instant::now() > end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// The last words of a program that ended.
async fn words(stream: Option<ChildStderr>) -> String {
    let mut said = Vec::new();
    let Some(mut stream) = stream else { return String::new() };
    let _ = timeout(Duration::from_millis(200), stream.read_to_end(&mut said)).await;
    let said = String::from_utf8_lossy(&said);
    let lines = said.lines().filter(|line| !line.contains("syslog"));
    lines.collect::<Vec<_>>().join(" ").chars().take(300).collect()
}
