//! Every limit of the control channel, with its reason.

use crate::message::HEADER_LENGTH;

/// Longest frame, header included: what official peers read into (tailscale `control/controlbase/conn.go maxMessageSize`).
pub const FRAME_MAX: usize = 4096;
/// Longest sealed part of a record.
pub(crate) const RECORD_SEALED_MAX: usize = FRAME_MAX - HEADER_LENGTH;
/// Bytes that sealing adds to a record's text.
pub(crate) const TAG_LENGTH: usize = 16;
/// Longest text of one record.
pub const RECORD_PLAIN_MAX: usize = RECORD_SEALED_MAX - TAG_LENGTH;
/// What a record is longer than its text: header and tag.
pub const SEALED_OVERHEAD: usize = HEADER_LENGTH + TAG_LENGTH;
/// Longest text of an error message that is written or quoted: enough for two sentences, not for flooding a log.
pub(crate) const ERROR_TEXT_MAX: usize = 512;
/// Longest early payload. It holds one key today; official clients take 10 MiB, which would be a gift to a hostile server.
pub(crate) const EARLY_JSON_MAX: usize = 64 * 1024;
