//! Who may give which tag.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::document::{Document, Owner};

/// `tagOwners`, with the owners of owning tags filled in.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagOwners {
    /// By tag: the words that select its owners.
    owners: BTreeMap<String, BTreeSet<usize>>,
    /// Whether any tag may be given by an administrator: there is no policy file that could define them.
    any: bool,
}

impl TagOwners {
    pub(crate) fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// An owner of a tag that owns a tag owns both. A circle of tags adds nothing.
    pub(crate) fn new(document: &Document, mut number: impl FnMut(&Owner) -> usize) -> Self {
        let mut direct: BTreeMap<&str, (BTreeSet<usize>, Vec<&str>)> = BTreeMap::new();
        for (tag, owners) in &document.tag_owners {
            let entry = direct.entry(tag).or_default();
            for owner in owners {
                entry.0.insert(number(&owner.what));
                if let Owner::Tag(other) = &owner.what {
                    entry.1.push(other);
                }
            }
        }
        let mut owners = BTreeMap::new();
        for tag in direct.keys() {
            let (mut reached, mut open, mut all) = (BTreeSet::from([*tag]), vec![*tag], BTreeSet::new());
            while let Some((words, tags)) = open.pop().and_then(|tag| direct.get(tag)) {
                all.extend(words);
                open.extend(tags.iter().filter(|tag| reached.insert(**tag)));
            }
            owners.insert((*tag).to_owned(), all);
        }
        Self { owners, any: false }
    }

    pub(crate) fn knows(&self, tag: &str) -> bool {
        is_tag(tag) && (self.any || self.owners.contains_key(tag))
    }

    /// Whether a node that these words select may ask for a tag.
    pub(crate) fn may_use(&self, tag: &str, who: &BTreeSet<usize>) -> bool {
        self.owners.get(tag).is_some_and(|owners| !owners.is_disjoint(who))
    }
}

/// Whether a text is a tag: `tag:` and letters, digits and dashes, a letter first.
pub(crate) fn is_tag(text: &str) -> bool {
    text.strip_prefix("tag:").is_some_and(|name| {
        name.len() <= 63
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}
