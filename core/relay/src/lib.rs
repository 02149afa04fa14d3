//! A relay as a machine: clients, queues, forwarding, admission, STUN.
#![forbid(unsafe_code)]
