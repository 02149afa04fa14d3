//! What a node tells about its machine.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::go::{self, omit};

/// The machine. Peers see a small part of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Hostinfo {
    /// Version of the client program.
    #[serde(rename = "IPNVersion", skip_serializing_if = "omit")]
    pub ipn_version: String,
    /// Log stream of the user interface.
    #[serde(rename = "FrontendLogID", skip_serializing_if = "omit")]
    pub frontend_log_id: String,
    /// Log stream of the daemon.
    #[serde(rename = "BackendLogID", skip_serializing_if = "omit")]
    pub backend_log_id: String,
    /// Operating system.
    #[serde(rename = "OS", skip_serializing_if = "omit")]
    pub os: String,
    /// Its version.
    #[serde(rename = "OSVersion", skip_serializing_if = "omit")]
    pub os_version: String,
    /// Whether it runs in a container.
    #[serde(skip_serializing_if = "omit")]
    pub container: Option<bool>,
    /// Hosting environment.
    #[serde(skip_serializing_if = "omit")]
    pub env: String,
    /// Distribution.
    #[serde(skip_serializing_if = "omit")]
    pub distro: String,
    /// Its version.
    #[serde(skip_serializing_if = "omit")]
    pub distro_version: String,
    /// Its code name.
    #[serde(skip_serializing_if = "omit")]
    pub distro_code_name: String,
    /// The program that embeds the client.
    #[serde(skip_serializing_if = "omit")]
    pub app: String,
    /// Whether there is a desktop.
    #[serde(skip_serializing_if = "omit")]
    pub desktop: Option<bool>,
    /// How the client was packaged.
    #[serde(skip_serializing_if = "omit")]
    pub package: String,
    /// Model of the device.
    #[serde(skip_serializing_if = "omit")]
    pub device_model: String,
    /// Where push messages go.
    #[serde(skip_serializing_if = "omit")]
    pub push_device_token: String,
    /// Host name.
    #[serde(skip_serializing_if = "omit")]
    pub hostname: String,
    /// Refuses all incoming connections.
    #[serde(skip_serializing_if = "omit")]
    pub shields_up: bool,
    /// Is here because a node was shared with its user.
    #[serde(skip_serializing_if = "omit")]
    pub sharee_node: bool,
    /// Logs nowhere.
    #[serde(skip_serializing_if = "omit")]
    pub no_logs_no_support: bool,
    /// May be configured from the console.
    #[serde(skip_serializing_if = "omit")]
    pub remote_config: bool,
    /// Wants ingress to be wired up.
    #[serde(skip_serializing_if = "omit")]
    pub wire_ingress: bool,
    /// Has ingress in use (from capability version 113).
    #[serde(skip_serializing_if = "omit")]
    pub ingress_enabled: bool,
    /// May be updated from the console.
    #[serde(skip_serializing_if = "omit")]
    pub allows_update: bool,
    /// Machine type as the kernel says it.
    #[serde(skip_serializing_if = "omit")]
    pub machine: String,
    /// Architecture of the program.
    #[serde(skip_serializing_if = "omit")]
    pub go_arch: String,
    /// Its variant.
    #[serde(skip_serializing_if = "omit")]
    pub go_arch_var: String,
    /// Compiler of the program.
    #[serde(skip_serializing_if = "omit")]
    pub go_version: String,
    /// Prefixes that it offers to route.
    #[serde(rename = "RoutableIPs", deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub routable_ips: Vec<IpNet>,
    /// Tags that it asks for.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub request_tags: Vec<String>,
    /// Hardware addresses that wake it.
    #[serde(rename = "WoLMACs", deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub wol_macs: Vec<String>,
    /// Services it announces.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub services: Vec<Service>,
    /// Its network; absent when unchanged.
    #[serde(skip_serializing_if = "omit")]
    pub net_info: Option<NetInfo>,
    /// SSH host keys.
    #[serde(rename = "sshHostKeys", deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub ssh_host_keys: Vec<String>,
    /// Cloud it runs in.
    #[serde(skip_serializing_if = "omit")]
    pub cloud: String,
    /// Has no TUN device.
    #[serde(skip_serializing_if = "omit")]
    pub userspace: Option<bool>,
    /// Routes for others without the kernel.
    #[serde(skip_serializing_if = "omit")]
    pub userspace_router: Option<bool>,
    /// Offers to be an app connector.
    #[serde(skip_serializing_if = "omit")]
    pub app_connector: Option<bool>,
    /// Changes when its services do.
    #[serde(skip_serializing_if = "omit")]
    pub services_hash: String,
    /// Relays for peers.
    #[serde(skip_serializing_if = "omit")]
    pub peer_relay: bool,
    /// Exit node in use (from capability version 122).
    #[serde(rename = "ExitNodeID", skip_serializing_if = "omit")]
    pub exit_node_id: String,
    /// Where it is.
    #[serde(skip_serializing_if = "omit")]
    pub location: Option<Location>,
    /// Whether its state file is encrypted (from capability version 118).
    #[serde(skip_serializing_if = "omit")]
    pub state_encrypted: Option<bool>,
}

/// A service on the tailnet addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Service {
    /// `tcp`, `udp`, `peerapi4`, `peerapi6`, ...
    pub proto: String,
    /// Port.
    pub port: u16,
    /// For people.
    #[serde(skip_serializing_if = "omit")]
    pub description: String,
}

/// A place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Location {
    /// Country.
    #[serde(skip_serializing_if = "omit")]
    pub country: String,
    /// Its code.
    #[serde(skip_serializing_if = "omit")]
    pub country_code: String,
    /// City.
    #[serde(skip_serializing_if = "omit")]
    pub city: String,
    /// Its code.
    #[serde(skip_serializing_if = "omit")]
    pub city_code: String,
    /// Degrees north.
    #[serde(skip_serializing_if = "omit")]
    pub latitude: f64,
    /// Degrees east.
    #[serde(skip_serializing_if = "omit")]
    pub longitude: f64,
    /// Higher is better when several exit nodes fit.
    #[serde(skip_serializing_if = "omit")]
    pub priority: i64,
}

/// What a node measured of its network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetInfo {
    /// Whether its NAT maps differently per destination.
    #[serde(rename = "MappingVariesByDestIP", skip_serializing_if = "omit")]
    pub mapping_varies_by_dest_ip: Option<bool>,
    /// Whether IPv6 reaches the internet.
    #[serde(rename = "WorkingIPv6", skip_serializing_if = "omit")]
    pub working_ipv6: Option<bool>,
    /// Whether the system has IPv6.
    #[serde(rename = "OSHasIPv6", skip_serializing_if = "omit")]
    pub os_has_ipv6: Option<bool>,
    /// Whether UDP reaches the internet.
    #[serde(rename = "WorkingUDP", skip_serializing_if = "omit")]
    pub working_udp: Option<bool>,
    /// Whether ICMP reaches the internet.
    #[serde(rename = "WorkingICMPv4", skip_serializing_if = "omit")]
    pub working_icmpv4: Option<bool>,
    /// Whether a port is mapped.
    #[serde(skip_serializing_if = "omit")]
    pub have_port_map: bool,
    /// Whether the router has UPnP.
    #[serde(rename = "UPnP", skip_serializing_if = "omit")]
    pub upnp: Option<bool>,
    /// Whether the router has NAT-PMP.
    #[serde(rename = "PMP", skip_serializing_if = "omit")]
    pub pmp: Option<bool>,
    /// Whether the router has PCP.
    #[serde(rename = "PCP", skip_serializing_if = "omit")]
    pub pcp: Option<bool>,
    /// Home region; 0: none.
    #[serde(rename = "PreferredDERP", skip_serializing_if = "omit")]
    pub preferred_derp: i64,
    /// `wired`, `wifi`, `mobile`.
    #[serde(skip_serializing_if = "omit")]
    pub link_type: String,
    /// Seconds by `<region>-v4` or `<region>-v6`.
    #[serde(rename = "DERPLatency", deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub derp_latency: BTreeMap<String, f64>,
    /// How its firewall is set.
    #[serde(skip_serializing_if = "omit")]
    pub firewall_mode: String,
}
