//! The four policy routing rules, as values. Priorities and marks are those of tailscale
//! (`wgengine/router/osrouter/router_linux.go`, `tsconst/linuxfw.go`), so that people's scripts and other software
//! that know them also know us.

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

/// The mark of packets that must not enter the tunnel: all that this program itself sends.
pub const BYPASS_MARK: u32 = 0x80000;
/// The bits of a packet's mark that are ours.
pub const MARK_MASK: u32 = 0xff_0000;
/// The routing table of routes into the tunnel.
pub const TABLE: u8 = 52;

/// The host's own routing table.
pub(crate) const TABLE_MAIN: u8 = 254;
const TABLE_DEFAULT: u8 = 253;

/// One rule, for both address families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) priority: u32,
    /// Whether it is for packets with the bypass mark only.
    marked: bool,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Look(u8),
    Unreachable,
}

/// Marked packets take the host's own routes or none at all; every other packet asks our table before it goes on.
pub(crate) const RULES: [Rule; 4] = [
    Rule { priority: 5210, marked: true, then: Then::Look(TABLE_MAIN) },
    Rule { priority: 5230, marked: true, then: Then::Look(TABLE_DEFAULT) },
    Rule { priority: 5250, marked: true, then: Then::Unreachable },
    Rule { priority: 5270, marked: false, then: Then::Look(TABLE) },
];

impl Rule {
    /// The rule as netlink has it.
    pub(crate) fn message(self, family: AddressFamily) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = family;
        (message.header.action, message.header.table) = match self.then {
            Then::Look(table) => (RuleAction::ToTable, table),
            Then::Unreachable => (RuleAction::Unreachable, 0),
        };
        message.attributes.push(RuleAttribute::Priority(self.priority));
        if self.marked {
            message.attributes.push(RuleAttribute::FwMark(BYPASS_MARK));
            message.attributes.push(RuleAttribute::FwMask(MARK_MASK));
        }
        message
    }

    /// Which of ours a rule of the host is.
    pub(crate) fn recognise(message: &RuleMessage) -> Option<Self> {
        let (mut priority, mut mark, mut mask, mut table) = (0, 0, 0, u32::from(message.header.table));
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Priority(value) => priority = *value,
                RuleAttribute::FwMark(value) => mark = *value,
                RuleAttribute::FwMask(value) => mask = *value,
                RuleAttribute::Table(value) => table = *value,
                // What the kernel adds to every rule it tells of.
                RuleAttribute::SuppressPrefixLen(_) | RuleAttribute::Protocol(_) => {}
                _ => return None,
            }
        }
        RULES.into_iter().find(|rule| {
            let then = match rule.then {
                Then::Look(wanted) => message.header.action == RuleAction::ToTable && table == u32::from(wanted),
                Then::Unreachable => message.header.action == RuleAction::Unreachable,
            };
            let wanted = if rule.marked { (BYPASS_MARK, MARK_MASK) } else { (0, 0) };
            rule.priority == priority && (mark, mask) == wanted && then
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_recognised_and_no_other() {
        for rule in RULES {
            let message = rule.message(AddressFamily::Inet6);
            assert_eq!(Rule::recognise(&message), Some(rule));
            let mut other = message.clone();
            other.attributes.push(RuleAttribute::Iifname("eth0".to_owned()));
            assert_eq!(Rule::recognise(&other), None);
            let mut other = message.clone();
            other.attributes[0] = RuleAttribute::Priority(rule.priority + 1);
            assert_eq!(Rule::recognise(&other), None);
        }
    }

    #[test]
    fn marked_packets_meet_their_rules_before_the_table_of_the_tunnel() {
        let last = RULES.last().unwrap();
        assert_eq!((last.marked, last.then), (false, Then::Look(TABLE)));
        assert!(RULES.windows(2).all(|pair| pair[0].priority < pair[1].priority));
    }
}
