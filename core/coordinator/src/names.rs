//! Node names: what a host calls itself, made fit for DNS and unique.

/// Longest DNS label (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;

/// A DNS label that resembles a host name; `node` when nothing of it can stay.
pub(crate) fn sanitised(host_name: &str) -> String {
    let mut label = String::new();
    // A domain that the host adds to its name says nothing here.
    for character in host_name.split('.').next().unwrap_or_default().chars() {
        match character {
            'a'..='z' | '0'..='9' => label.push(character),
            'A'..='Z' => label.push(character.to_ascii_lowercase()),
            // "Alice's MacBook" reads best as "alices-macbook".
            '\'' | '\u{2019}' => {}
            _ if label.is_empty() || label.ends_with('-') => {}
            _ => label.push('-'),
        }
    }
    label.truncate(LABEL_MAX);
    let label = label.trim_matches('-');
    if label.is_empty() { "node".to_owned() } else { label.to_owned() }
}

/// The name itself if nobody has it, else with the lowest number that makes it unique.
pub(crate) fn unique(label: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(label) {
        return label.to_owned();
    }
    let mut number = 1u32;
    loop {
        let ending = format!("-{number}");
        let kept = label.get(..LABEL_MAX - ending.len()).unwrap_or(label);
        let candidate = format!("{}{ending}", kept.trim_end_matches('-'));
        // There are fewer nodes than numbers, so that this ends.
        if !taken(&candidate) {
            return candidate;
        }
        number = number.wrapping_add(1);
    }
}

/// Whether a text can be a label as it stands.
pub(crate) fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LABEL_MAX
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn host_names_become_labels() {
        for (host_name, label) in [
            ("Alice\u{2019}s MacBook Pro", "alices-macbook-pro"),
            ("web01.example.com", "web01"),
            ("__odd--name__", "odd-name"),
            ("日本", "node"),
            ("", "node"),
        ] {
            assert_eq!(sanitised(host_name), label, "{host_name}");
        }
    }

    proptest! {
        #[test]
        fn any_host_name_becomes_a_unique_label(names in prop::collection::vec(".{0,80}|a{60,70}", 0..40)) {
            let mut taken = BTreeSet::new();
            for name in names {
                let label = unique(&sanitised(&name), |label| taken.contains(label));
                prop_assert!(is_label(&label), "{label}");
                prop_assert!(taken.insert(label));
            }
        }
    }
}
