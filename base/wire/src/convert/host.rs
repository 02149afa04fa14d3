//! What a node says about its machine.

use wattle_netmap::{HostFacts, NetFacts, Service};

use super::derp::region_id;
use crate::control::{self, Hostinfo, NetInfo};

/// What we keep of it. No `NetInfo` means that the former one holds: the caller keeps it.
pub fn hostinfo_from_wire(host: &Hostinfo) -> HostFacts {
    let service = |service: &control::Service| Service {
        protocol: service.proto.clone(),
        port: service.port,
        description: service.description.clone(),
    };
    let net = |net: &NetInfo| NetFacts {
        mapping_varies: net.mapping_varies_by_dest_ip,
        udp: net.working_udp,
        ipv6: net.working_ipv6,
        preferred_region: region_id(net.preferred_derp),
    };
    HostFacts {
        os: host.os.clone(),
        os_version: host.os_version.clone(),
        hostname: host.hostname.clone(),
        client_version: host.ipn_version.clone(),
        routable_ips: host.routable_ips.clone(),
        request_tags: host.request_tags.clone(),
        services: host.services.iter().map(service).collect(),
        ssh_host_keys: host.ssh_host_keys.clone(),
        shields_up: host.shields_up,
        peer_relay: host.peer_relay,
        net: host.net_info.as_ref().map(net),
    }
}

/// All of it, as a node tells control.
pub fn hostinfo_to_wire(host: &HostFacts) -> Hostinfo {
    let net = |net: &NetFacts| NetInfo {
        mapping_varies_by_dest_ip: net.mapping_varies,
        working_udp: net.udp,
        working_ipv6: net.ipv6,
        preferred_derp: net.preferred_region.map_or(0, |region| i64::from(region.0)),
        ..NetInfo::default()
    };
    Hostinfo {
        ipn_version: host.client_version.clone(),
        os: host.os.clone(),
        os_version: host.os_version.clone(),
        hostname: host.hostname.clone(),
        shields_up: host.shields_up,
        peer_relay: host.peer_relay,
        routable_ips: host.routable_ips.clone(),
        request_tags: host.request_tags.clone(),
        services: services_to_wire(host),
        ssh_host_keys: host.ssh_host_keys.clone(),
        net_info: host.net.as_ref().map(net),
        ..Hostinfo::default()
    }
}

/// What a node is told about itself.
pub(super) fn own_view(host: &HostFacts) -> Hostinfo {
    Hostinfo {
        hostname: host.hostname.clone(),
        routable_ips: host.routable_ips.clone(),
        request_tags: host.request_tags.clone(),
        services: services_to_wire(host),
        ..Hostinfo::default()
    }
}

/// What peers are told.
pub(super) fn peer_view(host: &HostFacts) -> Hostinfo {
    Hostinfo {
        os: host.os.clone(),
        hostname: host.hostname.clone(),
        services: services_to_wire(host),
        ssh_host_keys: host.ssh_host_keys.clone(),
        shields_up: host.shields_up,
        ..Hostinfo::default()
    }
}

fn services_to_wire(host: &HostFacts) -> Vec<control::Service> {
    let service = |service: &Service| control::Service {
        proto: service.protocol.clone(),
        port: service.port,
        description: service.description.clone(),
    };
    host.services.iter().map(service).collect()
}
