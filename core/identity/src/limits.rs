//! How much of what a provider says is kept.

/// Groups of a person; Entra stops at 200 itself.
pub const GROUPS_MAX: usize = 200;
/// Characters of a group's name.
pub const GROUP_CHARS_MAX: usize = 128;
/// Characters of a name, an address or a subject (OpenID Connect Core 2: a subject has at most 255).
pub const TEXT_CHARS_MAX: usize = 255;
/// Characters of a picture's address.
pub const URL_CHARS_MAX: usize = 2048;
