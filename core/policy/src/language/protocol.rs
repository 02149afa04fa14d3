//! IP protocols by name or number, and packets by protocol and ports: `tcp:443`, `icmp:*`, `22`, `*`.

use wattle_netmap::PortRange;

use super::finding::Wrong;
use super::near::near;
use super::ports::range;
use super::quote::quote;

/// Names that the policy language knows (policy reference, `proto`; tailscale `types/ipproto` has the rest).
const NAMES: [(&str, u8); 18] = [
    ("icmp", 1),
    ("icmpv4", 1),
    ("igmp", 2),
    ("ipv4", 4),
    ("ip-in-ip", 4),
    ("tcp", TCP),
    ("egp", 8),
    ("igp", 9),
    ("udp", UDP),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("tsmp", 99),
    ("sctp", SCTP),
    ("fc", 133),
];
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// The `proto` of a rule; empty text: no protocol in particular.
pub(super) fn protocols(text: &str) -> Result<Vec<u8>, Wrong> {
    let text = text.trim();
    if text.is_empty() { Ok(Vec::new()) } else { protocol(text).map(|number| vec![number]) }
}

/// One element of a grant's `ip`. The official code lets every protocol have ports here (tailscale
/// `tailcfg/proto_port_range.go`).
pub(super) fn packets(text: &str) -> Result<(Vec<u8>, Vec<PortRange>), Wrong> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Wrong::new("empty string").hint("ports such as 443 or 80-90, tcp:443, or * for everything"));
    }
    let Some((name, ports)) = text.rsplit_once(':') else {
        return Ok((Vec::new(), vec![range(text)?]));
    };
    let ports = range(ports)?;
    let numbers = match name {
        "" => return Err(Wrong::new("empty protocol").hint("the protocol stands before the colon: tcp:443")),
        "*" => Vec::new(),
        // Grants read numbers as numbers (tailscale `types/ipproto`): 06 is 6, and 0 is no protocol in particular.
        name => match number(name) {
            Some(0) => Vec::new(),
            Some(number) => vec![number],
            None => vec![protocol(name)?],
        },
    };
    Ok((numbers, vec![ports]))
}

/// Only TCP, UDP and SCTP know ports; in `acls` others have none.
pub(super) fn ports_allowed(protocols: &[u8], ports: &[PortRange], name: &str) -> Result<(), Wrong> {
    let known = protocols.iter().all(|protocol| [TCP, UDP, SCTP].contains(protocol));
    if known || ports.iter().all(|range| *range == PortRange::ANY) {
        return Ok(());
    }
    Err(Wrong::new(format!("protocol does not support specific ports: {}, only \"*\" is allowed", quote(name)))
        .hint("only tcp, udp and sctp have ports: write * for the ports"))
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn protocol(text: &str) -> Result<u8, Wrong> {
    if let Some((_, number)) = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*number);
    }
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    if is_number && text.starts_with('0') {
        return Err(Wrong::new(format!("leading 0 not permitted in protocol number: {}", quote(text)))
            .hint("write the number without the zero; without a protocol, TCP, UDP and ICMP are meant"));
    }
    if let Some(number) = number(text) {
        return Ok(number);
    }
    let hint = match near(text, NAMES.iter().map(|(name, _)| *name)) {
        Some(name) => format!("did you mean {name:?}?"),
        None if is_number => format!("protocol number out of range (0-255): {text}"),
        None if text == "*" => "leave proto out for TCP, UDP and ICMP".into(),
        None => "a name such as tcp, udp, icmp, sctp, gre, or an IP protocol number".into(),
    };
    let message = format!(
        "proto name {} not known; use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)",
        quote(text)
    );
    Err(Wrong::new(message).hint(hint))
}

/// Whether packets of this protocol can be claimed about in `tests`.
pub(super) fn is_testable(protocols: &[u8]) -> bool {
    protocols.iter().all(|protocol| [TCP, UDP, SCTP].contains(protocol))
}
