//! Values as columns hold them. Reading is strict: what we did not write is damage, not a default.

use std::net::SocketAddr;

use wattle_coordinator::Role;
use wattle_netmap::{Endpoint, EndpointKind, HostFacts, NetFacts, Prefix};
use wattle_time::UnixTime;
use wattle_wire::control::Hostinfo;
use wattle_wire::convert::{hostinfo_from_wire, hostinfo_to_wire};

/// A column that does not hold what belongs there.
#[derive(Debug)]
pub(crate) struct BadColumn(pub(crate) String);

impl<E: std::error::Error> From<E> for BadColumn {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn time(time: UnixTime) -> i64 {
    time.as_micros()
}

pub(crate) fn maybe_time(time: Option<UnixTime>) -> Option<i64> {
    time.map(UnixTime::as_micros)
}

/// Our numbers stay below 2^53, so that this never cuts.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn number_back(number: i64) -> Result<u64, BadColumn> {
    Ok(u64::try_from(number)?)
}

pub(crate) fn key_back(bytes: &[u8]) -> Result<[u8; 32], BadColumn> {
    Ok(bytes.try_into()?)
}

pub(crate) fn tags(tags: &[String]) -> String {
    json(&tags)
}

pub(crate) fn tags_back(text: &str) -> Result<Vec<String>, BadColumn> {
    Ok(serde_json::from_str(text)?)
}

pub(crate) fn routes(routes: &[Prefix]) -> String {
    json(&routes.iter().map(ToString::to_string).collect::<Vec<_>>())
}

pub(crate) fn routes_back(text: &str) -> Result<Vec<Prefix>, BadColumn> {
    let routes: Vec<String> = serde_json::from_str(text)?;
    routes.iter().map(|route| Ok(route.parse()?)).collect()
}

const ROLES: [(Role, &str); 7] = [
    (Role::Owner, "owner"),
    (Role::Admin, "admin"),
    (Role::ItAdmin, "it-admin"),
    (Role::NetworkAdmin, "network-admin"),
    (Role::BillingAdmin, "billing-admin"),
    (Role::Auditor, "auditor"),
    (Role::Member, "member"),
];

pub(crate) fn role(role: Role) -> &'static str {
    ROLES.iter().find(|(known, _)| *known == role).map_or("member", |(_, text)| text)
}

pub(crate) fn role_back(text: &str) -> Result<Role, BadColumn> {
    let found = ROLES.iter().find(|(_, known)| *known == text);
    found.map(|(role, _)| *role).ok_or_else(|| BadColumn(format!("unknown role {text}")))
}

/// The name of the setting.
pub(crate) const DEVICE_APPROVAL: &str = "device-approval";

pub(crate) fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

pub(crate) fn switch_back(text: &str) -> Result<bool, BadColumn> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(BadColumn(format!("{other} is neither on nor off"))),
    }
}

/// As on the wire, which ignores what it does not know: an older server can read what a newer one wrote.
pub(crate) fn host(host: &HostFacts) -> String {
    json(&hostinfo_to_wire(host))
}

pub(crate) fn host_back(text: &str) -> Result<HostFacts, BadColumn> {
    Ok(hostinfo_from_wire(&serde_json::from_str::<Hostinfo>(text)?))
}

pub(crate) fn net(net: Option<&NetFacts>) -> String {
    host(&HostFacts { net: net.cloned(), ..HostFacts::default() })
}

pub(crate) fn net_back(text: &str) -> Result<Option<NetFacts>, BadColumn> {
    Ok(host_back(text)?.net)
}

pub(crate) fn endpoints(endpoints: &[Endpoint]) -> String {
    let rows: Vec<(SocketAddr, u8)> =
        endpoints.iter().map(|endpoint| (endpoint.address, endpoint.kind as u8)).collect();
    json(&rows)
}

pub(crate) fn endpoints_back(text: &str) -> Result<Vec<Endpoint>, BadColumn> {
    let rows: Vec<(SocketAddr, u8)> = serde_json::from_str(text)?;
    let kind = |number| match number {
        1 => EndpointKind::Local,
        2 => EndpointKind::Stun,
        3 => EndpointKind::PortMapped,
        4 => EndpointKind::StunLocalPort,
        5 => EndpointKind::Explicit,
        _ => EndpointKind::Unknown,
    };
    Ok(rows.into_iter().map(|(address, number)| Endpoint { address, kind: kind(number) }).collect())
}

/// Lists and structs of texts and numbers always have a JSON text.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
