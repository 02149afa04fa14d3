//! The handshake: one message each way, after which both know whom they talk to.

use snow::{Builder, HandshakeState};
use wattle_keys::{MachinePrivate, MachinePublic};

use crate::message::{self, Answer, INITIATION_BODY_LENGTH, INITIATION_LENGTH, RESPONSE_BODY_LENGTH, RESPONSE_LENGTH};
use crate::primitives::Primitives;
use crate::record::{RecordOpener, RecordSealer};

const PATTERN: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";

/// Both directions of a channel whose handshake is done.
#[derive(Debug)]
pub struct Channel {
    /// What leaves.
    pub sealer: RecordSealer,
    /// What arrives.
    pub opener: RecordOpener,
}

/// A node's side, waiting for the server's answer.
pub struct Initiator {
    state: HandshakeState,
}

impl Initiator {
    /// Begins a handshake with a server whose key is known; also gives the message to send.
    ///
    /// `ephemeral` is 32 random bytes used for nothing else.
    pub fn new(
        machine: &MachinePrivate,
        server: &MachinePublic,
        version: u16,
        ephemeral: [u8; 32],
    ) -> Result<(Self, [u8; INITIATION_LENGTH]), HandshakeError> {
        let prologue = prologue(version);
        let mut state = builder(ephemeral)?
            .prologue(prologue.as_bytes())?
            .local_private_key(machine.expose())?
            .remote_public_key(server.as_bytes())?
            .build_initiator()?;
        let mut body = [0; INITIATION_BODY_LENGTH];
        state.write_message(&[], &mut body)?;
        Ok((Self { state }, message::initiation(version, &body)))
    }

    /// Reads the server's answer, a whole message.
    pub fn finish(mut self, answer: &[u8]) -> Result<Channel, HandshakeError> {
        match message::read_answer(answer).ok_or(HandshakeError::Malformed)? {
            Answer::Refusal(text) => Err(HandshakeError::Refused(text)),
            Answer::Response(body) => {
                self.state.read_message(body, &mut [])?;
                let (outbound, inbound) = self.state.dangerously_get_raw_split();
                Ok(Channel { sealer: RecordSealer::new(outbound), opener: RecordOpener::new(inbound) })
            }
        }
    }
}

impl std::fmt::Debug for Initiator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Initiator(..)")
    }
}

/// A server's side, done: who initiated, and what to send back.
#[derive(Debug)]
pub struct Accepted {
    /// Send this before any record.
    pub response: [u8; RESPONSE_LENGTH],
    /// The channel.
    pub channel: Channel,
    /// Who initiated. Proven only by the first record that opens: until then an initiation may be a replay.
    pub peer: MachinePublic,
    /// The capability version that the peer claims. Whether that is too old is the caller's decision.
    pub version: u16,
}

/// Answers an initiation. `ephemeral` is 32 random bytes used for nothing else.
pub fn respond(machine: &MachinePrivate, initiation: &[u8], ephemeral: [u8; 32]) -> Result<Accepted, HandshakeError> {
    let (version, body) = message::read_initiation(initiation).ok_or(HandshakeError::Malformed)?;
    let prologue = prologue(version);
    let mut state =
        builder(ephemeral)?.prologue(prologue.as_bytes())?.local_private_key(machine.expose())?.build_responder()?;
    state.read_message(body, &mut [])?;
    let peer = state.get_remote_static().and_then(|key| key.try_into().ok()).ok_or(HandshakeError::Crypto)?;
    let mut body = [0; RESPONSE_BODY_LENGTH];
    state.write_message(&[], &mut body)?;
    let (inbound, outbound) = state.dangerously_get_raw_split();
    Ok(Accepted {
        response: message::response(&body),
        channel: Channel { sealer: RecordSealer::new(outbound), opener: RecordOpener::new(inbound) },
        peer: MachinePublic::from_bytes(peer),
        version,
    })
}

/// Why there is no channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not a handshake message of this protocol.
    #[error("this is not a handshake message of the control protocol")]
    Malformed,
    /// It was made for another key, or changed on the way.
    #[error("the handshake does not fit our key: the peer has another key for us, or something changed it on the way")]
    Crypto,
    /// The server said no.
    #[error("the server refused the handshake: {0}")]
    Refused(String),
}

/// Which check failed is nobody's business but an attacker's.
impl From<snow::Error> for HandshakeError {
    fn from(_: snow::Error) -> Self {
        Self::Crypto
    }
}

/// Binds the version into the handshake, so that nobody can change it on the way.
fn prologue(version: u16) -> String {
    format!("Tailscale Control Protocol v{version}")
}

fn builder<'a>(ephemeral: [u8; 32]) -> Result<Builder<'a>, HandshakeError> {
    let params = PATTERN.parse().map_err(|_| HandshakeError::Crypto)?;
    Ok(Builder::with_resolver(params, Box::new(Primitives::new(ephemeral))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_message;
    use proptest::prelude::*;

    fn machine(byte: u8) -> MachinePrivate {
        MachinePrivate::from_bytes([byte; 32])
    }

    #[test]
    fn both_sides_learn_each_other_in_101_and_51_bytes() {
        let (node, server) = (machine(1), machine(2));
        let (initiator, initiation) = Initiator::new(&node, &server.public(), 130, [3; 32]).unwrap();
        assert_eq!(&initiation[..5], [0, 130, 1, 0, 96]);
        let mut accepted = respond(&server, &initiation, [4; 32]).unwrap();
        assert_eq!((accepted.peer, accepted.version), (node.public(), 130));
        assert_eq!(&accepted.response[..3], [2, 0, 48]);
        let mut channel = initiator.finish(&accepted.response).unwrap();

        let (mut sealed, mut plain) = (Vec::new(), Vec::new());
        channel.sealer.seal(b"from node", &mut sealed).unwrap();
        accepted.channel.opener.open(&sealed, &mut plain).unwrap();
        assert_eq!(plain, b"from node");
        sealed.clear();
        plain.clear();
        accepted.channel.sealer.seal(b"from server", &mut sealed).unwrap();
        channel.opener.open(&sealed, &mut plain).unwrap();
        assert_eq!(plain, b"from server");
    }

    #[test]
    fn same_randomness_gives_the_same_bytes() {
        let once = || Initiator::new(&machine(1), &machine(2).public(), 113, [9; 32]).unwrap().1;
        assert_eq!(once(), once());
    }

    #[test]
    fn a_version_changed_on_the_way_is_noticed() {
        let (_, mut initiation) = Initiator::new(&machine(1), &machine(2).public(), 130, [3; 32]).unwrap();
        initiation[1] = 131;
        assert_eq!(respond(&machine(2), &initiation, [4; 32]).unwrap_err(), HandshakeError::Crypto);
    }

    #[test]
    fn an_old_version_is_the_callers_to_refuse() {
        let (initiator, initiation) = Initiator::new(&machine(1), &machine(2).public(), 7, [3; 32]).unwrap();
        assert_eq!(respond(&machine(2), &initiation, [4; 32]).unwrap().version, 7);
        let refusal = initiator.finish(&error_message("too old\x1b[2J, please update")).unwrap_err();
        assert_eq!(refusal, HandshakeError::Refused("too old [2J, please update".to_owned()));
    }

    #[test]
    fn another_server_cannot_answer() {
        let (_, initiation) = Initiator::new(&machine(1), &machine(2).public(), 130, [3; 32]).unwrap();
        assert_eq!(respond(&machine(5), &initiation, [4; 32]).unwrap_err(), HandshakeError::Crypto);
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        // The point zero and a point of order eight (RFC 7748 section 7 asks for this check).
        let order_eight: [u8; 32] = [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
            0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ];
        for point in [[0; 32], order_eight] {
            let server = MachinePublic::from_bytes(point);
            assert_eq!(Initiator::new(&machine(1), &server, 130, [3; 32]).unwrap_err(), HandshakeError::Crypto);
            let (_, mut initiation) = Initiator::new(&machine(1), &machine(2).public(), 130, [3; 32]).unwrap();
            initiation[5..37].copy_from_slice(&point);
            assert_eq!(respond(&machine(2), &initiation, [4; 32]).unwrap_err(), HandshakeError::Crypto);
        }
    }

    proptest! {
        #[test]
        fn any_changed_bit_is_noticed(bit in 0usize..INITIATION_LENGTH * 8, answer_bit in 0usize..RESPONSE_LENGTH * 8) {
            let (initiator, mut initiation) = Initiator::new(&machine(1), &machine(2).public(), 130, [3; 32]).unwrap();
            let mut response = respond(&machine(2), &initiation, [4; 32]).unwrap().response;
            response[answer_bit / 8] ^= 1 << (answer_bit % 8);
            prop_assert!(initiator.finish(&response).is_err());
            // The top bit of a public key carries no meaning in X25519, but it is hashed, so that it is noticed too.
            initiation[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(respond(&machine(2), &initiation, [4; 32]).is_err());
        }

        #[test]
        fn truncated_and_random_messages_fail_cleanly(noise: Vec<u8>, cut in 0usize..INITIATION_LENGTH) {
            let (initiator, initiation) = Initiator::new(&machine(1), &machine(2).public(), 130, [3; 32]).unwrap();
            prop_assert_eq!(respond(&machine(2), &initiation[..cut], [4; 32]).unwrap_err(), HandshakeError::Malformed);
            prop_assert!(respond(&machine(2), &noise, [4; 32]).is_err());
            prop_assert!(initiator.finish(&noise).is_err());
        }
    }
}
