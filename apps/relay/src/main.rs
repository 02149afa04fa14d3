//! `wattle-relay`: a relay on its own. This file reads the command line; `assemble.rs` builds and runs the relay.
#![forbid(unsafe_code)]

mod admission;
mod assemble;
mod http;
mod kept;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Relays packets between Wattle and Tailscale nodes that cannot reach each other directly, and tells nodes their
/// public address (STUN).
#[derive(Parser)]
#[command(name = "wattle-relay", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs the relay until it is told to stop (SIGTERM, Ctrl-C).
    #[command(after_help = EXAMPLES)]
    Serve(Box<Serve>),
}

const EXAMPLES: &str = "\
Examples:
  With a certificate made here, pinned by the DERP map snippet that is printed at start:
    wattle-relay serve --host-name relay.example.com

  With a certificate from files, for the nodes of one coordination server only:
    wattle-relay serve --host-name relay.example.com \\
        --tls-cert /etc/ssl/relay.pem --tls-key /etc/ssl/relay.key \\
        --verify-url https://vpn.example.com/verify

  On other ports, behind nothing, to try it:
    wattle-relay serve --listen 127.0.0.1:3340 --stun 127.0.0.1:3478 --data /tmp/relay";

#[derive(Args)]
struct Serve {
    /// Where to serve HTTPS. `[::]:443` serves IPv6 and IPv4.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:443")]
    listen: SocketAddr,
    /// Where to answer STUN, over UDP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:3478")]
    stun: SocketAddr,
    /// Where to answer over plain HTTP whether a captive portal is in the way; port 80 stands in the DERP map. Without it,
    /// nowhere.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "plain_http")]
    captive_portal: Option<SocketAddr>,
    /// Do not answer STUN.
    #[arg(long)]
    no_stun: bool,
    /// A name or address by which nodes reach this relay. The first one stands in the DERP map; all stand in a
    /// certificate that is made here. May be given several times.
    #[arg(long = "host-name", value_name = "NAME")]
    host_names: Vec<String>,
    /// Certificate chain, PEM. Without it a self-signed certificate is made once and kept under --data.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve HTTP without TLS: for tests, or behind a proxy that ends TLS.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    plain_http: bool,
    /// Where the relay keeps its key and certificate.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/wattle-relay")]
    data: PathBuf,
    /// Admit only nodes that this address allows, such as the /verify of a coordination server. Without it, everybody.
    #[arg(long, value_name = "URL")]
    verify_url: Option<String>,
    /// Admit nodes while --verify-url cannot be asked, instead of refusing them.
    #[arg(long, requires = "verify_url")]
    verify_fail_open: bool,
    /// Bytes a second that each client may send; 0 is unlimited.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    rate: u64,
    /// Bytes that a client may send at once before --rate slows it down.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    burst: u64,
    /// A name whose addresses /bootstrap-dns tells, for nodes whose DNS is broken. May be given several times.
    #[arg(long = "bootstrap-dns", value_name = "NAME")]
    bootstrap_names: Vec<String>,
    /// The region's number in the DERP map snippet that is printed at start.
    #[arg(long, value_name = "NUMBER", default_value_t = 900)]
    region: u16,
    /// What to log, such as `debug` or `wattle_relay_io=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "WATTLE_LOG")]
    log: String,
}

fn main() -> ExitCode {
    let Verb::Serve(serve) = CommandLine::parse().verb;
    match run(*serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(serve: Serve) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&serve.log)
        .map_err(|error| anyhow::anyhow!("--log {:?} is no log filter: {error}", serve.log))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(assemble::serve(serve))
}
