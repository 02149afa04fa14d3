//! Who may: the source addresses of rules. The axis of addresses is cut where any rule's sources begin or end; a set of
//! addresses is then a set of small numbers, the stretches of the axis, and asking many sets about one address costs one
//! search for its stretch and little more for each set.

use crate::nest::Number;
use crate::ranges::Ranges;
use crate::steps::Steps;

/// Where the sources of any rule begin or end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stretches<N>(Steps<N>);

/// A set of stretches: where it begins, ends, begins again and so on. Sorted, each once.
pub(crate) type Turns = Vec<u32>;

impl<N: Number> Stretches<N> {
    /// Cuts the axis, and says each set of addresses anew.
    pub(crate) fn new(sets: &[Ranges]) -> (Self, Vec<Turns>) {
        let mut cuts: Vec<N> = sets.iter().flat_map(turns).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let stretches = Self(Steps::new(cuts));
        let said = sets.iter().map(|set| turns(set).map(|at| stretches.of(at)).collect()).collect();
        (stretches, said)
    }

    /// The stretch that an address lies on.
    pub(crate) fn of(&self, address: N) -> u32 {
        self.0.up_to(address) as u32
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len() + 1
    }

    /// How much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// Where a set begins, ends, begins again. What ends with the axis has no turn there.
fn turns<N: Number>(set: &Ranges) -> impl Iterator<Item = N> {
    let turns = set.iter().flat_map(|(first, last)| [Some(first), last.checked_add(1)]);
    turns.filter_map(|at| N::try_from(at?).ok())
}
