//! Frames: u32 little-endian length, then one zstd frame of JSON. A peer's JSON is made once per change of the peer and
//! shared by all streams that show it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wattle_coordinator::{PeerView, Revision, Update};
use wattle_netmap::NodeId;
use wattle_wire::RawJson;
use wattle_wire::control::{Debug, MapResponse};
use wattle_wire::convert::{Viewer, delta_to_wire, node_to_wire};
use wattle_wire::version::CapabilityVersion;

/// Speed matters more than size: official clients unpack any level.
const LEVEL: i32 = 1;

/// Encodes for one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoder {
    pub(super) version: CapabilityVersion,
    pub(super) compress: bool,
}

impl Encoder {
    /// What a stream is told.
    pub(super) fn frame(self, update: &Update, cache: &PeerJson) -> Bytes {
        let peers: Vec<RawJson> = update.peers.iter().map(|view| cache.of(view)).collect();
        let rest = Update { peers: Vec::new(), ..update.clone() };
        let mut response: MapResponse<RawJson> =
            delta_to_wire(&rest.to_delta(), self.version).map_peers(|_| RawJson::default());
        if update.whole {
            response.peers = peers;
            response.collect_services = Some(false);
            response.control_time = Some(wattle_clock::unix_now());
            // Official clients would send their logs to their vendor.
            response.debug = Some(Debug { disable_log_tail: true, ..Debug::default() });
        } else {
            response.peers_changed = peers;
        }
        self.pack(&RawJson::encode(&response).unwrap_or_default())
    }

    /// The same bytes each time: official clients recognise them without unpacking.
    pub(super) fn keepalive(self) -> Bytes {
        static PACKED: LazyLock<Bytes> = LazyLock::new(|| Encoder { version: 0, compress: true }.fresh_keepalive());
        if self.compress { PACKED.clone() } else { self.fresh_keepalive() }
    }

    fn fresh_keepalive(self) -> Bytes {
        self.pack(&RawJson::encode(&MapResponse::<RawJson>::keep_alive().map_peers(|peer| peer)).unwrap_or_default())
    }

    fn pack(self, json: &RawJson) -> Bytes {
        let plain = json.as_str().as_bytes();
        // Compressing into memory fails only when there is none left.
        let body = if self.compress { zstd::bulk::compress(plain, LEVEL).unwrap_or_default() } else { plain.to_vec() };
        let mut frame = Vec::with_capacity(4 + body.len());
        frame.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        frame.extend_from_slice(&body);
        frame.into()
    }
}

/// The latest JSON of every peer that some stream was shown.
#[derive(Debug, Default)]
pub(crate) struct PeerJson(Mutex<BTreeMap<NodeId, (Revision, RawJson)>>);

impl PeerJson {
    /// The peer's JSON, made anew when the peer has changed since it was made last.
    fn of(&self, view: &PeerView) -> RawJson {
        let id = view.node.id;
        if let Some((revision, json)) = self.lock().get(&id)
            && *revision == view.revision
        {
            return json.clone();
        }
        let json = RawJson::encode(&node_to_wire(&view.node, Viewer::Peer)).unwrap_or_default();
        self.lock().insert(id, (view.revision, json.clone()));
        json
    }

    /// The node is gone.
    pub(crate) fn forget(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, (Revision, RawJson)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
