//! What we tell about this machine.

use wattle_netmap::HostFacts;
use wattle_session::HostReport;
use wattle_wire::local::Prefs;

/// The report, as the machine and people's preferences make it.
pub(super) fn host_report(prefs: &Prefs, log_id: &str) -> HostReport {
    let hostname = if prefs.hostname.is_empty() { hostname() } else { prefs.hostname.clone() };
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    HostReport {
        facts: HostFacts {
            os: "linux".to_owned(),
            os_version: nix::sys::utsname::uname()
                .map(|system| system.release().to_string_lossy().into_owned())
                .unwrap_or_default(),
            hostname,
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            routable_ips: prefs.advertise_routes.clone(),
            request_tags: prefs.advertise_tags.clone(),
            shields_up: prefs.shields_up,
            peer_relay: prefs.relay_server_port.is_some(),
            ..HostFacts::default()
        },
        log_id: log_id.to_owned(),
        architecture: architecture(std::env::consts::ARCH).to_owned(),
        distribution: field(&os_release, "ID").unwrap_or_default(),
    }
}

fn hostname() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    name.split('.').next().filter(|name| !name.is_empty()).unwrap_or("wattle").to_owned()
}

/// Go's names, which coordination servers expect.
fn architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64",
        other => other,
    }
}

/// A field of `os-release(5)`.
fn field(os_release: &str, name: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_stands_in_os_release() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 13\"\nVERSION_ID=\"13\"\nID=debian\n";
        assert_eq!(field(text, "ID").as_deref(), Some("debian"));
        assert_eq!(field(text, "VARIANT"), None);
    }

    #[test]
    fn people_choose_the_name() {
        let prefs = Prefs { hostname: "ash".to_owned(), ..Prefs::default() };
        assert_eq!(host_report(&prefs, "x").facts.hostname, "ash");
        assert!(!host_report(&Prefs::default(), "x").facts.hostname.is_empty());
    }
}
