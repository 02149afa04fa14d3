//! What nodes and the coordination server say to each other: requests, answers and frames, as HTTP/2 over Noise would
//! carry them. The machine key stands in the request because the control channel would have proven it.

use wattle_keys::MachinePublic;

const REGISTER: u8 = 0;
const MAP: u8 = 1;
const CANCEL: u8 = 2;

/// From a node.
pub(crate) enum Ask {
    Register { id: u64, machine: MachinePublic, body: Vec<u8> },
    Map { id: u64, machine: MachinePublic, body: Vec<u8> },
    Cancel { id: u64 },
}

impl Ask {
    /// A request as the session made it.
    pub(crate) fn of(request: wattle_session::Request, machine: MachinePublic) -> Self {
        let (id, body) = (request.id.0, request.body);
        if request.path.ends_with("register") {
            Self::Register { id, machine, body }
        } else {
            Self::Map { id, machine, body }
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, id, rest) = match self {
            Self::Register { id, machine, body } => (REGISTER, id, Some((machine, body))),
            Self::Map { id, machine, body } => (MAP, id, Some((machine, body))),
            Self::Cancel { id } => (CANCEL, id, None),
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&id.to_be_bytes());
        if let Some((machine, body)) = rest {
            bytes.extend_from_slice(machine.as_bytes());
            bytes.extend_from_slice(body);
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_first_chunk()?;
        let id = u64::from_be_bytes(*id);
        if *kind == CANCEL {
            return Some(Self::Cancel { id });
        }
        let (machine, body) = rest.split_first_chunk()?;
        let (machine, body) = (MachinePublic::from_bytes(*machine), body.to_vec());
        Some(if *kind == REGISTER { Self::Register { id, machine, body } } else { Self::Map { id, machine, body } })
    }
}

/// To a node.
pub(crate) enum Answer {
    Response { status: u16, body: Vec<u8> },
    Frame(Vec<u8>),
    Ended,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Response { status, body: Vec::new() }
    }

    pub(crate) fn encode(&self, id: u64) -> Vec<u8> {
        let mut bytes = id.to_be_bytes().to_vec();
        match self {
            Self::Response { status, body } => {
                bytes.extend_from_slice(&status.to_be_bytes());
                bytes.extend_from_slice(body);
            }
            Self::Frame(frame) => {
                bytes.extend_from_slice(&[0, 0]);
                bytes.extend_from_slice(frame);
            }
            Self::Ended => bytes.extend_from_slice(&[0, 1]),
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<(u64, Self)> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (status, body) = rest.split_first_chunk()?;
        let answer = match u16::from_be_bytes(*status) {
            0 => Self::Frame(body.to_vec()),
            1 => Self::Ended,
            status => Self::Response { status, body: body.to_vec() },
        };
        Some((u64::from_be_bytes(*id), answer))
    }
}
