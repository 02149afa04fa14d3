//! Ports, and destinations with ports: `80`, `80-443`, `22,80`, `*`; `tag:web:443`, `[fd7a::1]:80`.
//!
//! The words of refusals are those of tailscale `tailcfg/proto_port_range.go`, which the hosted service uses.

use std::net::Ipv6Addr;

use wattle_netmap::PortRange;

use super::alias::alias;
use super::document::Alias;
use super::finding::Wrong;
use super::quote::quote;
use crate::limits;

/// A destination of `acls` and `tests`: an alias, a colon, ports.
pub(super) fn destination(text: &str) -> Result<(Alias, Vec<PortRange>), Wrong> {
    let text = text.trim();
    let about = format!("dst={}: ", quote(text));
    let (host, list) = split(text).map_err(|wrong| wrong.within(&about))?;
    let ranges = ranges(list).map_err(|wrong| wrong.within(&about))?;
    Ok((alias(&host)?, ranges))
}

/// Splits at the last colon; the brackets around an IPv6 address are taken off.
fn split(text: &str) -> Result<(String, &str), Wrong> {
    let missing = || {
        Wrong::new("hostport must contain a colon (\":\")").hint("say to which ports, such as :443 or :22,80-90 or :*")
    };
    let (host, ports) = text.rsplit_once(':').ok_or_else(missing)?;
    if let Some(bracketed) = host.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').unwrap_or((bracketed, "["));
        let wrong = || {
            let message = format!("square brackets are only valid around IPv6 addresses: {}", quote(address));
            Wrong::new(message).hint("such as [fd7a::1]:80")
        };
        if address.parse::<Ipv6Addr>().is_err() || !(rest.is_empty() || rest.starts_with('/')) {
            return Err(wrong());
        }
        return Ok((format!("{address}{rest}"), ports));
    }
    if host.is_empty() {
        return Err(Wrong::new("input cannot start with a colon character").hint("say to whom, such as tag:web:443"));
    }
    Ok((host.into(), ports))
}

/// A list of ports and ranges, or `*`.
fn ranges(text: &str) -> Result<Vec<PortRange>, Wrong> {
    let length = text.split(',').count();
    if length > limits::PORT_RANGES_MAX {
        return Err(Wrong::new(format!("port list has {length} elements"))
            .hint(format!("at most {}: ranges such as 8000-8999 are shorter", limits::PORT_RANGES_MAX)));
    }
    text.split(',').map(|part| range(part.trim())).collect()
}

/// One port, one range, or `*`.
pub(super) fn range(text: &str) -> Result<PortRange, Wrong> {
    if text == "*" {
        return Ok(PortRange::ANY);
    }
    if text.is_empty() {
        return Err(Wrong::new("invalid port list: \"\"").hint("a port, a range such as 80-90, or *"));
    }
    let wrong = |why: &str| Wrong::new(format!("port range {}: {why}", quote(text)));
    let mut parts = text.split('-');
    let first = port(parts.next().unwrap_or_default());
    let last = parts.next().map(port);
    if parts.next().is_some() {
        return Err(wrong("too many dashes(-)").hint("a range has one dash: 80-90"));
    }
    let numbers = "ports are numbers from 1 to 65535, or * for all";
    let first = first.ok_or_else(|| wrong("invalid first integer").hint(numbers))?;
    let last = last.unwrap_or(Some(first)).ok_or_else(|| wrong("invalid last integer").hint(numbers))?;
    if first == 0 {
        return Err(wrong("first port must be >0, or use '*' for wildcard").hint(numbers));
    }
    if first > last {
        return Err(wrong("first port must be >= last port").hint(format!("the other way round: {last}-{first}")));
    }
    Ok(PortRange { first, last })
}

fn port(digits: &str) -> Option<u16> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
