//! Random policies, as text: every part of the language, and nothing that is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Strategies of texts are of many kinds.
type Text = BoxedStrategy<String>;

/// What every policy defines.
const DEFINITIONS: &str = r#"
    "groups": {
        "group:staff": ["ann@example.com", "dee@", "gone@example.com"],
        "group:example": ["user:*@example.com"],
        "group:mixed": ["cid@other.org", "user:*@EXAMPLE.com"],
        "group:empty": [],
    },
    "hosts": { "web": "100.64.0.1", "net": "10.1.0.0/16", "six": "fd7a:115c:a1e0::2", "dns": "8.8.8.8" },
"#;

const USERS: [&str; 6] =
    ["ann@example.com", "bob@example.com", "cid@other.org", "dee@", "eve@Example.COM", "gone@example.com"];
const PEOPLE: [&str; 14] = [
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
const MACHINES: [&str; 4] = ["tag:a", "tag:b", "tag:c", "autogroup:tagged"];
const PLACES: [&str; 9] =
    ["web", "host:net", "six", "dns", "ipset:one", "ipset:two", "ipset:three", "ipset:four", "svc:web"];
const PREFIXES: [&str; 20] = [
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
/// What only `acls` may write.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];
const POSTURES: [&str; 3] = ["posture:p", "posture:q", "posture:r"];
const CONDITIONS: [&str; 12] = [
    "node:os == 'linux'",
    "node:os != 'linux'",
    "node:os IN ['linux', 'macos']",
    "node:os NOT IN ['windows']",
    "node:tsVersion >= '1.50'",
    "node:tsVersion < '1.102'",
    "custom:tier > 1",
    "custom:tier <= 2",
    "custom:tier IS SET",
    "custom:managed NOT SET",
    "custom:managed == true",
    "ip:country == 'DE'",
];

fn one(words: &[&'static str]) -> Text {
    select(words.to_vec()).prop_map(str::to_owned).boxed()
}

fn people() -> Text {
    prop_oneof![one(&USERS), one(&PEOPLE)].boxed()
}

fn place() -> Text {
    prop_oneof![one(&PLACES), one(&PREFIXES)].boxed()
}

/// `["a", "b"]`
fn list(of: Text, size: std::ops::RangeInclusive<usize>) -> Text {
    vec(of, size)
        .prop_map(|words| {
            format!("[{}]", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
        })
        .boxed()
}

/// `"name": value,` or nothing.
fn field(name: &'static str, chance: f64, value: Text) -> Text {
    prop::option::weighted(chance, value)
        .prop_map(move |value| value.map(|value| format!("\"{name}\": {value}, ")).unwrap_or_default())
        .boxed()
}

/// `"name": value,`
fn always(name: &'static str, value: Text) -> Text {
    value.prop_map(move |value| format!("\"{name}\": {value}, ")).boxed()
}

/// Fields, in braces.
fn object(fields: Vec<Text>) -> Text {
    fields.prop_map(|fields| format!("{{ {} }}", fields.concat())).boxed()
}

/// `"name": [rules],`
fn rules(name: &'static str, chance: f64, rule: Text, size: std::ops::RangeInclusive<usize>) -> Text {
    field(
        name,
        chance,
        vec(rule, size).prop_map(|rules| format!("[\n        {}\n    ]", rules.join(",\n        "))).boxed(),
    )
}

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

fn postured() -> Text {
    field("srcPosture", 0.2, list(one(&POSTURES), 1..=2))
}

/// A rule of `acls`. With `autogroup:self` all sources are people, or everybody.
fn acl() -> Text {
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
fn grant() -> Text {
    let ip = |ips: fn(Text) -> Text| {
        ips(list(one(&["*", "22", "tcp:443", "udp:*", "tcp:80-90", "icmp:*", "47:*", "sctp:5", "0:53", "*:80"]), 1..=3))
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
    let src = |of: Text| always("src", list(of, 1..=3));
    let dst = |of: Text| always("dst", list(of, 1..=3));
    prop_oneof![
        2 => object(vec![src(sources()), dst(targets()), ip(|ip| always("ip", ip)), postured()]),
        3 => object(vec![src(sources()), dst(nodes()), ip(|ip| field("ip", 0.5, ip)), app(|app| always("app", app)), postured()]),
        1 => object(vec![src(people()), dst(own()), ip(|ip| always("ip", ip)), app(|app| field("app", 0.5, app)), postured()]),
        1 => object(vec![src(people()), dst(own()), ip(|ip| field("ip", 0.3, ip)), app(|app| always("app", app)), postured()]),
        2 => object(vec![src(one(&["*", "autogroup:member", "autogroup:tagged"])), dst(one(&["10.0.0.0/8", "net"])), ip(|ip| always("ip", ip)), via.clone()]),
        3 => object(vec![src(sources()), dst(carried), ip(|ip| always("ip", ip)), via, postured()]),
        1 => object(vec![src(sources()), dst(place()), ip(|ip| field("ip", 0.5, ip)), app(|app| always("app", app)), always("via", list(one(&["tag:a"]), 1..=1))]),
    ]
    .boxed()
}

/// A rule of `ssh`: people and machines to machines, people to people's own, one to their own.
fn ssh() -> Text {
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

/// Promises of all kinds; some are kept.
fn tests() -> Text {
    let source =
        prop_oneof![3 => people(), 2 => one(&MACHINES), 3 => place(), 1 => one(&["*", "autogroup:self"])].boxed();
    let target = || {
        let words = [
            "tag:a",
            "tag:b",
            "ann@example.com",
            "group:staff",
            "autogroup:member",
            "web",
            "six",
            "dns",
            "100.64.0.3",
            "10.1.2.3",
            "*",
            "[fd7a:115c:a1e0::1]",
            "ipset:one",
            "autogroup:self",
            "svc:web",
        ];
        (one(&words), one(&["22", "80", "443", "53"])).prop_map(|(word, port)| format!("{word}:{port}")).boxed()
    };
    let attributes = one(&[r#"{ "node:os": "linux", "custom:tier": 2 }"#, r#"{ "node:tsVersion": "1.60" }"#]);
    let promises = prop_oneof![
        always("accept", list(target(), 1..=1)),
        always("deny", list(target(), 1..=2)),
        (always("accept", list(target(), 1..=2)), always("deny", list(target(), 1..=2))).prop_map(|(a, d)| a + &d),
    ];
    object(vec![
        always("src", source.prop_map(|word| format!("\"{word}\"")).boxed()),
        field("proto", 0.4, one(&["\"tcp\"", "\"udp\"", "\"sctp\""])),
        promises.boxed(),
        field("srcPostureAttrs", 0.2, attributes),
    ])
}

fn ssh_tests() -> Text {
    let source = prop_oneof![
        2 => one(&USERS),
        2 => one(&["tag:a", "tag:b", "group:staff", "group:example", "web", "100.64.0.3", "100.64.0.0/30", "host:net"]),
    ];
    let target =
        one(&["tag:a", "tag:b", "autogroup:self", "autogroup:member", "ann@example.com", "web", "100.64.0.3", "*"]);
    let users = || list(one(&["root", "ubuntu", "ann", "bob"]), 1..=2);
    let promises = prop_oneof![
        always("accept", users()),
        always("deny", users()),
        always("check", users()),
        (always("accept", users()), always("check", users())).prop_map(|(accept, check)| accept + &check),
    ];
    object(vec![
        always("src", source.prop_map(|word| format!("\"{word}\"")).boxed()),
        always("dst", list(target, 1..=2)),
        promises.boxed(),
    ])
}

fn attributes() -> Text {
    let target = prop_oneof![3 => people(), 3 => one(&MACHINES), 3 => place(), 1 => one(&["*"])].boxed();
    object(vec![
        always("target", list(target, 1..=2)),
        field("attr", 0.8, list(one(&["funnel", "custom:a", "custom:b", "nextdns:abc"]), 1..=2)),
        field("app", 0.3, one(&[r#"{ "example.com/a": [1] }"#, r#"{ "example.com/a": ["two"], "custom:a": [{}] }"#])),
        field("ipPool", 0.1, list(one(&["100.81.0.0/16"]), 1..=1)),
    ])
}

fn ip_sets() -> Text {
    let plain = prop_oneof![
        4 => one(&PREFIXES),
        2 => one(&["web", "host:net", "dns", "100.64.0.2-100.64.0.6", "10.1.0.9-10.1.2.7", "fd00:1::5-fd00:1::99", "autogroup:internet"]),
    ]
    .boxed();
    let set = |inner: &[&'static str]| {
        let target =
            if inner.is_empty() { plain.clone() } else { prop_oneof![3 => plain.clone(), 2 => one(inner)].boxed() };
        let part = (one(&["", "add ", "add ", "remove "]), target).prop_map(|(how, what)| format!("{how}{what}"));
        list(part.boxed(), 0..=4)
    };
    object(vec![
        always("ipset:one", set(&[])),
        always("ipset:two", set(&["ipset:one"])),
        always("ipset:three", set(&["ipset:four", "ipset:two"])),
        always("ipset:four", set(&[])),
    ])
}

fn owners() -> Text {
    list(prop_oneof![3 => people(), 2 => one(&["tag:a", "tag:b", "tag:c"])].boxed(), 0..=2)
}

/// A policy. Rules are many, so that they meet.
pub(crate) fn policies() -> Text {
    let posture = || list(one(&CONDITIONS), 1..=2);
    let parts = vec![
        Just(DEFINITIONS.to_owned()).boxed(),
        always("ipsets", ip_sets()),
        always("tagOwners", object(["tag:a", "tag:b", "tag:c"].map(|tag| always(tag, owners())).into())),
        always("postures", object(POSTURES.map(|name| always(name, posture())).into())),
        field("defaultSrcPosture", 0.1, list(one(&POSTURES), 1..=1)),
        field(
            "autoApprovers",
            0.8,
            object(vec![
                field(
                    "routes",
                    0.9,
                    object(
                        ["10.0.0.0/8", "10.1.2.0/24", "0.0.0.0/0", "fd00:1::/48"]
                            .map(|route| field(route, 0.6, owners()))
                            .into(),
                    ),
                ),
                field("exitNode", 0.8, owners()),
                field("services", 0.2, object(vec![always("svc:web", owners())])),
            ]),
        ),
        rules("acls", 0.8, acl(), 0..=5),
        rules("grants", 0.8, grant(), 0..=5),
        rules("nodeAttrs", 0.7, attributes(), 0..=3),
        rules("ssh", 0.8, ssh(), 0..=4),
        rules("tests", 0.7, tests(), 0..=4),
        rules("sshTests", 0.7, ssh_tests(), 0..=3),
        field("randomizeClientPort", 0.2, one(&["true", "false"])),
        field("disableIPv4", 0.2, one(&["true", "false"])),
        field("oneCGNATRoute", 0.2, one(&["\"mac-always\"", "\"mac-never\"", "\"\""])),
    ];
    parts.prop_map(|parts| format!("{{{}}}", parts.join("\n    "))).boxed()
}
