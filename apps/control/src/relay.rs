//! The relay inside: its keys, its sockets, and the region that nodes are told of.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use tokio::net::UdpSocket;
use wattle_keys::NodePrivate;
use wattle_link::{Server, ServerIdentity};
use wattle_netmap::{DerpMap, DerpRegion, RegionId};
use wattle_relay_io::{Admission, Config, Place, Rate, RelayHandle, Verify};
use wattle_state::StateFile;
use wattle_wire::control;
use wattle_wire::convert::derp_map_from_wire;

use crate::config::RelayPlace;
use crate::event_loop::LoopHandle;
use crate::limits::RELAY_MAP_BYTES_MAX;

/// Bytes that a node may send at once before its rate counts.
const BURST_BYTES: u64 = 1 << 20;

/// Bound sockets: nothing about them can fail any more.
pub(crate) struct RelaySockets {
    /// The relay's own TLS port, unless it is served with everything else.
    pub(crate) server: Option<Server>,
    pub(crate) stun: UdpSocket,
    pub(crate) place: Place,
}

impl RelaySockets {
    /// Binds what the relay needs. `main_port` is where nodes reach it when it has no port of its own.
    pub(crate) async fn bind(place: &RelayPlace, folder: &Path, main_port: u16) -> anyhow::Result<Self> {
        let (server, pin, relay_port) = match place.listen {
            Some(address) => {
                let identity = kept_identity(folder, &place.host)?.announcing(&kept_key(folder)?.public())?;
                let server = Server::bind(address, Some(&identity))
                    .await
                    .context("the relay has no port (--relay-listen chooses one, --no-relay does without)")?;
                let port = server.local_address()?.port();
                (Some(server), Some(identity.pin().to_owned()), port)
            }
            None => (None, None, main_port),
        };
        let stun = UdpSocket::bind(place.stun_listen).await.map_err(|error| stun_error(place.stun_listen, &error))?;
        let place = Place {
            region: place.region,
            code: place.code.clone(),
            name: place.name.clone(),
            host: place.host.clone(),
            relay_port,
            stun_port: Some(stun.local_addr()?.port()),
            plain_http: false,
            pin,
        };
        Ok(Self { server, stun, place })
    }

    /// For people: where it is and how it is trusted.
    pub(crate) fn describe(&self) -> String {
        let trust = match self.place.pin {
            Some(_) => "own TLS port, certificate made here, known to nodes by its hash",
            None => "with everything else",
        };
        let Place { host, relay_port, region, code, .. } = &self.place;
        format!("{host}:{relay_port}  region {region} ({code}), {trust}")
    }
}

/// A relay that admits the nodes of this tailnet and nobody else.
pub(crate) fn relay_for(tailnet: &LoopHandle, place: &RelayPlace, folder: &Path) -> anyhow::Result<RelayHandle> {
    let rate = (place.bytes_per_second > 0)
        .then_some(Rate { bytes_per_second: place.bytes_per_second, burst_bytes: BURST_BYTES });
    let config = Config { key: kept_key(folder)?, admission: Admission::Ask, rate };
    let tailnet = tailnet.clone();
    let verify: Verify = Arc::new(move |key, _source| {
        let admitted = tailnet.admits(&key);
        Box::pin(std::future::ready(admitted))
    });
    RelayHandle::new(config, Some(verify)).context("the system gives no randomness")
}

/// The regions of files with DERP maps, such as `wattle-relay serve` prints.
pub(crate) fn more_regions(files: &[PathBuf]) -> anyhow::Result<BTreeMap<RegionId, DerpRegion>> {
    let mut regions = BTreeMap::new();
    for path in files {
        let shown = path.display();
        let length = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
        ensure!(length <= RELAY_MAP_BYTES_MAX, "{shown} is too large to be a map of relays");
        let text = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        let map: control::DerpMap = serde_json::from_slice(&text)
            .with_context(|| format!("{shown} is no map of relays (a DERP map in JSON)"))?;
        let DerpMap { regions: found, .. } = derp_map_from_wire(map);
        ensure!(!found.is_empty(), "{shown} has no regions");
        for (id, region) in found {
            if regions.insert(id, region).is_some() {
                bail!("{shown} has region {} a second time", id.0);
            }
        }
    }
    Ok(regions)
}

fn stun_error(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        anyhow::anyhow!("UDP {address} is in use by another program; choose another for STUN with --stun-listen")
    } else {
        anyhow::anyhow!("cannot answer STUN on UDP {address}: {error}; --stun-listen chooses another address")
    }
}

/// The certificate that was made at the first start with this host; nodes know it by its hash, so it is kept.
fn kept_identity(folder: &Path, host: &str) -> anyhow::Result<ServerIdentity> {
    let mut file = StateFile::open(folder.join("relay-tls.pem"))?;
    // The first line names the host, since clients check the certificate's name too.
    let head = format!("# {host}\n");
    match file.contents() {
        Some(pem) if pem.starts_with(head.as_bytes()) => ServerIdentity::from_pem(pem, pem)
            .with_context(|| format!("{} is damaged; remove it to get a new one", file.path().display())),
        _ => {
            let (identity, pem) = ServerIdentity::self_signed(&[host.to_owned()])?;
            file.write(format!("{head}{}{}", pem.certificate, pem.key).as_bytes())?;
            Ok(identity)
        }
    }
}

/// The key by which clients know this relay.
pub(crate) fn kept_key(folder: &Path) -> anyhow::Result<NodePrivate> {
    let mut file = StateFile::open(folder.join("relay.key"))?;
    match file.contents() {
        Some(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| NodePrivate::from_secret_text(text.trim()).ok())
            .with_context(|| format!("{} holds no relay key; remove it to get a new one", file.path().display())),
        None => {
            let key = NodePrivate::from_bytes(wattle_clock::seed()?);
            file.write(format!("{}\n", key.to_secret_text()).as_bytes())?;
            Ok(key)
        }
    }
}
