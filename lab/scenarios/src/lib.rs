//! Stories of whole nodes in a simulated internet.
//!
//! **What it is.** A [`Scenario`] says what the world looks like, who is in it and what happens when; [`run`] plays it with
//! the real machines: every node is a `wattle_node::Node` with real handshakes and sealed packets, relays are
//! `wattle_relay_core::Relay`, the coordination server is `wattle_coordinator::Coordinator`. A naive model (`reference`)
//! says what must come true, and `invariants` holds the run against it. A scenario comes from a seed
//! ([`Scenario::from_seed`]), from bytes ([`Scenario::from_bytes`], for fuzzers) or from a text ([`Scenario::parse`]).
//!
//! **What it is not.** The world (`lab/world`), or the programs: HTTP, TLS, Noise to the server, disks, TUN devices and
//! threads are played by `member`, `control` and `relay`.
//!
//! **How to drive it.** `run(&scenario)` gives a [`Report`]. From a shell:
//!
//! ```text
//! cargo run -p wattle-scenarios --bin scenarios -- --seeds 0..10000
//! cargo run -p wattle-scenarios --bin scenarios -- --show 4711 > story       # the scenario of a seed, as a story
//! cargo run -p wattle-scenarios --bin scenarios -- --story story --trace     # play it, and print what happened
//! ```
//!
//! **Invariants.** One scenario gives one run, to the byte.
//!
//! # The form of a story
//!
//! One fact a line; `#` begins a comment. Names are made of letters, digits and `-`. Times are `250ms`, `10s` or `2m`.
//!
//! ```text
//! seed 7                       # all chance comes from it
//! relay 1                      # a relay region; without any there are 1 and 2
//! site home nat ei/apd         # mapping/filtering of RFC 4787: ei, ad or apd each; then any of:
//!                              #   ports keep|random|sequential, life 30s, hairpin, portmap, v6, in OUTER
//! site office firewall         # public addresses; only answers come in
//! site hotel only443           # no UDP, relay connections pass
//! site mobile ipv6             # IPv6 alone; only answers come in
//! node a in home               # or: node a open
//! idle-peers 1000              # in the map, and never there
//! policy a>b b>a               # or: all, none
//! at 10s talk a b for 20s every 20ms size 100    # both ways; `tell` goes one way, `say` is one packet
//! at 11s transfer a b 1000000  # bytes that must all arrive, paced at 50 kB/s; the longest stall is reported
//! at 11s ping a b              # as a person does; an answer must come where a packet would
//! at 12s hush                  # nobody says anything any more
//! at 13s roam a in home        # or: roam a open
//! at 14s sleep a               # wake a, kill a, start a
//! at 15s reboot home           # the NAT forgets its mappings; rebind: it gives them other ports
//! at 16s uplink home down      # up; of a site or of a node
//! at 17s block a data          # udp, disco, data, wireguard, nothing; of a site or of a node
//! at 18s loss a in 300         # per thousand; in or out
//! at 19s mtu a 1280            # larger IP packets vanish
//! at 20s relay 1 down          # up, stall
//! at 21s coordinator down      # up
//! at 22s policy none
//! at 23s remove a              # from the tailnet
//! at 24s portmap home on       # off
//! at 25s expect direct a b     # relayed a b, flows a b, stall a b 3s, silent
//! until 90s
//! ```
//!
//! After `until` everybody falls silent, and two minutes later nobody may send a datagram any more.
#![forbid(unsafe_code)]

mod control;
mod invariants;
pub mod limits;
mod member;
mod mesh;
mod reference;
mod relay;
mod run;
pub mod scenario;
mod talk;
mod traffic;
mod transition;

pub use run::{Report, Stall, run, run_with_trace};
pub use scenario::Scenario;

use wattle_time::{Instant, UnixTime};

/// When a world begins.
const START: Instant = Instant::from_nanos(1_000_000_000_000);

/// The wall clock of everybody.
fn wall(now: Instant) -> UnixTime {
    UnixTime::from_secs(1_800_000_000).plus(now.since(Instant::ORIGIN))
}
