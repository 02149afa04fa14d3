//! `POST /machine/map`: a stream of maps, one map, or a node's report on itself without an answer.
//! Source: tailscale `control/controlclient/direct.go sendMapRequest`, `tailcfg.go MapRequest`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use wattle_coordinator::{Command, Report};
use wattle_keys::NodePublic;
use wattle_link::Peer;
use wattle_netmap::{Endpoint, EndpointKind};
use wattle_wire::control::MapRequest;
use wattle_wire::convert::hostinfo_from_wire;

use super::Site;
use super::problem::{Problem, read_json};

pub(super) async fn map(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Result<Response, Problem> {
    let request: MapRequest = read_json(body).await?;
    let node_key = request
        .node_key
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "a node key is missing in the request"))?;
    let compress = match request.compress.as_str() {
        "zstd" => true,
        "" => false,
        other => return Err(Problem::new(StatusCode::BAD_REQUEST, format!("{other:?} is no known compression"))),
    };
    let report = report(&request, peer, node_key);
    if !request.stream && request.omit_peers {
        if !request.read_only {
            site.tailnet.ask(Command::Report(Box::new(report))).await?;
        }
        return Ok(StatusCode::OK.into_response());
    }
    let frames = site.tailnet.open_stream(report, compress, !request.stream).await?;
    let body = Body::from_stream(frames.map(Ok::<_, Infallible>));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// What the node tells of itself. Read-only requests tell nothing, and an opening stream may not know its endpoints yet.
fn report(request: &MapRequest, peer: Peer, node_key: NodePublic) -> Report {
    let told = !request.read_only;
    let endpoints_known = told && !(request.stream && request.endpoints.is_empty());
    Report {
        machine: peer.machine,
        node_key,
        capability_version: peer.version,
        disco: request.disco_key.filter(|_| told),
        endpoints: endpoints_known.then(|| endpoints(request)),
        host: request.hostinfo.as_ref().filter(|_| told).map(hostinfo_from_wire),
    }
}

fn endpoints(request: &MapRequest) -> Vec<Endpoint> {
    let kinds = request.endpoint_types.iter().copied().chain(std::iter::repeat(0));
    request
        .endpoints
        .iter()
        .zip(kinds)
        .map(|(address, kind)| Endpoint { address: *address, kind: kind_of(kind) })
        .collect()
}

fn kind_of(number: i64) -> EndpointKind {
    [EndpointKind::Local, EndpointKind::Stun, EndpointKind::PortMapped, EndpointKind::StunLocalPort]
        .into_iter()
        .find(|kind| *kind as i64 == number)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattle_keys::{MachinePrivate, NodePrivate};

    fn report_of(request: &MapRequest) -> Report {
        let peer = Peer { machine: MachinePrivate::from_bytes([1; 32]).public(), version: 130 };
        report(request, peer, NodePrivate::from_bytes([2; 32]).public())
    }

    #[test]
    fn endpoints_keep_the_kind_that_stands_beside_them() {
        let request = MapRequest {
            endpoints: vec!["192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap()],
            endpoint_types: vec![2],
            ..MapRequest::default()
        };
        let kinds: Vec<_> = report_of(&request).endpoints.unwrap().iter().map(|endpoint| endpoint.kind).collect();
        assert_eq!(kinds, [EndpointKind::Stun, EndpointKind::Unknown]);
    }

    #[test]
    fn an_opening_stream_without_endpoints_does_not_take_them_back() {
        let opening = MapRequest { stream: true, ..MapRequest::default() };
        assert_eq!(report_of(&opening).endpoints, None);
        assert_eq!(report_of(&MapRequest::default()).endpoints, Some(Vec::new()));
        let reading = MapRequest { read_only: true, hostinfo: Some(Default::default()), ..MapRequest::default() };
        assert!(report_of(&reading).endpoints.is_none() && report_of(&reading).host.is_none());
    }
}
