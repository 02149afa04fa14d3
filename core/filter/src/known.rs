//! Equal things kept once: what a thing was numbered as. A hash map whose order nobody sees and whose hash has no seed,
//! so that a run can be repeated; the rules come from our own coordination server, which gains nothing by collisions.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// Things with their numbers, which begin at zero.
pub(crate) type Known<T> = HashMap<T, u32, BuildHasherDefault<DefaultHasher>>;

/// The things by number.
pub(crate) fn in_order<T>(known: Known<T>) -> Vec<T> {
    let mut things: Vec<(u32, T)> = known.into_iter().map(|(thing, number)| (number, thing)).collect();
    things.sort_unstable_by_key(|(number, _)| *number);
    things.into_iter().map(|(_, thing)| thing).collect()
}
