//! `wattle-control serve`: its flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::{ConfigFile, Settings};

/// All of them are optional.
#[derive(Args, Debug, Default)]
pub(crate) struct Serve {
    /// Where the database, keys and the admin socket are [default: /var/lib/wattle-control]
    #[arg(skip)]
    pub(crate) data: Option<PathBuf>,
    /// A configuration file; `wattle-control check-config --example` prints one with every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to serve HTTP [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// How nodes and browsers reach this server [default: made from --listen]
    #[arg(long, value_name = "URL")]
    pub(crate) server_url: Option<String>,
    /// Certificate chain, PEM, to serve HTTPS instead of HTTP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A file that the policy comes from; it is read again when it changes, and on SIGHUP.
    #[arg(long, value_name = "FILE", alias = "policy")]
    pub(crate) policy_file: Option<PathBuf>,
    /// Serve the console to browsers of this machine, such as on 127.0.0.1:8081 [default: only on the admin socket]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) console: Option<SocketAddr>,
    /// Serve the relay inside on a port of its own, with TLS [default: port 3340 of --listen's address, unless HTTPS]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) relay_listen: Option<SocketAddr>,
    /// Where to answer STUN, over UDP [default: port 3478 of --listen's address]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) stun_listen: Option<SocketAddr>,
    /// Name or address by which nodes reach the relay [default: that of --server-url]
    #[arg(long, value_name = "HOST")]
    pub(crate) relay_host: Option<String>,
    /// Run without a relay inside.
    #[arg(long)]
    pub(crate) no_relay: bool,
    /// What to log, such as `debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "WATTLE_LOG")]
    pub(crate) log: Option<String>,
}

/// For the end of `serve --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  To try it on this machine:
    wattle-control serve --data /tmp/wattle

  For a network, reached by name:
    wattle-control serve --listen 0.0.0.0:80 --server-url http://vpn.example.com

  With a certificate; the relay is then served on the same port:
    wattle-control serve --listen 0.0.0.0:443 --server-url https://vpn.example.com \\
        --tls-cert fullchain.pem --tls-key key.pem";

impl Serve {
    /// Reads the file, if one is named, and joins both.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let file = match &self.config {
            Some(path) => ConfigFile::read(path)?,
            None => ConfigFile::default(),
        };
        Settings::new(self, file)
    }
}
