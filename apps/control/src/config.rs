//! The configuration: an optional TOML file under the flags of `serve`, made into settings that hold no contradiction.
//! `config.example.toml` documents every key.

mod duration;
mod file;
mod providers;
mod settings;

pub(crate) use duration::Lifetime;
pub(crate) use file::ConfigFile;
pub(crate) use providers::{ClientSecret, ProviderPlace, ProviderSettings};
pub(crate) use settings::{RelayPlace, ServerUrl, Settings};
