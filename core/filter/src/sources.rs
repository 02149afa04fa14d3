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
        let mut said = vec![Turns::new(); sets.len()];
        let mut cuts: Vec<(u128, u32)> = Vec::new();
        for (set, ranges) in (0u32..).zip(sets) {
            for (first, last) in ranges.iter() {
                cuts.push((first, set));
                cuts.extend(last.checked_add(1).map(|after| (after, set)));
            }
        }
        cuts.sort_unstable();
        let mut starts: Vec<N> = Vec::new();
        for at_one_address in cuts.chunk_by(|a, b| a.0 == b.0) {
            // What ends with the axis has no turn there.
            let Some(Ok(at)) = at_one_address.first().map(|(at, _)| N::try_from(*at)) else { continue };
            starts.push(at);
            for (_, set) in at_one_address {
                if let Some(turns) = said.get_mut(*set as usize) {
                    turns.push(starts.len() as u32);
                }
            }
        }
        (Self(Steps::new(starts)), said)
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
