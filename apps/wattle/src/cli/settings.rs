//! The preferences that `up`, `login` and `set` take as flags, and what it means to leave one out.

use std::net::IpAddr;

use anyhow::{Context, bail, ensure};
use clap::Args;
use ipnet::IpNet;
use wattle_wire::local::{MaskedPrefs, Prefs, Status};

use super::target;
use super::values::boolean;

/// Preferences as flags. `None`: not mentioned.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Settings {
    /// URL of the coordination server
    #[arg(long, value_name = "URL")]
    pub(super) login_server: Option<String>,
    /// Use the routes that other nodes offer
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    accept_routes: Option<bool>,
    /// Use the network's DNS settings (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    accept_dns: Option<bool>,
    /// Node to send Internet traffic through: its name or address; empty: none
    #[arg(long, value_name = "NODE")]
    exit_node: Option<String>,
    /// Reach the local network directly while an exit node is in use
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    exit_node_allow_lan_access: Option<bool>,
    /// Refuse all incoming connections
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    shields_up: Option<bool>,
    /// Serve SSH as the network's policy permits
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    ssh: Option<bool>,
    /// Tags to ask for, such as tag:server,tag:lab; empty: none
    #[arg(long, value_name = "TAGS")]
    advertise_tags: Option<String>,
    /// Name to go by instead of the host's
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Routes to offer, such as 10.0.0.0/8,192.168.1.0/24; empty: none
    #[arg(long, value_name = "PREFIXES")]
    advertise_routes: Option<String>,
    /// Offer to be an exit node
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    advertise_exit_node: Option<bool>,
    /// Translate source addresses of routed packets (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    snat_subnet_routes: Option<bool>,
    /// Local user who may operate the daemon without sudo
    #[arg(long, value_name = "USER")]
    operator: Option<String>,
}

/// One flag: what the preferences say about it, as one would write it.
struct Setting {
    flag: &'static str,
    text: fn(&Prefs) -> String,
    mark: fn(&mut MaskedPrefs),
}

const SETTINGS: [Setting; 13] = [
    Setting { flag: "login-server", text: |p| p.control_url.clone(), mark: |m| m.control_url_set = true },
    Setting { flag: "accept-routes", text: |p| p.route_all.to_string(), mark: |m| m.route_all_set = true },
    Setting { flag: "accept-dns", text: |p| p.corp_dns.to_string(), mark: |m| m.corp_dns_set = true },
    Setting {
        flag: "exit-node",
        text: |p| p.exit_node_ip.map_or_else(|| p.exit_node_id.clone(), |address| address.to_string()),
        mark: |m| (m.exit_node_id_set, m.exit_node_ip_set) = (true, true),
    },
    Setting {
        flag: "exit-node-allow-lan-access",
        text: |p| p.exit_node_allow_lan_access.to_string(),
        mark: |m| m.exit_node_allow_lan_access_set = true,
    },
    Setting { flag: "shields-up", text: |p| p.shields_up.to_string(), mark: |m| m.shields_up_set = true },
    Setting { flag: "ssh", text: |p| p.run_ssh.to_string(), mark: |m| m.run_ssh_set = true },
    Setting { flag: "advertise-tags", text: |p| p.advertise_tags.join(","), mark: |m| m.advertise_tags_set = true },
    Setting { flag: "hostname", text: |p| p.hostname.clone(), mark: |m| m.hostname_set = true },
    Setting { flag: "advertise-routes", text: routes_text, mark: |m| m.advertise_routes_set = true },
    Setting {
        flag: "advertise-exit-node",
        text: |p| offers_exit(p).to_string(),
        mark: |m| m.advertise_routes_set = true,
    },
    Setting { flag: "snat-subnet-routes", text: |p| (!p.no_snat).to_string(), mark: |m| m.no_snat_set = true },
    Setting { flag: "operator", text: |p| p.operator_user.clone(), mark: |m| m.operator_user_set = true },
];

impl Settings {
    /// The flags that were written.
    pub(super) fn mentioned(&self) -> Vec<&'static str> {
        let written = [
            self.login_server.is_some(),
            self.accept_routes.is_some(),
            self.accept_dns.is_some(),
            self.exit_node.is_some(),
            self.exit_node_allow_lan_access.is_some(),
            self.shields_up.is_some(),
            self.ssh.is_some(),
            self.advertise_tags.is_some(),
            self.hostname.is_some(),
            self.advertise_routes.is_some(),
            self.advertise_exit_node.is_some(),
            self.snat_subnet_routes.is_some(),
            self.operator.is_some(),
        ];
        SETTINGS.iter().zip(written).filter(|(_, written)| *written).map(|(setting, _)| setting.flag).collect()
    }

    /// Changes what was mentioned. Exit nodes are looked up among the peers.
    pub(super) fn apply(&self, prefs: &mut Prefs, status: &Status) -> anyhow::Result<()> {
        let set = |to: &mut bool, from: Option<bool>| *to = from.unwrap_or(*to);
        if let Some(url) = &self.login_server {
            prefs.control_url = control_url(url)?;
        }
        set(&mut prefs.route_all, self.accept_routes);
        set(&mut prefs.corp_dns, self.accept_dns);
        set(&mut prefs.exit_node_allow_lan_access, self.exit_node_allow_lan_access);
        set(&mut prefs.shields_up, self.shields_up);
        set(&mut prefs.run_ssh, self.ssh);
        set(&mut prefs.no_snat, self.snat_subnet_routes.map(|translate| !translate));
        if let Some(node) = &self.exit_node {
            (prefs.exit_node_id, prefs.exit_node_ip) = exit_node(node, status)?;
        }
        if let Some(tags) = &self.advertise_tags {
            prefs.advertise_tags = list(tags).map(str::to_owned).collect();
            for tag in &prefs.advertise_tags {
                ensure!(tag.len() > 4 && tag.starts_with("tag:"), "{tag:?} is no tag: tags look like tag:server");
            }
        }
        if let Some(hostname) = &self.hostname {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            ensure!(
                hostname.len() <= 253 && hostname.bytes().all(plain) && !hostname.starts_with('-'),
                "{hostname:?} is no host name: use letters, digits and dashes"
            );
            prefs.hostname.clone_from(hostname);
        }
        self.apply_routes(prefs)?;
        if let Some(operator) = &self.operator {
            prefs.operator_user.clone_from(operator);
        }
        let has_exit = !prefs.exit_node_id.is_empty() || prefs.exit_node_ip.is_some();
        ensure!(
            has_exit || self.exit_node_allow_lan_access != Some(true),
            "--exit-node-allow-lan-access needs --exit-node"
        );
        Ok(())
    }

    /// Offered routes and the offer to be an exit node are one list in the preferences.
    fn apply_routes(&self, prefs: &mut Prefs) -> anyhow::Result<()> {
        let mut exit = offers_exit(prefs);
        if let Some(routes) = &self.advertise_routes {
            prefs.advertise_routes = list(routes).map(route).collect::<Result<_, _>>()?;
            exit |= offers_exit(prefs);
        }
        exit = self.advertise_exit_node.unwrap_or(exit);
        prefs.advertise_routes.retain(|route| route.prefix_len() != 0);
        if exit {
            prefs.advertise_routes.extend(everything());
        }
        prefs.advertise_routes.sort_unstable();
        prefs.advertise_routes.dedup();
        Ok(())
    }
}

/// The flags whose setting would change from `current` to `wanted` although nobody mentioned them.
pub(super) fn forgotten(current: &Prefs, wanted: &Prefs, mentioned: &[&str]) -> Vec<&'static str> {
    SETTINGS
        .iter()
        .filter(|setting| !mentioned.contains(&setting.flag) && (setting.text)(current) != (setting.text)(wanted))
        .map(|setting| setting.flag)
        .collect()
}

/// `--flag=value` for each of these flags, as the preferences have them.
pub(super) fn as_flags(prefs: &Prefs, flags: &[&str]) -> Vec<String> {
    let named = SETTINGS.iter().filter(|setting| flags.contains(&setting.flag));
    named
        .map(|setting| match (setting.text)(prefs).as_str() {
            "true" => format!("--{}", setting.flag),
            text => format!("--{}={}", setting.flag, quoted(text)),
        })
        .collect()
}

/// A change of these flags' preferences to those in `prefs`.
pub(super) fn change(prefs: Prefs, flags: &[&str]) -> MaskedPrefs {
    let mut change = MaskedPrefs { prefs, ..MaskedPrefs::default() };
    for setting in SETTINGS.iter().filter(|setting| flags.contains(&setting.flag)) {
        (setting.mark)(&mut change);
    }
    change
}

/// Every flag.
pub(super) fn all_flags() -> Vec<&'static str> {
    SETTINGS.iter().map(|setting| setting.flag).collect()
}

fn control_url(text: &str) -> anyhow::Result<String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(text.trim_end_matches('/').to_owned()),
        _ => bail!("{text:?} is no server: write its whole URL, such as https://mesh.example.com"),
    }
}

fn exit_node(node: &str, status: &Status) -> anyhow::Result<(String, Option<IpAddr>)> {
    if node.is_empty() {
        return Ok((String::new(), None));
    }
    if status.self_status.as_ref().is_some_and(|own| target::is_named(status, own, node)) {
        bail!("{node} is this machine; did you mean --advertise-exit-node?");
    }
    match (target::peer(status, node), node.parse()) {
        (Some(peer), _) if peer.exit_node_option => Ok((peer.id.clone(), None)),
        (Some(_), _) => bail!("{node} does not offer to be an exit node"),
        // The network is not known yet: whether the address is right will be seen when it is.
        (None, Ok(address)) => Ok((String::new(), Some(address))),
        (None, Err(_)) => bail!("no peer is named {node}"),
    }
}

fn route(text: &str) -> anyhow::Result<IpNet> {
    let route: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().with_context(|| format!("{text:?} is no route: write a prefix, such as 10.0.0.0/8"))?,
    };
    ensure!(route.trunc() == route, "{text} has bits set behind its length: did you mean {}?", route.trunc());
    Ok(route)
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn everything() -> [IpNet; 2] {
    [
        IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0)),
        IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::UNSPECIFIED, 0)),
    ]
}

fn offers_exit(prefs: &Prefs) -> bool {
    everything().iter().all(|route| prefs.advertise_routes.contains(route))
}

fn routes_text(prefs: &Prefs) -> String {
    let routes = prefs.advertise_routes.iter().filter(|route| route.prefix_len() != 0);
    routes.map(IpNet::to_string).collect::<Vec<_>>().join(",")
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,@=".contains(&byte);
    if text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
