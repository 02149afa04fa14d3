//! The name that somebody probably meant.

use super::quote::quote;

/// Names longer than this are not compared: the cost grows with the square.
const LENGTH_MAX: usize = 64;
/// Names looked at for one suggestion: a hint is not worth more.
const CANDIDATES_MAX: usize = 1_000;

/// The candidate nearest to the name, if it is near enough to be a slip of the keyboard.
pub(super) fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let limit = (length / 3).clamp(1, 3);
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| (distance(name, candidate, limit), candidate))
        .filter(|(distance, _)| *distance <= limit && *distance < length)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The same as a sentence.
pub(super) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    near(name, candidates).map(|candidate| format!("did you mean {}?", quote(candidate)))
}

/// Letters to insert, delete, replace or swap with their neighbour, whatever their case (optimal string alignment).
/// More than the limit is only known to be more.
fn distance(one: &str, other: &str, limit: usize) -> usize {
    if one.len() > LENGTH_MAX || other.len() > LENGTH_MAX || one.len().abs_diff(other.len()) > limit * 4 {
        return usize::MAX;
    }
    let letters = |text: &str| -> Vec<char> { text.chars().map(|letter| letter.to_ascii_lowercase()).collect() };
    let (one, other) = (letters(one), letters(other));
    let (one, other) = differing(&one, &other);
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&above, column) + usize::from(letter != wanted))
                .min(at(&above, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped =
                row > 0 && column > 0 && one.get(row - 1) == Some(wanted) && other.get(column - 1) == Some(letter);
            if swapped {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            current.push(cost);
        }
        if current.iter().min().is_some_and(|least| *least > limit) {
            return usize::MAX;
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

/// Both names without the beginning and the end that they share: most of it, where one is a slip of the other.
fn differing<'a>(one: &'a [char], other: &'a [char]) -> (&'a [char], &'a [char]) {
    let start = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (one.get(start..).unwrap_or_default(), other.get(start..).unwrap_or_default());
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    (one.get(..one.len() - end).unwrap_or_default(), other.get(..other.len() - end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_inserted_deleted_replaced_and_swapped_letters() {
        assert_eq!(distance("kitten", "sitting", 3), 3);
        assert_eq!(distance("", "abc", 3), 3);
        assert_eq!(distance("abc", "", 3), 3);
        assert_eq!(distance("tagowners", "tagOwners", 3), 0);
        assert_eq!(distance("tpc", "tcp", 3), 1);
        assert_eq!(distance("ca", "abc", 3), 3);
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        assert_eq!(near("tag:sevrer", ["tag:client", "tag:server"]), Some("tag:server"));
        assert_eq!(near("tag:database", ["tag:client", "tag:server"]), None);
        assert_eq!(near("dst", ["src", "via"]), None);
        assert_eq!(near("", ["a"]), None);
    }
}
