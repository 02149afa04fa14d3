//! TLS on both sides: who we are as a server, and whom we believe as a client.

mod client;
mod identity;
mod meta;
mod verifier;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub(crate) use client::dial;
pub use client::{ClientTls, Trust};
pub use identity::{SelfSignedPem, ServerIdentity, TlsError};
pub(crate) use meta::relay_key;

/// The one provider. It is named everywhere, so that nothing depends on a process-wide default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
