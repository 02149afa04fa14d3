//! Packets: whole ones of every kind that a filter tells apart, damaged ones, and plain noise.

use std::net::IpAddr;

use arbitrary::{Result, Unstructured};
use wattle_packet::{build, protocol};

use super::pools;

const NOISE_BYTES_MAX: usize = 80;

pub(super) fn write(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let shape: u8 = u.arbitrary()?;
    if shape & 15 == 0 {
        return noise(u, out);
    }
    let (from, to) = same_version(pools::address(u)?, pools::address(u)?);
    let kind = pools::protocol(u)?;
    let [from_port, to_port] = [pools::port(u)?.to_be_bytes(), pools::port(u)?.to_be_bytes()];
    let ports = [from_port[0], from_port[1], to_port[0], to_port[1]];
    let mut payload = Vec::new();
    match kind {
        protocol::TCP => {
            payload.extend(ports);
            payload.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, u.arbitrary()?, 0, 0, 0, 0, 0, 0]);
        }
        protocol::UDP => {
            payload.extend(ports);
            payload.extend([0, 8, 0, 0]);
        }
        protocol::ICMP | protocol::ICMPV6 => payload.extend([u.arbitrary()?, 0, 0, 0, 0, 1, 0, 1]),
        _ => {
            payload.extend(ports);
            noise(u, &mut payload)?;
        }
    }
    build::ip(from, to, kind, &payload, out).expect("two addresses of one version and a short payload");
    if shape & 0x30 == 0x30 {
        let at = u.choose_index(out.len())?;
        out[at] = u.arbitrary()?;
    }
    if shape & 0xc0 == 0xc0 {
        out.truncate(u.choose_index(out.len())?);
    }
    Ok(())
}

fn noise(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let length = u.int_in_range(0..=NOISE_BYTES_MAX)?.min(u.len());
    out.extend_from_slice(u.bytes(length)?);
    Ok(())
}

/// The second address in the version of the first.
fn same_version(first: IpAddr, second: IpAddr) -> (IpAddr, IpAddr) {
    let second = match (first, second) {
        (IpAddr::V4(_), IpAddr::V6(second)) => std::net::Ipv4Addr::from_bits(second.to_bits() as u32).into(),
        (IpAddr::V6(_), IpAddr::V4(second)) => second.to_ipv6_mapped().into(),
        (_, second) => second,
    };
    (first, second)
}
