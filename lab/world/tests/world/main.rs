//! The simulated internet, from outside.

mod any;
mod connections;
mod hosts;
mod links;
mod networks;
mod told;
