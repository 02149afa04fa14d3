//! What people want of the node.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::control::UserProfile;
use crate::go::{self, omit};

/// Preferences. Kept over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Prefs {
    /// The coordination server.
    #[serde(rename = "ControlURL")]
    pub control_url: String,
    /// Use the routes that peers offer.
    pub route_all: bool,
    /// The exit node, by stable name.
    #[serde(rename = "ExitNodeID")]
    pub exit_node_id: String,
    /// The exit node, by address, until its name is known.
    #[serde(rename = "ExitNodeIP", with = "go::address")]
    pub exit_node_ip: Option<IpAddr>,
    /// Reach the local network directly while an exit node is in use.
    #[serde(rename = "ExitNodeAllowLANAccess")]
    pub exit_node_allow_lan_access: bool,
    /// Use the tailnet's names.
    #[serde(rename = "CorpDNS")]
    pub corp_dns: bool,
    /// Serve SSH.
    #[serde(rename = "RunSSH")]
    pub run_ssh: bool,
    /// Be up.
    pub want_running: bool,
    /// Stay logged out.
    pub logged_out: bool,
    /// Refuse all incoming connections.
    pub shields_up: bool,
    /// Tags to ask for.
    #[serde(deserialize_with = "go::nullable")]
    pub advertise_tags: Vec<String>,
    /// Name to go by instead of the host's.
    pub hostname: String,
    /// Routes to offer.
    #[serde(deserialize_with = "go::nullable")]
    pub advertise_routes: Vec<IpNet>,
    /// Do not translate source addresses of routed packets.
    #[serde(rename = "NoSNAT")]
    pub no_snat: bool,
    /// 0: touch no firewall; 2: manage it.
    pub netfilter_mode: i64,
    /// The local user who may operate the daemon.
    #[serde(skip_serializing_if = "omit")]
    pub operator_user: String,
    /// The UDP port to relay for peers at; 0: any; `None`: do not.
    #[serde(skip_serializing_if = "omit")]
    pub relay_server_port: Option<u16>,
    /// Addresses at which the relay for peers may be reached, beside those that it finds.
    #[serde(skip_serializing_if = "omit", deserialize_with = "go::nullable")]
    pub relay_server_static_endpoints: Vec<SocketAddr>,
    /// Name of the profile.
    #[serde(skip_serializing_if = "omit")]
    pub profile_name: String,
    /// Who we are; never holds a key.
    #[serde(rename = "Config", skip_serializing_if = "omit")]
    pub persist: Option<Persist>,
}

impl Default for Prefs {
    fn default() -> Self {
        Self {
            control_url: String::new(),
            route_all: false,
            exit_node_id: String::new(),
            exit_node_ip: None,
            exit_node_allow_lan_access: false,
            corp_dns: true,
            run_ssh: false,
            want_running: false,
            logged_out: false,
            shields_up: false,
            advertise_tags: Vec::new(),
            hostname: String::new(),
            advertise_routes: Vec::new(),
            no_snat: false,
            netfilter_mode: 2,
            operator_user: String::new(),
            relay_server_port: None,
            relay_server_static_endpoints: Vec::new(),
            profile_name: String::new(),
            persist: None,
        }
    }
}

/// Who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Persist {
    /// The user.
    pub user_profile: UserProfile,
    /// Our own stable name.
    #[serde(rename = "NodeID")]
    pub node_id: String,
}

macro_rules! masked_prefs {
    ($($(#[$rename:meta])? $set:ident => $($field:ident),+;)*) => {
        /// Preferences to change: those whose `...Set` is true.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub struct MaskedPrefs {
            /// The new values.
            #[serde(flatten)]
            pub prefs: Prefs,
            $(
                /// Whether the field of this name is meant.
                $(#[$rename])?
                #[serde(skip_serializing_if = "omit")]
                pub $set: bool,
            )*
        }

        impl MaskedPrefs {
            /// Makes the changes.
            pub fn apply_to(&self, prefs: &mut Prefs) {
                $(if self.$set {
                    $(prefs.$field = self.prefs.$field.clone();)+
                })*
            }
        }
    };
}

masked_prefs! {
    #[serde(rename = "ControlURLSet")] control_url_set => control_url;
    route_all_set => route_all;
    #[serde(rename = "ExitNodeIDSet")] exit_node_id_set => exit_node_id;
    #[serde(rename = "ExitNodeIPSet")] exit_node_ip_set => exit_node_ip;
    #[serde(rename = "ExitNodeAllowLANAccessSet")] exit_node_allow_lan_access_set => exit_node_allow_lan_access;
    #[serde(rename = "CorpDNSSet")] corp_dns_set => corp_dns;
    #[serde(rename = "RunSSHSet")] run_ssh_set => run_ssh;
    want_running_set => want_running;
    logged_out_set => logged_out;
    shields_up_set => shields_up;
    advertise_tags_set => advertise_tags;
    hostname_set => hostname;
    advertise_routes_set => advertise_routes;
    #[serde(rename = "NoSNATSet")] no_snat_set => no_snat;
    netfilter_mode_set => netfilter_mode;
    operator_user_set => operator_user;
    profile_name_set => profile_name;
    relay_server_port_set => relay_server_port;
    relay_server_static_endpoints_set => relay_server_static_endpoints;
}
