//! One small file that survives: written whole or not at all, only when it changed.
#![forbid(unsafe_code)]
