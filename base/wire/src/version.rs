//! Capability versions: one number that says which behaviour of the protocol a program has.
//!
//! Source: tailscale `tailcfg/tailcfg.go CurrentCapabilityVersion`, whose history says what each number promises.

/// A capability version.
pub type CapabilityVersion = u16;

/// What our node claims. Numbers above promise behaviour it lacks: 122 says which exit node it uses, 126 renews keys
/// seamlessly and 130 attests hardware keys; 116 to 121 are there.
pub const OURS: CapabilityVersion = 121;

/// The oldest client that our coordination server admits (v1.80, January 2025). It knows `HomeDERP`, and that a null
/// `AllowedIPs` means the node's own addresses.
pub const OLDEST_SERVED: CapabilityVersion = 113;

/// From here on clients are told what they should show as `DisplayMessages` and no longer as `Health`.
pub const DISPLAY_MESSAGES: CapabilityVersion = 117;

/// From here on a node asks peer relays for allocations, and is asked.
pub const PEER_RELAYS: CapabilityVersion = 121;
