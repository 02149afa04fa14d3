//! The resolver: what each query gets.

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::name::ParsedName;
use domain::base::{Message, Question};
use wattle_netmap::{Netmap, is_tailnet_address};

use crate::message::{AddressKind, Found, reply};
use crate::names::{Names, normalized};
use crate::reverse::address_in;
use crate::upstream::{Responsible, Upstreams};

/// Answers names of nodes. Never changes; make a new one when the map does.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    names: Names,
    upstreams: Upstreams,
    /// What is added to a name without dots.
    suffix: Option<Box<str>>,
}

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram: long replies are cut and marked.
    Udp,
    /// In a stream.
    Tcp,
}

/// What is to be done about a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this back.
    Reply(Vec<u8>),
    /// Send the query as it is to these resolvers; the first answer goes back. There is at least one.
    Forward(Vec<String>),
    /// Not a query: nothing is sent back.
    Ignore,
}

impl Resolver {
    /// From a map.
    pub fn of_netmap(map: &Netmap) -> Self {
        Self {
            names: Names::of_netmap(map),
            upstreams: Upstreams::of_netmap(map),
            suffix: map.name_suffix().map(normalized),
        }
    }

    /// Decides over a query.
    pub fn answer(&self, query: &[u8], transport: Transport) -> Answer {
        let Ok(message) = Message::from_slice(query) else { return Answer::Ignore };
        if message.header().qr() {
            return Answer::Ignore;
        }
        let refuse = |rcode| Answer::Reply(reply(message, None, Found::Refusal(rcode), transport));
        if message.header().opcode() != Opcode::QUERY {
            return refuse(Rcode::NOTIMP);
        }
        let by_slice = message.for_slice_ref();
        let Ok(question) = by_slice.sole_question() else { return refuse(Rcode::FORMERR) };
        match self.find(&question) {
            Outcome::Found(found) => Answer::Reply(reply(message, Some(question.qname()), found, transport)),
            Outcome::Elsewhere(upstreams) => Answer::Forward(upstreams.to_vec()),
        }
    }

    /// The addresses of a node, as people name it: short, or in full, with or without the last dot.
    pub fn lookup(&self, name: &str) -> Vec<IpAddr> {
        let name = normalized(name);
        let in_full = self.names.addresses(&name);
        let found = in_full.or_else(|| self.names.addresses(&format!("{name}.{}", self.suffix.as_deref()?)));
        found.unwrap_or_default().to_vec()
    }

    /// The full name of a node's address, without the last dot.
    pub fn name_of(&self, address: IpAddr) -> Option<&str> {
        self.names.name_of(address)
    }

    fn find(&self, question: &Question<ParsedName<&[u8]>>) -> Outcome<'_> {
        if !matches!(question.qclass(), Class::IN | Class::ANY) {
            return Outcome::Found(Found::Refusal(Rcode::NOTIMP));
        }
        let name = normalized(&question.qname().to_string());
        // Onion names must not leave the machine (RFC 7686).
        if name.ends_with(".onion") || name.as_ref() == "onion" {
            return Outcome::Found(Found::Nothing { zone: "onion", rcode: Rcode::NXDOMAIN });
        }
        if let Some(address) = address_in(&name) {
            return self.find_reverse(&name, address, question.qtype());
        }
        let responsible = self.upstreams.responsible(&name);
        if let Some(addresses) = self.names.addresses(&name) {
            let zone = match responsible {
                Responsible::Us(zone) => zone,
                Responsible::Upstreams(_) | Responsible::Nobody => "",
            };
            return Outcome::Found(known_name(addresses, zone, question.qtype()));
        }
        self.elsewhere(responsible)
    }

    fn find_reverse(&self, name: &str, address: IpAddr, kind: Rtype) -> Outcome<'_> {
        let asks_for_name = matches!(kind, Rtype::PTR | Rtype::ANY);
        match self.names.name_of(address) {
            Some(known) if asks_for_name => Outcome::Found(Found::Name(known)),
            Some(_) => Outcome::Found(Found::Nothing { zone: "", rcode: Rcode::NOERROR }),
            // Nobody else knows the addresses of tailnets.
            None if is_tailnet_address(address) => {
                Outcome::Found(Found::Nothing { zone: arpa(address), rcode: Rcode::NXDOMAIN })
            }
            None => self.elsewhere(self.upstreams.responsible(name)),
        }
    }

    fn elsewhere<'a>(&self, responsible: Responsible<'a>) -> Outcome<'a> {
        match responsible {
            Responsible::Us(zone) => Outcome::Found(Found::Nothing { zone, rcode: Rcode::NXDOMAIN }),
            Responsible::Upstreams(upstreams) => Outcome::Elsewhere(upstreams),
            Responsible::Nobody => Outcome::Found(Found::Refusal(Rcode::SERVFAIL)),
        }
    }
}

enum Outcome<'a> {
    Found(Found<'a>),
    Elsewhere(&'a [String]),
}

/// What a name that we know has of a kind.
fn known_name<'a>(addresses: &'a [IpAddr], zone: &'a str, kind: Rtype) -> Found<'a> {
    let kind = match kind {
        Rtype::A => Some(AddressKind::V4),
        Rtype::AAAA => Some(AddressKind::V6),
        Rtype::ANY => Some(AddressKind::Both),
        // Kinds that would claim that we are a name server in full.
        Rtype::NS | Rtype::SOA | Rtype::AXFR | Rtype::HINFO => return Found::Refusal(Rcode::NOTIMP),
        _ => None,
    };
    match kind {
        Some(kind) if addresses.iter().any(|address| kind.includes(*address)) => {
            Found::Addresses { of_name: addresses, kind }
        }
        _ => Found::Nothing { zone, rcode: Rcode::NOERROR },
    }
}

/// The zone that a reverse name lies in, for the "no" that is cached.
const fn arpa(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "in-addr.arpa",
        IpAddr::V6(_) => "ip6.arpa",
    }
}

#[cfg(test)]
mod tests;
