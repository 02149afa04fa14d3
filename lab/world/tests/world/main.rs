//! The simulated internet, from outside.

mod any;
mod connections;
mod links;
mod networks;
mod told;
