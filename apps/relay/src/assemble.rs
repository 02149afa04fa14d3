//! Puts the relay together from its flags, runs it, and takes it down in order.

use std::time::Duration;

use anyhow::Context;
use tokio::net::UdpSocket;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use wattle_link::Server;
use wattle_netmap::DerpMap;
use wattle_relay_io::http::BootstrapNames;
use wattle_relay_io::{Config, Place, Rate, RelayHandle, serve_stun};
use wattle_wire::convert::derp_map_to_wire;

use crate::{Serve, admission, http, kept};

/// When told to restart, clients come back after this ...
const RECONNECT_IN: Duration = Duration::from_secs(1);
/// ... and go on trying for this.
const TRY_FOR: Duration = Duration::from_secs(30);
/// Time for that word to get out before the connections end.
const LAST_WORDS: Duration = Duration::from_millis(300);

pub(crate) async fn serve(flags: Serve) -> anyhow::Result<()> {
    let names =
        if flags.host_names.is_empty() { vec![flags.listen.ip().to_string()] } else { flags.host_names.clone() };
    let identity = match (&flags.tls_cert, &flags.tls_key) {
        (Some(certificate), Some(key)) => Some(kept::identity_from_files(certificate, key)?),
        _ if flags.plain_http => None,
        _ => Some(kept::self_signed(&flags.data, &names)?),
    };
    let (admission, verify) = admission::choose(flags.verify_url.as_deref(), flags.verify_fail_open)?;
    let rate = (flags.rate > 0).then_some(Rate { bytes_per_second: flags.rate, burst_bytes: flags.burst });
    let config = Config { key: kept::relay_key(&flags.data)?, admission, rate };
    let relay = RelayHandle::new(config, verify).context("the system gives no randomness")?;

    let announcing = identity.as_ref().map(|identity| identity.tls.announcing(&relay.public_key())).transpose()?;
    let server = Server::bind(flags.listen, announcing.as_ref()).await?;
    let plain = match flags.captive_portal {
        Some(address) => Some(Server::bind(address, None).await?),
        None => None,
    };
    let stun = if flags.no_stun { None } else { Some(bind_stun(&flags).await?) };

    let host = names.first().cloned().unwrap_or_default();
    let place = Place {
        region: flags.region,
        code: format!("r{}", flags.region),
        name: host.clone(),
        host,
        relay_port: server.local_address()?.port(),
        stun_port: match &stun {
            Some(socket) => Some(socket.local_addr()?.port()),
            None => None,
        },
        plain_http: flags.captive_portal.is_some_and(|address| address.port() == 80),
        pin: identity.as_ref().and_then(|identity| identity.pin.clone()),
    };
    announce(&flags, &relay, &server, stun.as_ref(), &place)?;

    tokio::spawn(relay.clone().run_timers());
    if let Some(socket) = stun {
        tokio::spawn(serve_stun(socket, relay.clone()));
    }
    let (stop, stopped) = watch::channel(false);
    let router = http::router(&relay, BootstrapNames::new(flags.bootstrap_names));
    if let Some(plain) = plain {
        tokio::spawn(plain.serve(wattle_relay_io::http::captive_portal_router(), until(stopped.clone())));
    }
    let serving = tokio::spawn(server.serve(router, until(stopped)));

    told_to_stop().await?;
    tracing::info!("stopping: clients are told to come back");
    relay.restart(RECONNECT_IN, TRY_FOR);
    stop.send_replace(true);
    tokio::time::sleep(LAST_WORDS).await;
    serving.await.context("the HTTP server failed")
}

async fn bind_stun(flags: &Serve) -> anyhow::Result<UdpSocket> {
    UdpSocket::bind(flags.stun).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            anyhow::anyhow!("UDP {} is in use by another program; choose another with --stun, or --no-stun", flags.stun)
        } else {
            anyhow::anyhow!("cannot answer STUN on UDP {}: {error}", flags.stun)
        }
    })
}

fn announce(
    flags: &Serve,
    relay: &RelayHandle,
    server: &Server,
    stun: Option<&UdpSocket>,
    place: &Place,
) -> anyhow::Result<()> {
    let scheme = if flags.plain_http { "http" } else { "https" };
    eprintln!("wattle-relay {}", env!("CARGO_PKG_VERSION"));
    eprintln!("  relay      {scheme}://{}/derp", server.local_address()?);
    match stun {
        Some(socket) => eprintln!("  STUN       udp {}", socket.local_addr()?),
        None => eprintln!("  STUN       off"),
    }
    eprintln!("  key        {}", relay.public_key());
    eprintln!("  admits     {}", flags.verify_url.as_deref().map_or("everybody", |_| "whom --verify-url allows"));
    eprintln!("  data       {}", flags.data.display());
    if let Some(pin) = &place.pin {
        eprintln!("  pin        {pin}");
    }
    eprintln!("For the DERP map of the coordination server:");
    // Alone on stdout, so that it can be sent to a file.
    println!("{}", map_of(place)?);
    Ok(())
}

/// A whole DERP map, as official programs read it, with this relay in it.
fn map_of(place: &Place) -> serde_json::Result<String> {
    let region = place.to_region();
    let map = DerpMap { regions: [(region.id, region)].into(), ..DerpMap::default() };
    serde_json::to_string_pretty(&derp_map_to_wire(&map))
}

/// Done when the other half of the channel says so, or is gone.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _either_way = stopped.wait_for(|stopped| *stopped).await;
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result.context("cannot listen for Ctrl-C")?,
    }
    Ok(())
}
