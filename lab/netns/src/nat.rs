//! The kinds of router, in the words of RFC 4787, and the nftables rules that make the kernel behave so.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// How a router translates IPv4, and what it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Endpoint-independent mapping and filtering: once a port is open, anybody may send to it.
    EndpointIndependent,
    /// Endpoint-independent mapping, address-dependent filtering: only addresses that were sent to may answer.
    AddressRestricted,
    /// Endpoint-independent mapping, address- and port-dependent filtering: only exact endpoints may answer.
    PortRestricted,
    /// Address- and port-dependent mapping and filtering: another random port towards every destination.
    Symmetric,
    /// Two routers in a row, both port-restricted, as behind a carrier's NAT.
    Double,
    /// A carrier's router as RFC 6888 wants it: endpoint-independent, and its subscribers reach each other at their
    /// public endpoints (hairpinning).
    Carrier,
    /// No UDP passes at all; TCP is translated.
    UdpBlocked,
    /// Only TCP to port 443 passes.
    Tcp443,
}

/// What a router does with IPv6, which it never translates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Six {
    /// There is none behind it.
    #[default]
    None,
    /// Everything passes.
    Open,
    /// Stateful: what was not asked for from inside does not come in.
    Firewall,
}

/// What a router's rules are made from.
#[derive(Clone, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) nat: Nat,
    pub(crate) six: Six,
    /// Its own outer address; what hairpins is sent there.
    pub(crate) outer: Ipv4Addr,
    /// Its own inner address, in a network of 256.
    pub(crate) inner: Ipv4Addr,
    /// Source ports that a reboot has moved to others.
    pub(crate) moved: &'a [(u16, u16)],
}

impl Nat {
    /// The words to show people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
            Self::Double => "double",
            Self::Carrier => "carrier",
            Self::UdpBlocked => "udp-blocked",
            Self::Tcp443 => "tcp-443",
        }
    }

    /// What lets unsolicited packets in. `owners` remembers who uses which outer port.
    const fn inward(self) -> &'static str {
        const TO_OWNER: &str = "iifname wan meta l4proto udp dnat ip to udp dport map @owners";
        match self {
            Self::EndpointIndependent | Self::Carrier => TO_OWNER,
            Self::AddressRestricted => "iifname wan udp dport . ip saddr @contacted dnat ip to udp dport map @owners",
            Self::PortRestricted | Self::Symmetric | Self::Double | Self::UdpBlocked | Self::Tcp443 => "",
        }
    }

    /// What is kept from passing at all, in both families.
    const fn blocked(self) -> &'static str {
        match self {
            Self::UdpBlocked => BLOCK_UDP,
            Self::Tcp443 => "meta l4proto udp drop\niifname lan tcp dport != 443 drop",
            Self::EndpointIndependent
            | Self::AddressRestricted
            | Self::PortRestricted
            | Self::Symmetric
            | Self::Double
            | Self::Carrier => "",
        }
    }
}

impl Six {
    /// The words to show people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Firewall => "firewall",
        }
    }
}

impl Rules<'_> {
    /// The whole rule set; loading it replaces what was there.
    ///
    /// The kernel's masquerade keeps source ports while they are free, so its mapping is endpoint-independent and its
    /// filtering exact; `fully-random` makes it differ per destination. Unsolicited packets are dropped before they are
    /// tracked: otherwise they would occupy the very port that a later mapping needs.
    pub(crate) fn text(&self) -> String {
        let Self { nat, six, outer, inner, moved } = self;
        let mut masquerade = String::new();
        // Where ports are random they are others after a reboot anyhow.
        let moved = if *nat == Nat::Symmetric { &[][..] } else { moved };
        for (from, to) in moved {
            // Writing to a string cannot fail.
            let _written = writeln!(masquerade, "oifname wan udp sport {from} masquerade to :{to}");
        }
        masquerade += match nat {
            Nat::Symmetric => "oifname wan masquerade fully-random",
            _ => "oifname wan masquerade",
        };
        let hairpin = match nat {
            Nat::Carrier => {
                format!("iifname lan ip daddr {outer} meta l4proto udp dnat ip to udp dport map @owners")
            }
            _ => String::new(),
        };
        let six_closed = match six {
            Six::Firewall => "iifname wan ct state new drop",
            Six::None | Six::Open => "",
        };
        let (inward, blocked) = (nat.inward(), nat.blocked());
        format!(
            "table ip lab {{}}
             table inet labthrough {{}}
             delete table ip lab
             delete table inet labthrough
             table ip lab {{
               map owners {{ type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 4096; }}
               set contacted {{ type inet_service . ipv4_addr; flags dynamic,timeout; size 4096; }}
               chain inward {{ type nat hook prerouting priority dstnat; {inward}
                 {hairpin}
               }}
               chain outward {{ type nat hook postrouting priority srcnat;
                 oifname lan ip saddr {inner}/24 ct status dnat snat to {outer}
                 {masquerade}
               }}
               chain closed {{ type filter hook input priority filter;
                 iifname wan meta l4proto {{ tcp, udp }} ct state new drop
               }}
               chain remember {{ type filter hook forward priority filter;
                 iifname lan oifname wan meta l4proto udp update @owners {{ udp sport timeout 2m : ip saddr . udp sport }}
                 iifname lan oifname wan meta l4proto udp update @contacted {{ udp sport . ip daddr timeout 2m }}
               }}
             }}
             table inet labthrough {{
               chain blocked {{ type filter hook forward priority filter; {blocked}
               }}
               chain six {{ type filter hook forward priority filter; meta nfproto != ipv6 accept
                 {six_closed}
               }}
             }}"
        )
    }
}

/// The rule that keeps UDP from passing.
pub(crate) const BLOCK_UDP: &str = "meta l4proto udp drop";
