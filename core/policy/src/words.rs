//! Parts of a policy as people read them.

use std::fmt;

use wattle_netmap::PortRange;

use crate::language::document::Role;

impl Role {
    /// As policies and lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::ItAdmin => "it-admin",
            Self::NetworkAdmin => "network-admin",
            Self::BillingAdmin => "billing-admin",
            Self::Auditor => "auditor",
            Self::Member => "member",
        }
    }

    /// The role with this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Owner,
            Self::Admin,
            Self::ItAdmin,
            Self::NetworkAdmin,
            Self::BillingAdmin,
            Self::Auditor,
            Self::Member,
        ];
        all.into_iter().find(|role| role.name() == name)
    }
}

/// The name of a protocol in a policy; a number where it has none.
pub(crate) fn protocol(number: u8) -> String {
    let name = match number {
        1 => "icmp",
        2 => "igmp",
        4 => "ipv4",
        6 => "tcp",
        8 => "egp",
        9 => "igp",
        17 => "udp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "ipv6-icmp",
        132 => "sctp",
        133 => "fc",
        other => return format!("protocol {other}"),
    };
    name.to_owned()
}

/// `22`, `8000-8999` or `all ports`.
pub(crate) fn ports(range: PortRange) -> String {
    match range {
        PortRange::ANY => "all ports".to_owned(),
        PortRange { first, last } if first == last => first.to_string(),
        PortRange { first, last } => format!("{first}-{last}"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: fmt::Display>(parts: &[T]) -> String {
    match parts {
        [] => "nothing".to_owned(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(T::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}
