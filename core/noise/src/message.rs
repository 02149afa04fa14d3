//! The framing of handshake, error and record messages: headers and lengths, no cryptography.

use crate::limits::ERROR_TEXT_MAX;

/// Type and length, before responses, errors and records.
pub(crate) const HEADER_LENGTH: usize = 3;
/// Version, type and length, before an initiation.
pub(crate) const INITIATION_HEADER_LENGTH: usize = 5;
/// Ephemeral key, sealed machine key and a tag.
pub(crate) const INITIATION_BODY_LENGTH: usize = 96;
/// Ephemeral key and a tag.
pub(crate) const RESPONSE_BODY_LENGTH: usize = 48;

/// Length of the first handshake message.
pub const INITIATION_LENGTH: usize = INITIATION_HEADER_LENGTH + INITIATION_BODY_LENGTH;
/// Length of the second handshake message.
pub const RESPONSE_LENGTH: usize = HEADER_LENGTH + RESPONSE_BODY_LENGTH;

const TYPE_INITIATION: u8 = 1;
const TYPE_RESPONSE: u8 = 2;
const TYPE_ERROR: u8 = 3;
pub(crate) const TYPE_RECORD: u8 = 4;

/// The header of a message whose body is `length` bytes.
pub(crate) const fn header(kind: u8, length: u16) -> [u8; HEADER_LENGTH] {
    let [high, low] = length.to_be_bytes();
    [kind, high, low]
}

/// Type and body length, once enough bytes are there.
pub(crate) fn read_header(bytes: &[u8]) -> Option<(u8, usize)> {
    let [kind, high, low] = *bytes.first_chunk()?;
    Some((kind, usize::from(u16::from_be_bytes([high, low]))))
}

/// An initiation with this version and body.
pub(crate) fn initiation(version: u16, body: &[u8; INITIATION_BODY_LENGTH]) -> [u8; INITIATION_LENGTH] {
    let mut message = [0; INITIATION_LENGTH];
    message[..2].copy_from_slice(&version.to_be_bytes());
    message[2..5].copy_from_slice(&header(TYPE_INITIATION, INITIATION_BODY_LENGTH as u16));
    message[5..].copy_from_slice(body);
    message
}

/// Version and body of an initiation; `None` when it is none.
pub(crate) fn read_initiation(message: &[u8]) -> Option<(u16, &[u8; INITIATION_BODY_LENGTH])> {
    let (version, rest) = message.split_first_chunk::<2>()?;
    let body = body_of(rest, TYPE_INITIATION)?;
    Some((u16::from_be_bytes(*version), body))
}

/// A response with this body.
pub(crate) fn response(body: &[u8; RESPONSE_BODY_LENGTH]) -> [u8; RESPONSE_LENGTH] {
    let mut message = [0; RESPONSE_LENGTH];
    message[..3].copy_from_slice(&header(TYPE_RESPONSE, RESPONSE_BODY_LENGTH as u16));
    message[3..].copy_from_slice(body);
    message
}

/// What came in answer to an initiation.
pub(crate) enum Answer<'a> {
    Response(&'a [u8; RESPONSE_BODY_LENGTH]),
    Refusal(String),
}

/// Reads a response or an error; `None` when it is neither.
pub(crate) fn read_answer(message: &[u8]) -> Option<Answer<'_>> {
    let (kind, length) = read_header(message)?;
    match kind {
        TYPE_RESPONSE => body_of(message, TYPE_RESPONSE).map(Answer::Response),
        TYPE_ERROR => {
            let text = message.get(HEADER_LENGTH..HEADER_LENGTH + length)?;
            Some(Answer::Refusal(printable(text)))
        }
        _ => None,
    }
}

/// How long the answer that starts so will be, once its header is there; `None` before, or when it is no answer.
pub fn response_length(start: &[u8]) -> Option<Result<usize, crate::HandshakeError>> {
    let (kind, length) = read_header(start)?;
    Some(match kind {
        TYPE_RESPONSE if length == RESPONSE_BODY_LENGTH => Ok(RESPONSE_LENGTH),
        TYPE_ERROR if length <= ERROR_TEXT_MAX => Ok(HEADER_LENGTH + length),
        _ => Err(crate::HandshakeError::Malformed),
    })
}

/// An error message: a sentence in plain text that ends the handshake.
pub fn error_message(text: &str) -> Vec<u8> {
    let mut end = text.len().min(ERROR_TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut message = header(TYPE_ERROR, end as u16).to_vec();
    message.extend_from_slice(&text.as_bytes()[..end]);
    message
}

fn body_of<const N: usize>(message: &[u8], expected: u8) -> Option<&[u8; N]> {
    let (kind, length) = read_header(message)?;
    let body = message.get(HEADER_LENGTH..)?;
    (kind == expected && length == N).then(|| body.try_into().ok())?
}

/// The peer is not authenticated when it sends this, so nothing of it may steer a terminal.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..ERROR_TEXT_MAX).unwrap_or(text));
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
