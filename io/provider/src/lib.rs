//! Signing people in with the identity provider that they have.
//!
//! **What it is:** the client of OpenID Connect providers and of GitHub: where to send a browser, and what to make of what
//! it comes back with.
//! **What it is not:** pages, sessions or a list of users; what has begun is kept by the caller until the browser is back.
//! **How to drive it:** [`Providers::begin`], send the browser to [`Begun::url`], keep [`Begun::kept`] under
//! [`Begun::state`] for that browser alone, and give it to [`Providers::finish`] once.
//! **Invariants:** every exchange has a limit in time and size and follows no redirect; state, nonce and PKCE (S256) are
//! always used; a token counts only with a signature of a key that its issuer publishes, never one that we could have
//! made ourselves; a provider that is down harms nobody but those who choose it.
#![forbid(unsafe_code)]

mod config;
mod error;
mod github;
mod limits;
mod oidc;
mod providers;
mod wire;

pub use config::{ProviderConfig, ProviderKind};
pub use error::{ConfigError, ProviderError, ProviderErrorKind};
pub use providers::{Begun, Kept, ProviderInfo, Providers};
