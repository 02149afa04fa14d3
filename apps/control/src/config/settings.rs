//! What the server runs with: flags over file over defaults, checked against each other.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::providers::{self, ProviderSettings};
use super::{ConfigFile, Lifetime};
use crate::serve::Serve;

const DAY: Duration = Duration::from_secs(86_400);
/// Longest name of a DNS zone, with room for a host name in front (RFC 1035: 255 in all).
const DOMAIN_BYTES_MAX: usize = 190;
/// The relay's port of its own when HTTP is plain.
const RELAY_PORT: u16 = 3340;
const STUN_PORT: u16 = 3478;

/// All there is to know before anything is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) server_url: ServerUrl,
    pub(crate) domain: String,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) policy_file: Option<PathBuf>,
    pub(crate) console: Option<SocketAddr>,
    pub(crate) relay: Option<RelayPlace>,
    pub(crate) relay_maps: Vec<PathBuf>,
    pub(crate) key_lifetime: Option<Duration>,
    pub(crate) ephemeral_after: Duration,
    pub(crate) resolvers: Vec<IpAddr>,
    pub(crate) providers: Vec<ProviderSettings>,
    pub(crate) log: String,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The relay inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelayPlace {
    /// Its own TLS port; `None`: it is served with everything else.
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) stun_listen: SocketAddr,
    pub(crate) host: String,
    pub(crate) region: u16,
    pub(crate) code: String,
    pub(crate) name: String,
    /// 0 is unlimited.
    pub(crate) bytes_per_second: u64,
}

impl Settings {
    pub(crate) const DEFAULT_FOLDER: &str = "/var/lib/wattle-control";

    pub(crate) fn new(flags: &Serve, file: ConfigFile) -> anyhow::Result<Self> {
        let listen = flags.listen.or(file.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
        let tls = match (&flags.tls_cert, &flags.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
            _ => file.tls.map(|tls| TlsFiles { certificate: tls.certificate, key: tls.key }),
        };
        let server_url = match flags.server_url.as_ref().or(file.server_url.as_ref()) {
            Some(text) => text.parse().context("server_url")?,
            None => ServerUrl::of_address(listen, tls.is_some())?,
        };
        let relay = if flags.no_relay || file.relay.enabled == Some(false) {
            None
        } else {
            let own_port = flags.relay_listen.or(file.relay.listen);
            let place = RelayPlace {
                listen: own_port.or_else(|| tls.is_none().then(|| SocketAddr::new(listen.ip(), RELAY_PORT))),
                stun_listen: flags
                    .stun_listen
                    .or(file.relay.stun_listen)
                    .unwrap_or_else(|| SocketAddr::new(listen.ip(), STUN_PORT)),
                host: flags.relay_host.clone().or(file.relay.host).unwrap_or_else(|| server_url.host.clone()),
                region: file.relay.region.unwrap_or(999),
                code: file.relay.code.unwrap_or_else(|| "wattle".to_owned()),
                name: file.relay.name.unwrap_or_else(|| "Wattle".to_owned()),
                bytes_per_second: file.relay.bytes_per_second.unwrap_or(0),
            };
            ensure!(place.region != 0, "relay.region must not be 0");
            Some(place)
        };
        let domain = file.domain.unwrap_or_else(|| "wattle.internal".to_owned());
        check_domain(&domain)?;
        Ok(Self {
            data: flags.data.clone().or(file.data).unwrap_or_else(|| PathBuf::from(Self::DEFAULT_FOLDER)),
            listen,
            server_url,
            domain,
            tls,
            policy_file: flags.policy_file.clone().or(file.policy.file),
            console: flags.console.or(file.console),
            relay,
            relay_maps: file.relay_maps,
            key_lifetime: file.nodes.key_lifetime.unwrap_or(Lifetime::For(180 * DAY)).limit(),
            ephemeral_after: file
                .nodes
                .ephemeral_after
                .unwrap_or(Lifetime::For(Duration::from_secs(30 * 60)))
                .limit()
                .context("nodes.ephemeral_after cannot be \"never\": such nodes would not be ephemeral")?,
            resolvers: file.dns.resolvers,
            providers: providers::checked(file.providers)?,
            log: flags.log.clone().or(file.log).unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// How nodes and browsers reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    text: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl ServerUrl {
    /// The address of a page below it. `path` starts with a slash.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether browsers reach it by https.
    pub(crate) fn is_secure(&self) -> bool {
        self.text.starts_with("https://")
    }

    fn of_address(listen: SocketAddr, tls: bool) -> anyhow::Result<Self> {
        if listen.ip().is_unspecified() {
            bail!("{listen} is reached by many names: say by --server-url (server_url) how nodes reach this server");
        }
        ensure!(listen.port() != 0, "with port 0 the server is somewhere else each time: say with --server-url where");
        let scheme = if tls { "https" } else { "http" };
        format!("{scheme}://{listen}").parse()
    }
}

impl std::fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ServerUrl {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let wrong = || {
            format!("{text:?} is no address of a server: write http:// or https:// and a host, with a port if need be")
        };
        let url: axum::http::Uri = text.trim_end_matches('/').parse().ok().with_context(wrong)?;
        let authority = url.authority().with_context(wrong)?;
        let standard_port = match url.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => bail!(wrong()),
        };
        ensure!(matches!(url.path(), "" | "/") && url.query().is_none(), "{text:?} has a path; nodes expect none");
        ensure!(!authority.as_str().contains('@') && !authority.host().is_empty(), wrong());
        Ok(Self {
            text: text.trim_end_matches('/').to_owned(),
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(standard_port),
        })
    }
}

/// Labels of letters, digits and inner hyphens.
fn check_domain(domain: &str) -> anyhow::Result<()> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    ensure!(
        domain.len() <= DOMAIN_BYTES_MAX && domain.split('.').all(label),
        "domain {domain:?} is no name of a DNS zone: lowercase letters, digits and hyphens between dots"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: Serve, file: &str) -> anyhow::Result<Settings> {
        Settings::new(&flags, ConfigFile::parse(file).map_err(|(_, _, problem)| anyhow::anyhow!(problem))?)
    }

    #[test]
    fn nothing_said_is_a_deployment() {
        let settings = settings(Serve::default(), "").unwrap();
        assert_eq!(settings.server_url.to_string(), "http://127.0.0.1:8080");
        let relay = settings.relay.unwrap();
        assert_eq!(relay.listen, Some("127.0.0.1:3340".parse().unwrap()));
        assert_eq!((relay.host.as_str(), relay.stun_listen), ("127.0.0.1", "127.0.0.1:3478".parse().unwrap()));
    }

    #[test]
    fn the_example_says_the_defaults() {
        assert_eq!(
            settings(Serve::default(), include_str!("../../config.example.toml")).unwrap(),
            settings(Serve::default(), "").unwrap()
        );
    }

    #[test]
    fn flags_come_before_the_file() {
        let flags = Serve { listen: Some("10.0.0.1:80".parse().unwrap()), ..Serve::default() };
        let settings = settings(flags, "listen = \"10.0.0.2:90\"\ndata = \"/x\"").unwrap();
        assert_eq!(settings.server_url.page("/key"), "http://10.0.0.1:80/key");
        assert_eq!(settings.data, PathBuf::from("/x"));
    }

    #[test]
    fn an_address_for_all_needs_a_name() {
        let problem = settings(Serve::default(), "listen = \"0.0.0.0:80\"").unwrap_err().to_string();
        assert!(problem.contains("--server-url"), "{problem}");
        let told =
            settings(Serve::default(), "listen = \"0.0.0.0:80\"\nserver_url = \"http://vpn.example.com/\"").unwrap();
        assert_eq!((told.server_url.host.as_str(), told.server_url.port), ("vpn.example.com", 80));
        assert_eq!(told.relay.unwrap().host, "vpn.example.com");
    }

    #[test]
    fn with_a_certificate_the_relay_needs_no_port_of_its_own() {
        let file = "listen = \"10.0.0.1:443\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"";
        let settings = settings(Serve::default(), file).unwrap();
        assert_eq!(settings.relay.unwrap().listen, None);
        assert_eq!(settings.server_url.to_string(), "https://10.0.0.1:443");
    }

    #[test]
    fn nonsense_is_refused_in_a_sentence() {
        for file in [
            "server_url = \"vpn.example.com\"",
            "server_url = \"ftp://x\"",
            "server_url = \"http://x/path\"",
            "server_url = \"http://\"",
            "domain = \"No Zone\"",
            "domain = \"a..b\"",
            "[relay]\nregion = 0",
            "[nodes]\nephemeral_after = \"never\"",
        ] {
            assert!(settings(Serve::default(), file).is_err(), "{file}");
        }
        let v6: ServerUrl = "http://[fd7a::1]:8080".parse().unwrap();
        assert_eq!((v6.host.as_str(), v6.port), ("fd7a::1", 8080));
    }
}
