//! Where a node may stand.

use wattle_world::{Behaviour, Dependence};

/// What lies between a node and the open internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing.
    Open,
    /// A NAT of its own.
    Behind(Behaviour),
    /// The same, in a site that others stand in too.
    Site(Room, Behaviour),
    /// A firewall that lets no UDP through.
    Blocked,
}

/// Numbers a site that several nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Room(pub u8);

impl Place {
    /// Endpoint-independent mapping and filtering ("full cone").
    pub const UNFILTERED: Self =
        Self::Behind(Behaviour::new(Dependence::EndpointIndependent, Dependence::EndpointIndependent));
    /// Endpoint-independent mapping, address-dependent filtering ("restricted cone").
    pub const ADDRESS_FILTERED: Self =
        Self::Behind(Behaviour::new(Dependence::EndpointIndependent, Dependence::AddressDependent));
    /// Endpoint-independent mapping, address- and port-dependent filtering ("port restricted"): most homes.
    pub const PORT_FILTERED: Self =
        Self::Behind(Behaviour::new(Dependence::EndpointIndependent, Dependence::AddressAndPortDependent));
    /// Address- and port-dependent mapping and filtering ("symmetric").
    pub const SYMMETRIC: Self =
        Self::Behind(Behaviour::new(Dependence::AddressAndPortDependent, Dependence::AddressAndPortDependent));
    /// One of each.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::UNFILTERED, Self::ADDRESS_FILTERED, Self::PORT_FILTERED, Self::SYMMETRIC, Self::Blocked];

    /// A site with a NAT that most homes have.
    pub const fn home(room: u8) -> Self {
        let behaviour = Behaviour::new(Dependence::EndpointIndependent, Dependence::AddressAndPortDependent);
        Self::Site(Room(room), behaviour)
    }

    /// Whether two nodes in different places can exchange datagrams at all, by the rules of hole punching.
    pub fn can_be_direct(self, other: Self) -> bool {
        let (Some(a), Some(b)) = (self.behaviour(), other.behaviour()) else {
            return self != Self::Blocked && other != Self::Blocked;
        };
        let varies = |behaviour: Behaviour| behaviour.mapping != Dependence::EndpointIndependent;
        let strict = |behaviour: Behaviour| behaviour.filtering == Dependence::AddressAndPortDependent;
        !(varies(a) && (varies(b) || strict(b)) || varies(b) && strict(a))
    }

    fn behaviour(self) -> Option<Behaviour> {
        match self {
            Self::Behind(behaviour) | Self::Site(_, behaviour) => Some(behaviour),
            Self::Open | Self::Blocked => None,
        }
    }
}
