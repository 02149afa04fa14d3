//! Random rules: of `acls`, `grants` and `ssh`.

use proptest::prelude::*;

use super::words::{MACHINES, POSTURES, Text, USERS, always, field, list, object, one, people, place};

/// What only `acls` may write.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

fn sources() -> Text {
    prop_oneof![
        5 => people(),
        4 => one(&MACHINES),
        3 => place(),
        1 => one(&["*", "*", "autogroup:danger-all", "autogroup:shared", "0.0.0.0/0"]),
    ]
    .boxed()
}

fn targets() -> Text {
    prop_oneof![
        3 => people(),
        4 => one(&MACHINES),
        5 => place(),
        2 => one(&["*", "autogroup:internet"]),
    ]
    .boxed()
}

pub(super) fn postured() -> Text {
    field("srcPosture", 0.2, list(one(&POSTURES), 1..=2))
}

/// A rule of `acls`. With `autogroup:self` all sources are people, or everybody.
pub(super) fn acl() -> Text {
    let ports = || one(&["*", "22", "80", "443", "22,80-90", "1-65535", "53"]);
    let with_ports =
        |word: Text, ports: Text| (word, ports).prop_map(|(word, ports)| format!("{word}:{ports}")).boxed();
    let target = || prop_oneof![9 => targets(), 1 => one(&EVERYWHERE)].boxed();
    let own = prop_oneof![Just("autogroup:self".to_owned()), targets()].boxed();
    let proto = |names: &[&'static str]| field("proto", 0.4, one(names).prop_map(|name| format!("\"{name}\"")).boxed());
    let rule = move |sources: Text, targets: Text, proto: Text| {
        let fixed = Just("\"action\": \"accept\", ".to_owned()).boxed();
        object(vec![fixed, always("src", list(sources, 1..=3)), always("dst", list(targets, 1..=3)), proto, postured()])
    };
    prop_oneof![
        6 => rule(sources(), with_ports(target(), ports()), proto(&["tcp", "udp", "sctp"])),
        1 => rule(sources(), with_ports(target(), one(&["*"])), proto(&["icmp", "ipv6-icmp", "47", "gre"])),
        2 => rule(prop_oneof![4 => people(), 1 => one(&["*"])].boxed(), with_ports(own, ports()), proto(&["tcp", "udp"])),
    ]
    .boxed()
}

/// A rule of `grants`: packets, capabilities, both, or by way of routers.
pub(super) fn grant() -> Text {
    let ip = |ips: fn(Text) -> Text| {
        ips(list(
            one(&[
                "*",
                "22",
                "tcp:443",
                "udp:*",
                "tcp:80-90",
                "icmp:*",
                "47:*",
                "sctp:5",
                "47:5",
                "icmp:8",
                "0:53",
                "*:80",
            ]),
            1..=3,
        ))
    };
    let app = |apps: fn(Text) -> Text| {
        let capabilities = prop::sample::subsequence(
            vec![
                r#""tailscale.com/cap/drive": [{"shares": ["x"], "access": "rw"}]"#,
                r#""tailscale.com/cap/relay": []"#,
                r#""example.com/cap/x": [1, {"y": 2}]"#,
                r#""example.com/cap/x": ["z"]"#,
                r#""example.com/cap/none": []"#,
            ],
            1..=3,
        );
        let unique = capabilities.prop_map(|all| {
            let twice = all.iter().filter(|one| one.contains("cap/x")).count() > 1;
            let kept = all.into_iter().filter(|one| !(twice && one.contains("\"z\"")));
            format!("{{ {} }}", kept.collect::<Vec<_>>().join(", "))
        });
        apps(unique.boxed())
    };
    let nodes = || prop_oneof![3 => people(), 4 => one(&MACHINES), 3 => place(), 1 => one(&["*"])].boxed();
    let own = || prop_oneof![one(&["autogroup:self"]), nodes()].boxed();
    let carried = prop_oneof![6 => place(), 3 => one(&["autogroup:internet"]), 1 => targets()].boxed();
    let via = always("via", list(one(&["tag:a", "tag:b", "tag:c"]), 1..=2));
    let src = |of: Text| always("src", prop_oneof![30 => list(of, 1..=3), 1 => one(&["[]"])].boxed());
    let dst = |of: Text| always("dst", list(of, 1..=3));
    let packets = || ip(|ip| always("ip", ip));
    let some_packets = || ip(|ip| field("ip", 0.4, ip));
    let capabilities = || app(|app| always("app", app));
    let rule = |fields: [Text; 4]| object(fields.into_iter().chain([postured()]).collect());
    prop_oneof![
        2 => rule([src(sources()), dst(targets()), packets(), nothing()]),
        3 => rule([src(sources()), dst(nodes()), some_packets(), capabilities()]),
        1 => rule([src(people()), dst(own()), packets(), app(|app| field("app", 0.5, app))]),
        1 => rule([src(people()), dst(own()), some_packets(), capabilities()]),
        3 => rule([src(sources()), dst(carried), packets(), via]),
        1 => rule([src(sources()), dst(place()), (some_packets(), capabilities()).prop_map(|(a, b)| a + &b).boxed(), via_one()]),
    ]
    .boxed()
}

fn nothing() -> Text {
    Just(String::new()).boxed()
}

fn via_one() -> Text {
    always("via", list(one(&["tag:a", "tag:b", "tag:c"]), 1..=1))
}

/// A rule of `grants` that steers many to one kind of routers.
pub(super) fn steering() -> Text {
    let sources = one(&["*", "autogroup:member", "autogroup:tagged", "group:example"]);
    let targets = one(&["10.0.0.0/8", "net", "autogroup:internet", "10.1.2.3"]);
    let packets = || always("ip", list(one(&["*", "tcp:443"]), 1..=2));
    object(vec![always("src", list(sources, 1..=2)), always("dst", list(targets, 1..=2)), packets(), via_one()])
}

/// A rule of `ssh`: people and machines to machines, people to people's own, one to their own.
pub(super) fn ssh() -> Text {
    let action = prop_oneof![
        Just("\"action\": \"accept\", ".to_owned()),
        one(&["", "\"checkPeriod\": \"1h\", ", "\"checkPeriod\": \"always\", "])
            .prop_map(|period| format!("\"action\": \"check\", {period}")),
    ]
    .boxed();
    let users =
        one(&["root", "ubuntu", "autogroup:nonroot", "localpart:*@example.com", "localpart:*@OTHER.org", "ann"]);
    let rest = vec![
        action,
        always("users", list(users, 1..=3)),
        field("acceptEnv", 0.2, list(one(&["LC_*", "LANG"]), 1..=2)),
        field("recorder", 0.2, list(one(&["tag:c", "web", "100.64.0.3", "group:staff"]), 1..=2)),
        field("enforceRecorder", 0.2, one(&["true", "false"])),
        postured(),
    ];
    let machines = || one(&MACHINES);
    let with = |sources: Text, targets: Text, rest: &[Text]| {
        let mut fields = vec![always("src", list(sources, 1..=3)), always("dst", list(targets, 1..=3))];
        fields.extend(rest.iter().cloned());
        object(fields)
    };
    let own =
        prop_oneof![2 => one(&["autogroup:self"]), 1 => machines(), 1 => one(&["autogroup:member", "autogroup:admin"])];
    let alone =
        USERS.map(|user| with(Just(user.to_owned()).boxed(), prop_oneof![one(&[user]), machines()].boxed(), &rest));
    prop_oneof![
        3 => with(prop_oneof![people(), machines(), one(&["autogroup:shared"])].boxed(), machines(), &rest),
        3 => with(people(), own.boxed(), &rest),
        1 => proptest::strategy::Union::new(alone),
    ]
    .boxed()
}
