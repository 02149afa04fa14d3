//! The early payload: what a server may say before HTTP/2 begins. Today that is a challenge key, which no client answers.

use wattle_keys::ChallengePublic;

use crate::limits::EARLY_JSON_MAX;

/// Cannot begin an HTTP/2 frame, because its length would be above the limit that every peer starts with.
const MAGIC: [u8; 5] = *b"\xff\xff\xffTS";
const PREFIX_LENGTH: usize = MAGIC.len() + 4;

/// What the first bytes from a server are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Early<'a> {
    /// A payload; `used` bytes are read, HTTP/2 follows.
    Payload {
        /// The JSON text.
        json: &'a [u8],
        /// Length of payload and prefix.
        used: usize,
    },
    /// No payload: these bytes are HTTP/2 already.
    Absent,
    /// More bytes are needed to tell or to complete it.
    Incomplete,
}

/// An early payload too long to be honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's early payload claims {0} bytes, more than any server sends")]
pub struct EarlyTooLong(u32);

/// The payload that carries a challenge key.
pub fn encode(challenge: &ChallengePublic) -> Vec<u8> {
    let json = format!("{{\"nodeKeyChallenge\":\"{challenge}\"}}");
    let mut payload = MAGIC.to_vec();
    payload.extend_from_slice(&(json.len() as u32).to_be_bytes());
    payload.extend_from_slice(json.as_bytes());
    payload
}

/// Looks at the first bytes from a server.
pub fn parse(input: &[u8]) -> Result<Early<'_>, EarlyTooLong> {
    let seen = input.len().min(MAGIC.len());
    if input[..seen] != MAGIC[..seen] {
        return Ok(Early::Absent);
    }
    let Some(length) = input.get(MAGIC.len()..).and_then(|rest| rest.first_chunk()) else {
        return Ok(Early::Incomplete);
    };
    let length = u32::from_be_bytes(*length);
    if length as usize > EARLY_JSON_MAX {
        return Err(EarlyTooLong(length));
    }
    let used = PREFIX_LENGTH + length as usize;
    Ok(input.get(PREFIX_LENGTH..used).map_or(Early::Incomplete, |json| Early::Payload { json, used }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_parses_and_leaves_the_rest(key: [u8; 32], rest: Vec<u8>) {
            let payload = encode(&ChallengePublic::from_bytes(key));
            let wire = [payload.as_slice(), &rest].concat();
            let Early::Payload { json, used } = parse(&wire).unwrap() else { panic!("a payload is there") };
            prop_assert_eq!(&wire[used..], rest);
            let expected = format!("{{\"nodeKeyChallenge\":\"{}\"}}", ChallengePublic::from_bytes(key));
            prop_assert_eq!(json, expected.as_bytes());
        }

        #[test]
        fn every_truncation_is_incomplete(cut: prop::sample::Index) {
            let payload = encode(&ChallengePublic::from_bytes([1; 32]));
            prop_assert_eq!(parse(&payload[..cut.index(payload.len())]), Ok(Early::Incomplete));
        }

        #[test]
        fn random_bytes_are_http(noise in prop::collection::vec(0u8..0xff, 1..30)) {
            prop_assert_eq!(parse(&noise), Ok(Early::Absent));
        }
    }

    #[test]
    fn a_giant_payload_is_refused_before_it_is_read() {
        let start = [&MAGIC[..], &u32::MAX.to_be_bytes()].concat();
        assert_eq!(parse(&start), Err(EarlyTooLong(u32::MAX)));
    }
}
