//! The name that somebody probably meant.

/// Names longer than this are not compared: the cost grows with the square.
const LENGTH_MAX: usize = 64;
/// Names looked at for one suggestion: a hint is not worth more.
const CANDIDATES_MAX: usize = 1_000;

/// The candidate nearest to the name, if it is near enough to be a slip of the keyboard.
pub(super) fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The same as a sentence.
pub(super) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    near(name, candidates).map(|candidate| format!("did you mean {candidate:?}?"))
}

/// Letters to insert, delete or replace, whatever their case (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    if one.len() > LENGTH_MAX || other.len() > LENGTH_MAX {
        return usize::MAX;
    }
    let other: Vec<char> = other.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().map(|letter| letter.to_ascii_lowercase()).enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (above, expected) in row.iter_mut().skip(1).zip(&other) {
            let cost = (diagonal + usize::from(letter != *expected)).min(*above + 1).min(left + 1);
            diagonal = *above;
            *above = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_inserted_deleted_and_replaced_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("tagowners", "tagOwners"), 0);
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        assert_eq!(near("tag:sevrer", ["tag:client", "tag:server"]), Some("tag:server"));
        assert_eq!(near("tag:database", ["tag:client", "tag:server"]), None);
        assert_eq!(near("dst", ["src", "via"]), None);
    }
}
