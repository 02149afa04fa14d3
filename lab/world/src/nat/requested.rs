//! Mappings that hosts inside ask for: what PCP, NAT-PMP and UPnP have in common.

use std::net::SocketAddr;
use std::time::Duration;

use rand_core::RngCore;
use wattle_time::Instant;

use super::Dependence::EndpointIndependent;
use super::{Mapping, Nat, random_port};
use crate::limits::{REQUESTED_LIFETIME, REQUESTED_MAPPINGS};

/// A mapping that a gateway granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Where packets come in: so the gateway says.
    pub outside: SocketAddr,
    /// For how long, unless renewed. Zero: it is gone.
    pub lifetime: Duration,
    /// How long the gateway has been running: one that restarted has forgotten all mappings.
    pub epoch: Duration,
}

/// The gateway grants no mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappingRefused;

impl Nat {
    /// A host asks for a mapping, renews it, or with no lifetime gives it back.
    pub(crate) fn request(
        &mut self,
        inside: SocketAddr,
        wanted: u16,
        lifetime: Duration,
        now: Instant,
        rng: &mut impl RngCore,
    ) -> Result<Mapped, MappingRefused> {
        let lifetime = lifetime.min(REQUESTED_LIFETIME);
        let epoch = now.since(self.started_at);
        if let Some(number) = self.known_for(inside, now)
            && let Some(mapping) = self.mappings.get_mut(&number)
        {
            let outside = mapping.outside;
            mapping.granted_until = Some(now + lifetime);
            self.requested.insert(inside, number);
            if lifetime.is_zero() {
                self.give_back(inside, number);
            }
            return Ok(Mapped { outside, lifetime, epoch });
        }
        if let Some(dead) = self.requested.get(&inside).copied() {
            self.remove(dead);
        }
        let address = self.paired(inside.ip()).ok_or(MappingRefused)?;
        let wanted = SocketAddr::new(address.into(), if wanted == 0 { inside.port() } else { wanted });
        if lifetime.is_zero() {
            return Ok(Mapped { outside: wanted, lifetime, epoch });
        }
        if self.requested.len() >= REQUESTED_MAPPINGS {
            self.forget_dead_requests(now);
        }
        if self.requested.len() >= REQUESTED_MAPPINGS {
            return Err(MappingRefused);
        }
        let outside = if self.is_free(wanted, now) || self.is_only_for(wanted, inside) {
            wanted
        } else {
            self.first_free(address, random_port(rng), now).ok_or(MappingRefused)?
        };
        let granted_until = Some(now + lifetime);
        let number =
            self.insert(Mapping { inside, remote: None, outside, used_at: now, is_answered: false, granted_until });
        self.requested.insert(inside, number);
        Ok(Mapped { outside, lifetime, epoch })
    }

    /// The mapping that the endpoint was granted, or where all of its packets leave by one, that one: it cannot have two.
    fn known_for(&self, inside: SocketAddr, now: Instant) -> Option<u64> {
        let dynamic = || self.by_inside.get(&(inside, None)).filter(|_| self.behaviour.mapping == EndpointIndependent);
        let number = *self.requested.get(&inside).or_else(dynamic)?;
        self.mappings.get(&number)?.is_alive(now, &self.behaviour).then_some(number)
    }

    /// A mapping that conversations have made is one of theirs again; others are gone.
    fn give_back(&mut self, inside: SocketAddr, number: u64) {
        if self.by_inside.get(&(inside, None)) != Some(&number) {
            return self.remove(number);
        }
        self.requested.remove(&inside);
        if let Some(mapping) = self.mappings.get_mut(&number) {
            mapping.granted_until = None;
        }
    }

    fn is_only_for(&self, outside: SocketAddr, inside: SocketAddr) -> bool {
        let mut numbers = self.by_outside.get(&outside).into_iter().flatten();
        numbers.all(|number| self.mappings.get(number).is_none_or(|mapping| mapping.inside == inside))
    }

    fn forget_dead_requests(&mut self, now: Instant) {
        let is_alive =
            |number: &u64| self.mappings.get(number).is_some_and(|known| known.is_alive(now, &self.behaviour));
        let dead: Vec<u64> = self.requested.values().filter(|number| !is_alive(number)).copied().collect();
        dead.into_iter().for_each(|number| self.remove(number));
    }
}
