//! Why somebody may reach something, or why not: the question in words, the answer with lines of the text.

use std::net::IpAddr;

use wattle_policy::language;
use wattle_policy::{Reason, Roster};

use super::DeskError;
use super::lines::Lines;
use super::names::{Names, Scene};
use crate::admin::documents::{ExplainDocument, ExplainRequest, ReasonDocument};

const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Answers under `roster`, whose policy is `text`.
pub(super) fn explain(
    scene: &Scene,
    roster: &Roster,
    text: &str,
    request: &ExplainRequest,
) -> Result<ExplainDocument, DeskError> {
    let names = &scene.names;
    let from = names.node(request.from.trim()).ok_or_else(|| unknown(&request.from))?;
    let (name, port) = split_port(request.to.trim())?;
    let (to, called) = destination(names, from.addresses, name)?;
    let protocol = protocol(&request.protocol, to)?;
    let explanation = roster.explain(from.id, to, protocol, port);
    let lines = Lines::of(text);
    let reasons = |reasons: &[Reason]| -> Vec<ReasonDocument> {
        let document = |reason: &Reason| ReasonDocument { rule: lines.rule(&reason.rule), words: reason.words.clone() };
        reasons.iter().map(document).collect()
    };
    let spelt = match request.protocol.trim() {
        "" => "tcp".to_owned(),
        other => other.to_owned(),
    };
    let (allowed, replies_only) = (!explanation.allowed.is_empty(), explanation.replies_only);
    let verdict = if allowed { "may reach" } else { "may not reach" };
    let on = port.map_or_else(|| spelt.clone(), |port| format!("{spelt} {port}"));
    let who = names.call(from);
    let mut sentence = format!("{who} {verdict} {called} on {on}");
    if !allowed {
        sentence.push_str(": no rule allows it");
        if replies_only {
            sentence.push_str("; only answers get through, because the other side may begin");
        }
    }
    Ok(ExplainDocument {
        from: who,
        to: called,
        protocol: spelt,
        port,
        allowed,
        replies_only,
        sentence,
        rules: reasons(&explanation.allowed),
        missed: reasons(&explanation.missed),
    })
}

/// An address that anybody may have, or that of a node; and what it is called.
fn destination(names: &Names, from: [IpAddr; 2], name: &str) -> Result<(IpAddr, String), DeskError> {
    let found = names.node(name);
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok((address, found.map_or_else(|| name.to_owned(), |node| names.call(node))));
    }
    let node = found.ok_or_else(|| unknown(name))?;
    let is_like_source = |address: &&IpAddr| from.iter().any(|own| own.is_ipv4() == address.is_ipv4());
    let address = node.addresses.iter().find(is_like_source).unwrap_or(&node.addresses[0]);
    Ok((*address, names.call(node)))
}

/// A name and the port behind it. Colons belong to IPv6 addresses and tags, too.
fn split_port(text: &str) -> Result<(&str, Option<u16>), DeskError> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok((text, None));
    }
    let unbracketed = |name: &str| name.starts_with('[') && name.ends_with(']');
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = port.parse().ok().filter(|port| *port > 0);
            let port = port.ok_or_else(|| DeskError::Question(format!("\"{text}\" has no port from 1 to 65535")))?;
            (name, Some(port))
        }
        _ => (text, None),
    };
    let name = if unbracketed(name) { name.get(1..name.len() - 1).unwrap_or(name) } else { name };
    Ok((name, port))
}

fn protocol(text: &str, to: IpAddr) -> Result<u8, DeskError> {
    let numbers = language::protocols(text.trim()).map_err(DeskError::Question)?;
    match numbers.as_slice() {
        [] => Ok(TCP),
        // `icmp` is both.
        several if several.contains(&ICMPV6) && to.is_ipv6() => Ok(ICMPV6),
        several if several.contains(&ICMP) => Ok(ICMP),
        [first, ..] => Ok(*first),
    }
}

fn unknown(name: &str) -> DeskError {
    DeskError::Unknown(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_from_other_colons() {
        let split = |text| split_port(text).unwrap();
        assert_eq!(split("db"), ("db", None));
        assert_eq!(split("db:22"), ("db", Some(22)));
        assert_eq!(split("tag:db"), ("tag:db", None));
        assert_eq!(split("tag:db:22"), ("tag:db", Some(22)));
        assert_eq!(split("100.64.0.1:22"), ("100.64.0.1", Some(22)));
        assert_eq!(split("fd7a::1"), ("fd7a::1", None));
        assert_eq!(split("[fd7a::1]:22"), ("fd7a::1", Some(22)));
        assert!(split_port("db:0").is_err() && split_port("db:70000").is_err());
    }
}
