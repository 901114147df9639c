//! What a run reaches over the network, and the routes that keep it from the rest.
//!
//! A run gets a network namespace of its own, connected by a `carrier`; routes inside lead nowhere for what is forbidden.
//! They are set in a user namespace above that of module code, which therefore cannot change them.

use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// What runs reach over the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Network {
    /// Nothing but a loopback of the run's own.
    Off,
    /// The internet, and of what is not the internet only what is allowed. Needs pasta (Debian package `passt`) or
    /// slirp4netns, and `ip` (`iproute2`).
    Internet(Internet),
    /// Whatever the host reaches, its loopback and the metadata of its cloud included: for trusted modules only.
    Host,
}

/// The internet over IPv4, without the addresses of the host, private, link-local, shared, reserved and multicast ranges,
/// and the addresses under which clouds tell machines their credentials. There is no IPv6 in such a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Internet {
    /// Ranges reached all the same. An address of the host or a metadata address has to be named alone (`/32`).
    pub allow: Vec<Ipv4Net>,
    /// The name server that answers runs; otherwise the first of the host's. Only pasta can ask one that is not the host's.
    pub resolver: Option<Ipv4Addr>,
}

impl Default for Network {
    fn default() -> Self {
        Self::Internet(Internet::default())
    }
}

/// Where the run finds its gateway, its name server and itself.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
pub(super) const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
pub(super) const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);

/// What is not the internet (IANA's registry of special-purpose addresses).
const SPECIAL: [(Ipv4Addr, u8); 10] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Where clouds tell machines about themselves: most of them, those of containers on AWS (ECS, EKS), Oracle, Alibaba, Azure.
const METADATA: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// Whether this host has a default route.
pub(super) fn reaches_out() -> bool {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    routes.lines().any(|line| line.split_whitespace().nth(1) == Some("00000000"))
}

/// A server that a line of `resolv.conf` names, other than the loopback.
pub(super) fn name_server(line: &str) -> Option<Ipv4Addr> {
    let server: IpAddr = line.strip_prefix("nameserver")?.trim().parse().ok()?;
    match server {
        IpAddr::V4(server) if !server.is_loopback() => Some(server),
        _ => None,
    }
}

/// The addresses that the kernel's routes call local, without the loopback.
pub(super) fn own_addresses(fib_trie: &str) -> Vec<Ipv4Addr> {
    let mut own = Vec::new();
    let mut last = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            own.extend(last.filter(|address| !address.is_loopback() && !own.contains(address)));
        }
    }
    own
}

/// Routes that lead nowhere for what is forbidden, and over the gateway for what is allowed.
pub(super) fn routes(allow: &[Ipv4Net], own: &[Ipv4Addr], resolver: bool) -> String {
    let mut text = String::new();
    // The link itself goes, so that the gateway is a way and no place.
    let mut line = |route: std::fmt::Arguments<'_>| _ = writeln!(text, "route {route}");
    let ranges = SPECIAL.iter().filter_map(|(address, length)| Ipv4Net::new(*address, *length).ok());
    for range in ranges.filter(|range| !allow.iter().any(|allowed| allowed.contains(range))) {
        line(format_args!("replace unreachable {range}"));
    }
    let alone = |address: &Ipv4Addr| allow.contains(&Ipv4Net::from(*address));
    for address in own.iter().chain(&METADATA).filter(|address| !alone(address)) {
        line(format_args!("replace unreachable {address}/32"));
    }
    for range in allow {
        line(format_args!("replace {range} via {GATEWAY} dev tap0 onlink"));
    }
    if resolver {
        line(format_args!("replace {RESOLVER}/32 dev tap0"));
    }
    line(format_args!("delete {GATEWAY_LINK} dev tap0"));
    text
}

/// The range that the carriers put on the link.
const GATEWAY_LINK: &str = "10.0.2.0/24";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_internet_leads_nowhere_unless_it_is_allowed() {
        let own = [Ipv4Addr::new(203, 0, 113, 5)];
        let nothing = routes(&[], &own, true);
        for range in
            ["10.0.0.0/8", "172.16.0.0/12", "169.254.169.254/32", "203.0.113.5/32", "168.63.129.16/32"]
        {
            assert!(nothing.contains(&format!("route replace unreachable {range}\n")), "{range}: {nothing}");
        }
        let allow: Vec<Ipv4Net> =
            ["10.0.0.0/7", "192.168.7.0/24", "169.254.0.0/16"].map(|net| net.parse().unwrap()).to_vec();
        let some = routes(&allow, &own, false);
        assert!(!some.contains("unreachable 10.0.0.0/8") && !some.contains(&RESOLVER.to_string()), "{some}");
        assert!(some.contains("unreachable 192.168.0.0/16"), "{some}");
        assert!(some.contains("route replace 192.168.7.0/24 via 10.0.2.2 dev tap0 onlink"), "{some}");
        for address in ["169.254.169.254", "169.254.170.2", "169.254.170.23"] {
            assert!(some.contains(&format!("unreachable {address}/32")), "only named alone: {some}");
        }
        let alone = routes(&["203.0.113.5/32".parse().unwrap()], &own, false);
        assert!(!alone.contains("unreachable 203.0.113.5"), "{alone}");
    }

    #[test]
    fn the_hosts_own_addresses_are_read_from_its_routes() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.0\n        \
                    /24 link UNICAST\n     |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n\
                    Main:\n     |-- 192.0.2.2\n        /32 host LOCAL\n";
        assert_eq!(own_addresses(trie), [Ipv4Addr::new(192, 0, 2, 2)]);
    }

    #[test]
    fn a_name_server_on_the_loopback_is_none() {
        let servers =
            ["nameserver 127.0.0.53", "nameserver ::1", "# nameserver 9.9.9.9", "nameserver 9.9.9.9"];
        assert_eq!(servers.map(name_server), [None, None, None, Some(Ipv4Addr::new(9, 9, 9, 9))]);
    }
}
