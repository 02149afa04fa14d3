//! The map stream: frames to changes of the map.

use std::io::Read;

use wattle_netmap::Delta;
use wattle_time::{Instant, UnixTime};
use wattle_wire::RawJson;
use wattle_wire::control::{MapResponse, PingRequest};
use wattle_wire::convert::{ConvertError, delta_from_wire, first_delta_from_wire};

use crate::limits::MAP_BYTES_MAX;
use crate::out::RequestId;

/// One stream, from its request to its end.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) request: RequestId,
    /// Whether the first map has come. Until then a message without our own node makes no sense.
    started: bool,
    pub(crate) heard: Instant,
}

/// What one frame says.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) delta: Option<Delta>,
    pub(crate) ping: Option<PingRequest>,
    pub(crate) browse_to: String,
    pub(crate) control_time: Option<UnixTime>,
}

/// A frame that makes no sense; the stream is closed and begun again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("the coordination server sent a map that does not unpack")]
    Packed,
    #[error("the coordination server sent a map larger than {} MiB", MAP_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the coordination server sent a map that is not JSON of the protocol")]
    Json,
    #[error("the coordination server's first map lacks our own node")]
    NoNode,
    #[error("the coordination server sent a map that makes no sense: {0}")]
    Senseless(#[from] ConvertError),
}

impl Feed {
    pub(crate) const fn new(request: RequestId, now: Instant) -> Self {
        Self { request, started: false, heard: now }
    }

    pub(crate) const fn has_started(&self) -> bool {
        self.started
    }

    /// Reads one frame.
    pub(crate) fn read(&mut self, frame: &[u8], now: Instant, wall: UnixTime) -> Result<News, FeedError> {
        self.heard = now;
        let mut response = decode(&unpack(frame)?)?;
        let mut news = News {
            delta: None,
            ping: response.ping_request.take(),
            browse_to: std::mem::take(&mut response.pop_browser_url),
            control_time: response.control_time,
        };
        if response.keep_alive {
            return Ok(news);
        }
        let delta = if self.started {
            delta_from_wire(response, wall)?
        } else {
            if response.node.is_none() {
                return Err(FeedError::NoNode);
            }
            first_delta_from_wire(response, wall)?
        };
        self.started = true;
        news.delta = Some(delta);
        Ok(news)
    }
}

fn unpack(frame: &[u8]) -> Result<Vec<u8>, FeedError> {
    let decoder = zstd::stream::read::Decoder::new(frame).map_err(|_| FeedError::Packed)?;
    let mut plain = Vec::new();
    let limit = u64::try_from(MAP_BYTES_MAX).unwrap_or(u64::MAX);
    decoder.take(limit + 1).read_to_end(&mut plain).map_err(|_| FeedError::Packed)?;
    if plain.len() > MAP_BYTES_MAX { Err(FeedError::TooLarge) } else { Ok(plain) }
}

fn decode(plain: &[u8]) -> Result<MapResponse, FeedError> {
    let text = std::str::from_utf8(plain).map_err(|_| FeedError::Json)?;
    let json = RawJson::parse(text.to_owned()).map_err(|_| FeedError::Json)?;
    json.decode().map_err(|_| FeedError::Json)
}
