//! The `cidr…` functions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Arguments;
use crate::module::eval::{Fault, Outcome};
use crate::module::types::Type;
use crate::module::value::Value;

pub(super) fn call(args: &Arguments<'_>) -> Option<Outcome> {
    Some(match args.function {
        "cidrhost" => host(args),
        "cidrnetmask" => netmask(args),
        "cidrsubnet" => subnet(args),
        "cidrsubnets" => subnets(args),
        _ => return None,
    })
}

/// A network: its first address as a number, its prefix and the bits of its addresses (32 or 128).
#[derive(Clone, Copy)]
struct Network {
    first: u128,
    prefix: u32,
    bits: u32,
}

impl Network {
    fn parse(args: &Arguments<'_>, text: &str) -> Result<Self, Fault> {
        let wrong = || args.fail(format_args!("{text:?} is not a network like 10.0.0.0/8"));
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
        let (number, bits) = match parse_address(address).ok_or_else(wrong)? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        if prefix > bits {
            return Err(wrong());
        }
        let network = Self { first: number, prefix, bits };
        Ok(Self { first: number & !network.host_mask(), ..network })
    }

    /// Ones where addresses of the network differ.
    const fn host_mask(self) -> u128 {
        match self.bits - self.prefix {
            128 => u128::MAX,
            host_bits => (1 << host_bits) - 1,
        }
    }

    fn address(self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if self.bits == 32 => Ipv4Addr::from_bits(number).into(),
            _ => Ipv6Addr::from_bits(number).into(),
        }
    }

    fn text(self) -> Value {
        Value::String(format!("{}/{}", self.address(self.first), self.prefix))
    }

    /// The subnet number `index` among those with `new_bits` more bits of prefix.
    fn subnet(self, args: &Arguments<'_>, new_bits: u32, index: u128) -> Result<Self, Fault> {
        let prefix = self.prefix.saturating_add(new_bits);
        if prefix > self.bits {
            return Err(args.fail(format_args!("the network has no room for {new_bits} more bits of prefix")));
        }
        if new_bits < 128 && index >> new_bits != 0 {
            return Err(args.fail(format_args!("there is no subnet number {index} with {new_bits} bits")));
        }
        let offset = index.checked_shl(self.bits - prefix).unwrap_or(0);
        Ok(Self { first: self.first | offset, prefix, bits: self.bits })
    }
}

/// Terraform still takes the leading zeros of IPv4 addresses for decimal.
fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| !part.is_empty() && part.len() <= 3)?;
        *octet = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u8>().ok()).flatten()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets).into())
}

fn host(args: &Arguments<'_>) -> Outcome {
    args.count(2..=2)?;
    let network = Network::parse(args, &args.string(0)?)?;
    let number = args.integer(1)?;
    let magnitude = u128::from(number.unsigned_abs());
    let outside = || args.fail(format_args!("the network has no host number {number}"));
    // Negative numbers count from the end.
    let offset = match number {
        0.. => Some(magnitude).filter(|offset| *offset <= network.host_mask()),
        _ => (network.host_mask()).checked_sub(magnitude - 1),
    };
    let address = network.address(network.first | offset.ok_or_else(outside)?);
    Ok(Value::String(address.to_string()))
}

fn netmask(args: &Arguments<'_>) -> Outcome {
    args.count(1..=1)?;
    let network = Network::parse(args, &args.string(0)?)?;
    if network.bits != 32 {
        return Err(args.fail("only IPv4 networks have a netmask"));
    }
    let mask = u128::from(u32::MAX) & !network.host_mask();
    Ok(Value::String(network.address(mask).to_string()))
}

fn bits(args: &Arguments<'_>, number: i64) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| args.fail("a prefix cannot become shorter"))
}

fn subnet(args: &Arguments<'_>) -> Outcome {
    args.count(3..=3)?;
    let network = Network::parse(args, &args.string(0)?)?;
    let index = u128::try_from(args.integer(2)?)
        .map_err(|_| Fault::deferred("a negative subnet number, which not every Terraform takes"))?;
    Ok(network.subnet(args, bits(args, args.integer(1)?)?, index)?.text())
}

/// Consecutive subnets, each aligned to its own size.
fn subnets(args: &Arguments<'_>) -> Outcome {
    args.count(1..=usize::MAX)?;
    let network = Network::parse(args, &args.string(0)?)?;
    let full = || args.fail("the network has no room for so many subnets");
    let mut next = Some(network.first);
    let mut subnets = Vec::new();
    for index in 1..args.values.len() {
        let new_bits = bits(args, args.integer(index)?)?;
        if new_bits == 0 {
            return Err(args.fail("a subnet needs at least one more bit of prefix"));
        }
        let shape = network.subnet(args, new_bits, 0)?;
        let mask = shape.host_mask();
        let start = next.ok_or_else(full)?;
        let aligned = start.checked_add(mask).ok_or_else(full)? & !mask;
        if aligned - network.first > network.host_mask() {
            return Err(full());
        }
        subnets.push(Network { first: aligned, ..shape }.text());
        next = (aligned | mask).checked_add(1);
    }
    let strings = Type::List(Box::new(Type::String));
    super::convert_value(Value::List(subnets), &strings).map_err(|e| args.fail(e))
}
