//! Requests as JSON.

use wattle_keys::NodePublic;
use wattle_time::UnixTime;
use wattle_wire::RawJson;
use wattle_wire::control::{Hostinfo, MapRequest, RegisterRequest, RegisterResponseAuth};
use wattle_wire::convert::hostinfo_to_wire;

use crate::report::{HostReport, Report};

pub(crate) const REGISTER: &str = "/machine/register";
pub(crate) const MAP: &str = "/machine/map";
/// The expiry that means "log out": any time in the past does; official clients send this one.
const LOG_OUT: UnixTime = UnixTime::from_secs(123);

/// What a registration says.
pub(crate) struct Registration<'a> {
    pub(crate) version: u16,
    pub(crate) key: NodePublic,
    pub(crate) old_key: Option<NodePublic>,
    pub(crate) auth_key: Option<&'a str>,
    pub(crate) followup: Option<&'a str>,
    pub(crate) ephemeral: bool,
    pub(crate) log_out: bool,
    pub(crate) host: &'a HostReport,
}

impl Registration<'_> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let auth = self.auth_key.map(|key| RegisterResponseAuth { auth_key: key.to_owned() });
        bytes(RawJson::encode(&RegisterRequest {
            version: self.version,
            node_key: Some(self.key),
            old_node_key: self.old_key,
            auth,
            expiry: self.log_out.then_some(LOG_OUT),
            followup: self.followup.unwrap_or_default().to_owned(),
            hostinfo: Some(hostinfo(self.host)),
            ephemeral: self.ephemeral,
            ..RegisterRequest::default()
        }))
    }
}

pub(crate) fn stream(version: u16, key: NodePublic, report: &Report) -> Vec<u8> {
    let request = MapRequest { keep_alive: true, stream: true, ..facts(version, key, report) };
    bytes(RawJson::encode(&request))
}

pub(crate) fn report(version: u16, key: NodePublic, report: &Report) -> Vec<u8> {
    bytes(RawJson::encode(&MapRequest { omit_peers: true, ..facts(version, key, report) }))
}

fn facts(version: u16, key: NodePublic, report: &Report) -> MapRequest {
    MapRequest {
        version,
        compress: "zstd".to_owned(),
        node_key: Some(key),
        disco_key: report.disco,
        hostinfo: Some(hostinfo(&report.host)),
        endpoints: report.endpoints.iter().map(|endpoint| endpoint.address).collect(),
        endpoint_types: report.endpoints.iter().map(|endpoint| endpoint.kind as i64).collect(),
        ..MapRequest::default()
    }
}

fn hostinfo(host: &HostReport) -> Hostinfo {
    Hostinfo {
        backend_log_id: host.log_id.clone(),
        go_arch: host.architecture.clone(),
        distro: host.distribution.clone(),
        ..hostinfo_to_wire(&host.facts)
    }
}

/// Encoding our own types fails only when memory does; an empty body is then refused by the server.
fn bytes<E>(encoded: Result<RawJson, E>) -> Vec<u8> {
    encoded.map(|json| json.as_str().as_bytes().to_vec()).unwrap_or_default()
}
