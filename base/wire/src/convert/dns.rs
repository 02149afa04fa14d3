//! Names: lowercase and without the last dot here, as people happen to write them there.

use wattle_netmap::{DnsConfig, ExtraRecord, Resolver};

use crate::control;

/// A name as it is compared.
fn plain(name: &str) -> String {
    name.trim_matches('.').to_ascii_lowercase()
}

/// Reads what control sent.
pub fn dns_from_wire(config: control::DnsConfig) -> DnsConfig {
    let resolvers = |list: Vec<control::Resolver>| list.into_iter().map(resolver_from_wire).collect();
    let record = |record: control::DnsRecord| ExtraRecord {
        name: plain(&record.name),
        kind: record.r#type,
        value: record.value,
    };
    DnsConfig {
        resolvers: resolvers(config.resolvers),
        routes: config.routes.into_iter().map(|(suffix, list)| (plain(&suffix), resolvers(list))).collect(),
        fallback_resolvers: resolvers(config.fallback_resolvers),
        domains: config.domains.iter().map(|domain| plain(domain)).collect(),
        proxied: config.proxied,
        cert_domains: config.cert_domains.iter().map(|domain| plain(domain)).collect(),
        extra_records: config.extra_records.into_iter().map(record).collect(),
    }
}

/// What control sends. A route without resolvers is written `[]`.
pub fn dns_to_wire(config: &DnsConfig) -> control::DnsConfig {
    let resolvers = |list: &Vec<Resolver>| list.iter().map(resolver_to_wire).collect();
    let record = |record: &ExtraRecord| control::DnsRecord {
        name: record.name.clone(),
        r#type: record.kind.clone(),
        value: record.value.clone(),
    };
    control::DnsConfig {
        resolvers: resolvers(&config.resolvers),
        routes: config.routes.iter().map(|(suffix, list)| (suffix.clone(), resolvers(list))).collect(),
        fallback_resolvers: resolvers(&config.fallback_resolvers),
        domains: config.domains.clone(),
        proxied: config.proxied,
        nameservers: Vec::new(),
        cert_domains: config.cert_domains.clone(),
        extra_records: config.extra_records.iter().map(record).collect(),
        exit_node_filtered_set: Vec::new(),
    }
}

fn resolver_from_wire(resolver: control::Resolver) -> Resolver {
    Resolver {
        address: resolver.addr,
        bootstrap: resolver.bootstrap_resolution,
        use_with_exit_node: resolver.use_with_exit_node,
    }
}

fn resolver_to_wire(resolver: &Resolver) -> control::Resolver {
    control::Resolver {
        addr: resolver.address.clone(),
        bootstrap_resolution: resolver.bootstrap.clone(),
        use_with_exit_node: resolver.use_with_exit_node,
    }
}
