//! What goes wrong on the way through a router: loss in one direction, a kind of packet that does not pass, a large packet
//! that vanishes without a word.

use std::fmt::Write as _;

/// Which way a packet goes through a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the inside to the outside.
    Out,
    /// From the outside to the inside.
    In,
}

/// What a packet of the mesh is, as an observer on the way can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Path finding: UDP that begins with the six bytes of disco's magic (tailscale `disco/disco.go`, `Magic`).
    Disco,
    /// WireGuard: handshakes and data.
    WireGuard,
    /// WireGuard's data alone (type 4).
    Transport,
}

/// What goes wrong. Nothing, by default.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// What does not pass.
    pub dropped: Vec<(Direction, Traffic)>,
    /// Packets in a hundred that are lost, of whatever kind.
    pub loss_percent: Option<(Direction, u8)>,
    /// The router's word "packet too big" about UDP is kept back.
    pub silent_too_big: bool,
}

impl Direction {
    const fn test(self) -> &'static str {
        match self {
            Self::Out => "iifname lan",
            Self::In => "iifname wan",
        }
    }
}

impl Traffic {
    const fn test(self) -> &'static str {
        match self {
            Self::Disco => "meta l4proto udp @th,64,48 0x5453f09f92ac",
            Self::WireGuard => "meta l4proto udp @th,64,32 { 0x01000000, 0x02000000, 0x03000000, 0x04000000 }",
            Self::Transport => "meta l4proto udp @th,64,32 0x04000000",
        }
    }
}

impl Conditions {
    /// The rule set of a router; loading it replaces what was there.
    pub(crate) fn rules(&self) -> String {
        let mut through = String::new();
        for (direction, traffic) in &self.dropped {
            // Writing to a string cannot fail.
            let _written = writeln!(through, "{} {} drop", direction.test(), traffic.test());
        }
        if let Some((direction, percent)) = self.loss_percent {
            // The kernel's tool takes no bound at the end of the range.
            let per_mille = (u16::from(percent) * 10).min(999);
            let _written = writeln!(through, "{} numgen random mod 1000 < {per_mille} drop", direction.test());
        }
        let said = if self.silent_too_big {
            // Inside an ICMP error stands the head of the packet it is about: its protocol is the tenth byte (IPv4) or
            // the seventh (IPv6).
            "icmp type destination-unreachable icmp code 4 @th,136,8 17 drop\nicmpv6 type packet-too-big @th,112,8 17 drop"
        } else {
            ""
        };
        format!(
            "table inet labconditions {{}}
             delete table inet labconditions
             table inet labconditions {{
               chain through {{ type filter hook forward priority -5; {through}
               }}
               chain said {{ type filter hook output priority 0; {said}
               }}
             }}"
        )
    }
}
