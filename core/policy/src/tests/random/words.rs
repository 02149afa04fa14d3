//! Words of random policies, and how they are put together.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Strategies of texts are of many kinds.
pub(super) type Text = BoxedStrategy<String>;

pub(super) const USERS: [&str; 6] =
    ["ann@example.com", "bob@example.com", "cid@other.org", "dee@", "eve@Example.COM", "gone@example.com"];
pub(super) const PEOPLE: [&str; 14] = [
    "user:*@example.com",
    "user:*@other.org",
    "group:staff",
    "group:example",
    "group:mixed",
    "group:empty",
    "group:ext@corp.org",
    "autogroup:member",
    "autogroup:owner",
    "autogroup:admin",
    "autogroup:it-admin",
    "autogroup:network-admin",
    "autogroup:billing-admin",
    "autogroup:auditor",
];
pub(super) const MACHINES: [&str; 4] = ["tag:a", "tag:b", "tag:c", "autogroup:tagged"];
pub(super) const PLACES: [&str; 9] =
    ["web", "host:net", "six", "dns", "ipset:one", "ipset:two", "ipset:three", "ipset:four", "svc:web"];
pub(super) const PREFIXES: [&str; 20] = [
    "100.64.0.1",
    "100.64.0.3",
    "100.64.0.0/30",
    "100.64.0.4/30",
    "100.64.0.0/10",
    "fd7a:115c:a1e0::1",
    "fd7a:115c:a1e0::/126",
    "fd7a:115c:a1e0::/48",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.1.2.3",
    "10.2.0.0/15",
    "192.168.0.0/16",
    "8.8.8.8",
    "8.8.0.0/16",
    "fd00:1::/48",
    "fd00:1::/80",
    "2600::/16",
    "128.0.0.0/1",
];
pub(super) const POSTURES: [&str; 3] = ["posture:p", "posture:q", "posture:r"];

pub(super) fn one(words: &[&'static str]) -> Text {
    select(words.to_vec()).prop_map(str::to_owned).boxed()
}

pub(super) fn people() -> Text {
    prop_oneof![one(&USERS), one(&PEOPLE)].boxed()
}

pub(super) fn place() -> Text {
    prop_oneof![one(&PLACES), one(&PREFIXES)].boxed()
}

/// `["a", "b"]`
pub(super) fn list(of: Text, size: RangeInclusive<usize>) -> Text {
    vec(of, size)
        .prop_map(|words| {
            format!("[{}]", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
        })
        .boxed()
}

/// `"name": value,` or nothing.
pub(super) fn field(name: &'static str, chance: f64, value: Text) -> Text {
    prop::option::weighted(chance, value)
        .prop_map(move |value| value.map(|value| format!("\"{name}\": {value}, ")).unwrap_or_default())
        .boxed()
}

/// `"name": value,`
pub(super) fn always(name: &'static str, value: Text) -> Text {
    value.prop_map(move |value| format!("\"{name}\": {value}, ")).boxed()
}

/// Fields, in braces.
pub(super) fn object(fields: Vec<Text>) -> Text {
    fields.prop_map(|fields| format!("{{ {} }}", fields.concat())).boxed()
}

/// `"name": [rules],`
pub(super) fn rules(name: &'static str, chance: f64, rule: Text, size: RangeInclusive<usize>) -> Text {
    field(
        name,
        chance,
        vec(rule, size).prop_map(|rules| format!("[\n        {}\n    ]", rules.join(",\n        "))).boxed(),
    )
}
