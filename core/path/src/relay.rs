//! The relayed way to a peer: its home region, or rather where it was last heard.

use wattle_netmap::RegionId;

use crate::RelayExplanation;

/// Which region's relay reaches a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RelayRoute {
    home: Option<RegionId>,
    heard: Option<RegionId>,
}

impl RelayRoute {
    /// A peer that has not been heard yet.
    pub(crate) fn new(home: Option<RegionId>) -> Self {
        Self { home, heard: None }
    }

    /// The region to send through.
    pub(crate) fn region(&self) -> Option<RegionId> {
        self.heard.or(self.home)
    }

    /// For people.
    pub(crate) fn explain(&self) -> RelayExplanation {
        RelayExplanation { region: self.region(), home: self.home, heard: self.heard, in_use: false }
    }

    /// The map says where the peer is at home. Moving home outdates where it was heard before.
    pub(crate) fn set_home(&mut self, home: Option<RegionId>) {
        if self.home != home {
            *self = Self::new(home);
        }
    }

    /// Something of the peer came through this region: it has a connection there, and answers go back so.
    pub(crate) fn note_heard(&mut self, region: RegionId) {
        self.heard = Some(region);
    }

    pub(crate) fn was_heard(&self, region: RegionId) -> bool {
        self.heard == Some(region)
    }

    /// The region's relay says that the peer is not connected there.
    pub(crate) fn note_gone(&mut self, region: RegionId) {
        if self.heard == Some(region) {
            self.heard = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: RegionId = RegionId(1);
    const TWO: RegionId = RegionId(2);

    #[test]
    fn answers_go_where_the_peer_was_heard_until_it_is_gone() {
        let mut route = RelayRoute::new(Some(ONE));
        route.note_heard(TWO);
        assert_eq!(route.region(), Some(TWO));
        route.note_gone(ONE);
        assert_eq!(route.region(), Some(TWO));
        route.note_gone(TWO);
        assert_eq!(route.region(), Some(ONE));
    }

    #[test]
    fn a_new_home_outdates_what_was_heard() {
        let mut route = RelayRoute::new(Some(ONE));
        route.note_heard(ONE);
        route.set_home(Some(TWO));
        assert_eq!(route.region(), Some(TWO));
    }
}
