//! Who may reach whom.
#![forbid(unsafe_code)]
