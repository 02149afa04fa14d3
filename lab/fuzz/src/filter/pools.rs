//! Addresses, ports and protocols that are likely to meet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arbitrary::{Result, Unstructured};
use wattle_netmap::{PortRange, Prefix};
use wattle_packet::protocol;

/// Names of capabilities; nobody has the last.
pub(super) const CAPABILITIES: [&str; 3] = ["cap:a", "cap:b", "cap:none"];

const PORTS: [u16; 8] = [0, 1, 22, 53, 80, 443, 65534, 65535];
const PROTOCOLS: [u8; 8] =
    [protocol::ICMP, protocol::TCP, protocol::UDP, protocol::ICMPV6, protocol::TSMP, protocol::SCTP, 0, 255];
const BASES: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)),
    IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)),
    IpAddr::V6(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0)),
    IpAddr::V6(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0)),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    // The IPv4 pool, mapped: not the same as the IPv4 pool.
    IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x6440, 0)),
    IpAddr::V4(Ipv4Addr::new(10, 1, 0, 0)),
];
const ODD: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::BROADCAST),
    IpAddr::V4(Ipv4Addr::new(224, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

pub(super) fn address(u: &mut Unstructured<'_>) -> Result<IpAddr> {
    let byte: u8 = u.arbitrary()?;
    let (base, low) = (usize::from(byte >> 4), byte & 15);
    Ok(match BASES.get(base) {
        Some(IpAddr::V4(base)) => Ipv4Addr::from_bits(base.to_bits() | u32::from(low)).into(),
        Some(IpAddr::V6(base)) => Ipv6Addr::from_bits(base.to_bits() | u128::from(low)).into(),
        None if base == 15 => u.arbitrary::<Ipv4Addr>()?.into(),
        None if base == 14 => u.arbitrary::<Ipv6Addr>()?.into(),
        None => *u.choose(&ODD)?,
    })
}

pub(super) fn prefix(u: &mut Unstructured<'_>) -> Result<Prefix> {
    let address = address(u)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    // Mostly long prefixes: short ones hold everything.
    let shorter: u8 = u.arbitrary()?;
    let length = if shorter < 128 { longest - shorter % 5 } else { longest.saturating_sub(shorter & 127) };
    Ok(Prefix::new(address, length).unwrap_or(Prefix::from(address)))
}

pub(super) fn port(u: &mut Unstructured<'_>) -> Result<u16> {
    if u.ratio(1, 8)? { u.arbitrary() } else { Ok(*u.choose(&PORTS)?) }
}

/// Ports in a row; now and then the last before the first.
pub(super) fn ports(u: &mut Unstructured<'_>) -> Result<PortRange> {
    Ok(match u.int_in_range(0..=3)? {
        0 => PortRange::ANY,
        1 => PortRange::one(port(u)?),
        _ => PortRange { first: port(u)?, last: port(u)? },
    })
}

pub(super) fn protocol(u: &mut Unstructured<'_>) -> Result<u8> {
    if u.ratio(1, 8)? { u.arbitrary() } else { Ok(*u.choose(&PROTOCOLS)?) }
}
