//! What runs reach over the network. What an internet address needs beyond a route is not tested: tests run offline.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::thread::JoinHandle;

use rad_core::runner::RunOutcome;
use rad_runner::terraform::{Internet, Network};

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
