//! The messages of a map stream: each is a little-endian length and that many bytes, compressed or not.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::error::RequestError;
use crate::limits::MAP_FRAME_MAX;
use crate::task::OwnedTask;

/// A map stream that has begun. Dropping it ends it.
#[derive(Debug)]
pub struct MapFrames {
    body: Incoming,
    arrived: BytesMut,
    /// Keeps the connection open.
    _connection: Arc<OwnedTask>,
}

impl MapFrames {
    pub(super) fn new(body: Incoming, connection: Arc<OwnedTask>) -> Self {
        Self { body, arrived: BytesMut::new(), _connection: connection }
    }

    /// The next message; `None` when the server has ended the stream. A call may be dropped and made again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            if let Some(frame) = take_frame(&mut self.arrived)? {
                return Ok(Some(frame));
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(bytes) = frame?.into_data() {
                        self.arrived.extend_from_slice(&bytes);
                    }
                }
                None if self.arrived.is_empty() => return Ok(None),
                None => return Err(RequestError::Truncated),
            }
        }
    }
}

fn take_frame(arrived: &mut BytesMut) -> Result<Option<Bytes>, RequestError> {
    let Some(length) = arrived.first_chunk() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAP_FRAME_MAX {
        return Err(RequestError::TooLong { limit: MAP_FRAME_MAX });
    }
    if arrived.len() < 4 + length {
        return Ok(None);
    }
    arrived.advance(4);
    Ok(Some(arrived.split_to(length).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_come_out_however_they_are_cut(texts: Vec<Vec<u8>>, piece in 1usize..50) {
            let wire: Vec<u8> = texts.iter().flat_map(|text| [&(text.len() as u32).to_le_bytes()[..], text].concat()).collect();
            let (mut arrived, mut found) = (BytesMut::new(), Vec::new());
            for piece in wire.chunks(piece) {
                arrived.extend_from_slice(piece);
                while let Some(frame) = take_frame(&mut arrived).unwrap() {
                    found.push(frame.to_vec());
                }
            }
            prop_assert_eq!(found, texts);
            prop_assert!(arrived.is_empty());
        }
    }

    #[test]
    fn a_giant_length_is_refused_before_anything_is_held() {
        let mut arrived = BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]);
        assert_eq!(take_frame(&mut arrived), Err(RequestError::TooLong { limit: MAP_FRAME_MAX }));
    }
}
