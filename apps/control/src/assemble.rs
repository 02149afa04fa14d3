//! Puts the server together from its settings, runs it, and takes it down in order.
//!
//! Order: everything that can fail for reasons of the outside (folder, database, ports, certificates) comes first, so
//! that a server that says it is up is up.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use wattle_coordinator::{Config, Coordinator, Dice, Now};
use wattle_keys::NodePublic;
use wattle_link::{Server, ServerIdentity};
use wattle_netmap::{DerpMap, Resolver};
use wattle_provider::Providers;
use wattle_relay_io::{RelayHandle, serve_stun};
use wattle_store::{Store, load_or_create_machine_key};

use crate::admin::Office;
use crate::check_config::redirect_of;
use crate::config::Settings;
use crate::event_loop::LoopHandle;
use crate::http::Site;
use crate::people::{ConfiguredProviders, People, provider_configs};
use crate::policy_desk::PolicyDesk;
use crate::policy_file::PolicyFile;
use crate::relay::{self, RelaySockets};
use crate::web::{self, Console};
use crate::{admin, event_loop, http};

/// When the server goes, relay clients come back after this ...
const RECONNECT_IN: Duration = Duration::from_secs(1);
/// ... and go on trying for this.
const TRY_FOR: Duration = Duration::from_secs(60);

pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    make_folder(&settings.data)?;
    let machine_key = load_or_create_machine_key(&settings.data.join("machine.key"), wattle_clock::seed()?)?;
    let store = Store::open(&settings.data.join("control.db")).await?;

    let identity = match &settings.tls {
        Some(files) => {
            let identity = ServerIdentity::from_pem_files(&files.certificate, &files.key)?;
            // Behind one port with the relay: who dials that learns its key on the way.
            let has_relay = settings.relay.as_ref().is_some_and(|place| place.listen.is_none());
            let key = has_relay.then(|| relay::kept_key(&settings.data)).transpose()?;
            Some(key.map_or(Ok(identity.clone()), |key| identity.announcing(&key.public()))?)
        }
        None => None,
    };
    let server = Server::bind(settings.listen, identity.as_ref()).await?;
    let sockets = match &settings.relay {
        Some(place) => Some(RelaySockets::bind(place, &settings.data, settings.server_url.port).await?),
        None => None,
    };

    let mut regions = relay::more_regions(&settings.relay_maps)?;
    if let Some(sockets) = &sockets {
        let region = sockets.place.to_region();
        anyhow::ensure!(!regions.contains_key(&region.id), "a file of relay_maps has region {} too", region.id.0);
        regions.insert(region.id, region);
    }
    let config = Config {
        domain: settings.domain.clone(),
        derp: DerpMap { regions, ..DerpMap::default() },
        key_lifetime: settings.key_lifetime,
        ephemeral_after: settings.ephemeral_after,
        resolvers: settings
            .resolvers
            .iter()
            .map(|address| Resolver { address: address.to_string(), ..Resolver::default() })
            .collect(),
    };
    let console = Console::new(settings.console)?;
    let console_port = match settings.console {
        Some(address) => Some(web::bind(address).await?),
        None => None,
    };
    let history = store.policy_history();
    let now = Now { mono: wattle_clock::now(), wall: wattle_clock::unix_now() };
    let coordinator = Coordinator::new(config, store.load().await?, now).context("the stored policy")?;

    let (stop, stopped) = watch::channel(false);
    // The relay asks the event loop whom to admit, and the event loop tells the relay who is gone.
    let relay_inside = Arc::new(OnceLock::<RelayHandle>::new());
    let cut_relay_of = Arc::clone(&relay_inside);
    let on_gone = move |key: &NodePublic| {
        if let Some(relay) = cut_relay_of.get() {
            relay.revoke(key);
        }
    };
    let (tailnet, mut deciding) = event_loop::spawn(coordinator, store, Dice::new(wattle_clock::seed()?), on_gone);
    let policy = PolicyDesk::new(tailnet.clone(), history, settings.policy_file.clone());
    if let Some(path) = settings.policy_file.clone() {
        let mut file = PolicyFile::new(path, policy.clone());
        file.begin().await?;
        let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        tokio::spawn(file.watch(hangup, stopped.clone()));
    }
    let office = Office { tailnet: tailnet.clone(), policy: policy.clone(), console: console.clone() };
    let administering = admin::serve(&settings.data.join("admin.sock"), office, stopped.clone())?;
    let relay = match &settings.relay {
        Some(place) => {
            let relay = relay::relay_for(&tailnet, place, &settings.data)?;
            Some(relay_inside.get_or_init(|| relay).clone())
        }
        None => None,
    };
    announce(&settings, &server, sockets.as_ref(), &console)?;

    let mut serving = Vec::new();
    let showing = console_port.map(|port| web::serve(port, policy, console.clone(), stopped.clone()));
    if let (Some(relay), Some(sockets)) = (&relay, sockets) {
        tokio::spawn(relay.clone().run_timers());
        tokio::spawn(serve_stun(sockets.stun, relay.clone()));
        if let Some(own_port) = sockets.server {
            let router = wattle_relay_io::http::router(relay.clone(), http::bootstrap_names(&settings.server_url));
            serving.push(tokio::spawn(own_port.serve(router, until(stopped.clone()))));
        }
    }
    let people = people(&settings, &tailnet)?;
    let site =
        Site::new(tailnet.clone(), machine_key, settings.server_url.clone(), people, relay.as_ref(), stopped.clone());
    serving.push(tokio::spawn(server.serve(http::outer(Arc::clone(&site), relay.clone()), until(stopped))));

    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result.context("cannot listen for Ctrl-C")?,
        // Without it nothing is decided any more: better to end, and be started again.
        ended = &mut deciding => return ended.context("the event loop failed"),
    }
    tracing::info!("stopping");
    if let Some(relay) = &relay {
        RelayHandle::restart(relay, RECONNECT_IN, TRY_FOR);
    }
    tailnet.stop().await;
    stop.send_replace(true);
    for task in serving {
        task.await.context("the HTTP server failed")?;
    }
    administering.await.context("the admin socket failed")?;
    if let Some(showing) = showing {
        showing.await.context("the console failed")?;
    }
    deciding.await.context("the event loop failed")
}

/// The pages where people sign in, if there is anybody to vouch for them.
fn people(settings: &Settings, tailnet: &LoopHandle) -> anyhow::Result<Option<Arc<People>>> {
    if settings.providers.is_empty() {
        return Ok(None);
    }
    let url = settings.server_url.clone();
    let providers = Providers::new(provider_configs(&settings.providers), move |name| redirect_of(&url, name))?;
    Ok(Some(People::new(tailnet.clone(), settings.server_url.clone(), ConfiguredProviders(providers))))
}

/// Keys and the administrators' socket are in it, so it is nobody else's.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| {
        format!("cannot make the folder {}: choose another with --data, or run as a user who may", folder.display())
    })
}

fn announce(
    settings: &Settings,
    server: &Server,
    sockets: Option<&RelaySockets>,
    console: &Console,
) -> anyhow::Result<()> {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    eprintln!("wattle-control {}", env!("CARGO_PKG_VERSION"));
    eprintln!("  server     {}  (listening on {scheme}://{})", settings.server_url, server.local_address()?);
    match sockets {
        Some(sockets) => {
            eprintln!("  relay      {}", sockets.describe());
            eprintln!("  STUN       udp {}", sockets.stun.local_addr()?);
        }
        None => eprintln!("  relay      none inside"),
    }
    eprintln!("  names      *.{}", settings.domain);
    eprintln!("  data       {}", settings.data.display());
    if let Some(path) = &settings.policy_file {
        eprintln!("  policy     {}  (read again when it changes)", path.display());
    }
    if !settings.providers.is_empty() {
        let titles: Vec<&str> = settings.providers.iter().map(|provider| provider.title.as_str()).collect();
        eprintln!(
            "  sign-in    {}  (people find their devices at {})",
            titles.join(", "),
            settings.server_url.page("/devices")
        );
    }
    if settings.console.is_some() {
        eprintln!("  console    {}  (for one browser; more by wattle-control console)", console.invite()?);
    }
    eprintln!("Next: wattle-control users create NAME, then wattle-control keys create --user NAME");
    Ok(())
}

/// Done when the other half of the channel says so, or is gone.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _either_way = stopped.wait_for(|stopped| *stopped).await;
}
