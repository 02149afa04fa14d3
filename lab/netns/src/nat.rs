//! The kinds of NAT, in the words of RFC 4787, and the nftables rules that make the kernel behave so.

use std::net::Ipv4Addr;

/// How a router translates, and what it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Endpoint-independent mapping and filtering: once a port is open, anybody may send to it.
    EndpointIndependent,
    /// Endpoint-independent mapping, address-dependent filtering: only addresses that were sent to may answer.
    AddressRestricted,
    /// Endpoint-independent mapping, address- and port-dependent filtering: only exact endpoints may answer.
    PortRestricted,
    /// Address- and port-dependent mapping: another port towards every destination.
    Symmetric,
    /// Two routers in a row, both port-restricted, as behind a carrier's NAT.
    Double,
    /// No UDP passes at all; TCP is translated.
    UdpBlocked,
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
            Self::UdpBlocked => "udp-blocked",
        }
    }

    /// The rule set of the router. `inner` is the one host behind it.
    ///
    /// The kernel's masquerade keeps source ports, so its mapping is endpoint-independent and its filtering exact;
    /// `fully-random` makes it differ per destination. Unsolicited packets are dropped before they are tracked:
    /// otherwise they would occupy the very port that a later mapping needs.
    pub(crate) fn rules(self, inner: Ipv4Addr) -> String {
        let masquerade = match self {
            Self::Symmetric => "masquerade fully-random",
            Self::EndpointIndependent
            | Self::AddressRestricted
            | Self::PortRestricted
            | Self::Double
            | Self::UdpBlocked => "masquerade",
        };
        let inward = match self {
            Self::EndpointIndependent => format!("iifname wan meta l4proto udp dnat to {inner}"),
            Self::AddressRestricted => format!("iifname wan meta l4proto udp ip saddr @contacted dnat to {inner}"),
            Self::PortRestricted | Self::Symmetric | Self::Double | Self::UdpBlocked => String::new(),
        };
        let remember = match self {
            Self::AddressRestricted => {
                "iifname lan oifname wan meta l4proto udp add @contacted { ip daddr timeout 2m }"
            }
            Self::EndpointIndependent | Self::PortRestricted | Self::Symmetric | Self::Double | Self::UdpBlocked => "",
        };
        let block = match self {
            Self::UdpBlocked => BLOCK_UDP,
            Self::EndpointIndependent
            | Self::AddressRestricted
            | Self::PortRestricted
            | Self::Symmetric
            | Self::Double => "",
        };
        format!(
            "table ip lab {{
               set contacted {{ type ipv4_addr; flags dynamic,timeout; }}
               chain inward {{ type nat hook prerouting priority dstnat; {inward}
               }}
               chain outward {{ type nat hook postrouting priority srcnat; oifname wan {masquerade}
               }}
               chain closed {{ type filter hook input priority filter; iifname wan ct state new drop
               }}
               chain through {{ type filter hook forward priority filter; {remember}
                 {block}
               }}
             }}"
        )
    }
}

/// The rule that keeps UDP from passing a router.
pub(crate) const BLOCK_UDP: &str = "meta l4proto udp drop";
