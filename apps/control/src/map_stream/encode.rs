//! Frames: u32 little-endian length, then one zstd frame of JSON. What many streams are told is made once ([`JsonCache`]).

mod cache;

use std::sync::LazyLock;

use bytes::Bytes;
use wattle_coordinator::Update;
use wattle_wire::RawJson;
use wattle_wire::control::{Debug, MapResponse, SshPolicy};
use wattle_wire::convert::delta_to_wire;
use wattle_wire::version::CapabilityVersion;

use crate::ssh_policy;

pub(crate) use cache::JsonCache;

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
    pub(super) fn frame(self, mut update: Update, cache: &JsonCache) -> Bytes {
        let (peers, chunks) = (std::mem::take(&mut update.peers), std::mem::take(&mut update.chunks));
        let peers: Vec<RawJson> = peers.iter().map(|peer| cache.peer(peer)).collect();
        let mut response: MapResponse<RawJson, RawJson> =
            delta_to_wire(&update.to_delta(), self.version).map_parts(|_| RawJson::default(), |_| RawJson::default());
        let rules = chunks.iter().map(|chunk| (Update::chunk_name(chunk.fingerprint), Some(cache.rules(chunk))));
        response.packet_filters.extend(rules);
        response.ssh_policy =
            update.ssh.map(|permits| SshPolicy { rules: ssh_policy::rules(&permits, ssh_policy::HERE) });
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
        self.pack(&RawJson::encode(&MapResponse::<RawJson>::keep_alive()).unwrap_or_default())
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
