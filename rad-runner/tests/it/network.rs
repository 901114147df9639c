//! What runs reach over the network. What an internet address needs beyond a route is not tested: tests run offline.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use rad_core::runner::{RunOutcome, Runner, RunnerError};
use rad_runner::terraform::{Internet, Network, TerraformConfig, TerraformRunner};

use crate::support::{host_has, play, runner_with, running};

/// The address under which this host goes out, if it does.
fn own_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Sends nothing.
    socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9)).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(own) if !own.ip().is_loopback() => Some(*own.ip()),
        _ => None,
    }
}

/// Takes one connection and gives what came over it.
fn listen() -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = std::thread::spawn(move || {
        let mut came = String::new();
        listener.accept().unwrap().0.read_to_string(&mut came).unwrap();
        came
    });
    (port, taken)
}

/// Says for each address and port whether it is reached, and if not, why.
fn trying(targets: &[(Ipv4Addr, u16)]) -> String {
    let one = |(address, port): &(Ipv4Addr, u16)| {
        format!(
            "timeout 5 bash -c 'echo hello > /dev/tcp/{address}/{port}' 2>/tmp/said && echo reached {address} \
             || echo apart {address} $(tail -n 1 /tmp/said);"
        )
    };
    targets.iter().map(one).collect()
}

/// Tries IPv6, and says which addresses of it there are.
const BEYOND_IPV4: &str = "timeout 5 bash -c 'echo hello > /dev/tcp/2001:db8::1/80' 2>/tmp/said && echo six: reached \
                           || echo six: $(tail -n 1 /tmp/said); sed 's/^/address6 /' /proc/net/if_inet6 || true";

fn internet(allow: &[Ipv4Addr]) -> Network {
    Network::Internet(Internet {
        allow: allow.iter().map(|address| (*address).into()).collect(),
        resolver: None,
    })
}

#[tokio::test]
async fn without_a_network_the_host_is_out_of_reach() {
    let (port, _taken) = listen();
    let own = own_address().into_iter().map(|own| (own, port));
    let targets: Vec<_> = own.chain([(Ipv4Addr::LOCALHOST, port)]).collect();
    let (_root, runner) = runner_with(|config| config.network(Network::Off)).await;
    let (outcome, notes) = play(&runner, running(&trying(&targets))).await;
    assert_eq!(outcome, RunOutcome::Success, "{}", notes.log());
    assert!(
        !notes.log().contains("): reached") && notes.log().contains("): apart 127.0.0.1"),
        "{}",
        notes.log()
    );
}

#[tokio::test]
async fn the_internet_is_neither_the_host_nor_a_private_network_nor_metadata() {
    let (port, _taken) = listen();
    let (_root, runner) = runner_with(|config| config.network(internet(&[]))).await;
    let mut targets: Vec<_> =
        [[10, 1, 2, 3], [10, 0, 2, 2], [172, 20, 0, 1], [192, 168, 1, 1], [100, 100, 100, 200]]
            .into_iter()
            .chain([[169, 254, 169, 254], [168, 63, 129, 16], [224, 0, 0, 1]])
            .map(|address| (Ipv4Addr::from(address), 80))
            .collect();
    targets.extend(own_address().map(|own| (own, port)));
    let script = format!(
        "{} {} ip route add 10.0.0.0/8 via 10.0.2.2; ip route del unreachable 10.0.0.0/8; {BEYOND_IPV4}",
        trying(&[(Ipv4Addr::LOCALHOST, port)]),
        trying(&targets)
    );
    let (outcome, notes) = play(&runner, running(&script)).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    assert!(log.contains("): apart 127.0.0.1") && !log.contains("): reached"), "{log}");
    let routed = host_has("way to a network", own_address().is_some());
    for (address, _) in targets {
        // By a route, at once: an address may be out of reach for other reasons.
        let line = log.lines().find(|line| line.contains(&format!("apart {address} "))).unwrap_or_default();
        assert!(line.contains("No route to host") || line.contains("unreachable"), "{address}: {log}");
    }
    assert!(!routed || log.matches("Operation not permitted").count() >= 2, "routes stay as they are: {log}");
    assert!(log.contains("): six: ") && !log.contains("): six: reached"), "{log}");
    let addresses = log.lines().filter(|line| line.contains("): address6 "));
    assert!(
        addresses.clone().all(|line| line.ends_with(" lo")),
        "only the loopback has an address of IPv6: {log}"
    );
}

#[tokio::test]
async fn what_is_allowed_is_reached() {
    let own = own_address();
    let there = host_has("way to a network", own.is_some());
    let Some(own) = own.filter(|_| there) else { return };
    let (port, taken) = listen();
    let (_root, runner) = runner_with(|config| config.network(internet(&[own]))).await;
    let script = format!("{} cat /etc/resolv.conf", trying(&[(own, port), ([10, 1, 2, 3].into(), 80)]));
    let (outcome, notes) = play(&runner, running(&script)).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    assert!(log.contains(&format!("): reached {own}")) && log.contains("): apart 10.1.2.3"), "{log}");
    assert!(log.contains("nameserver 10.0.2.3"), "{log}");
    assert_eq!(taken.join().unwrap(), "hello\n");
}

#[tokio::test]
async fn without_pasta_slirp4netns_carries() {
    let own = own_address();
    let programs = ["bwrap", "slirp4netns"].map(found);
    let there = own.is_some() && programs.iter().all(Option::is_some);
    if !host_has("way to a network, bubblewrap and slirp4netns", there) {
        return;
    }
    // A PATH without pasta, in a process of its own: the environment is shared by all tests of this one.
    let path = tempfile::tempdir().unwrap();
    for program in programs.into_iter().flatten() {
        symlink(&program, path.path().join(program.file_name().unwrap())).unwrap();
    }
    let engine = rad_runner::terraform::find_engine();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "network::by_slirp4netns_alone", "--nocapture"])
        .env("RAD_TERRAFORM", engine.expect("these tests need OpenTofu or Terraform on this machine"))
        .env("RAD_TEST_CARRIER", "slirp4netns")
        .env("PATH", path.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && printed.contains("carried and refused"), "{printed} {said}");
}

/// The part of [`without_pasta_slirp4netns_carries`] that runs in a process of its own.
#[tokio::test]
async fn by_slirp4netns_alone() {
    let Some(own) = own_address().filter(|_| std::env::var_os("RAD_TEST_CARRIER").is_some()) else { return };
    let (port, taken) = listen();
    let (_root, runner) = runner_with(|config| config.network(internet(&[own]))).await;
    let measures = &runner.enforcement().await.unwrap().measures;
    let network = measures.iter().find(|one| one.what == "network").unwrap();
    assert_eq!((network.means.as_deref(), &network.gap), (Some("slirp4netns"), &None));
    let script = format!("{} cat /etc/resolv.conf", trying(&[(own, port), ([10, 1, 2, 3].into(), 80)]));
    let (outcome, notes) = play(&runner, running(&script)).await;
    let log = notes.log();
    assert_eq!(outcome, RunOutcome::Success, "{log}");
    assert!(log.contains(&format!("): reached {own}")) && log.contains("): apart 10.1.2.3"), "{log}");
    assert!(log.contains("nameserver 10.0.2.3"), "{log}");
    assert_eq!(taken.join().unwrap(), "hello\n");

    // Another name server than the host's is one that it would not ask.
    let root = tempfile::tempdir().unwrap();
    let named = Internet { resolver: Some([192, 0, 2, 53].into()), ..Internet::default() };
    let config = TerraformConfig::builder(root.path()).network(Network::Internet(named));
    let runner = TerraformRunner::new(config.build().unwrap()).unwrap();
    let refused = runner.engine().await.unwrap_err();
    let RunnerError::NoSandbox { reason, mend } = refused else { panic!("{refused}") };
    assert!(reason.contains("not the configured resolver") && mend.contains("passt"), "{reason}: {mend}");
    println!("carried and refused");
}

fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|path| path.is_file())
}
