//! The house: which crate may use which. A crate uses lower floors only; the few edges inside a floor stand here with
//! their reason.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run;

/// From the ground up.
const FLOORS: [&str; 5] = ["base", "core", "io", "apps", "lab"];

/// Edges inside a floor, with the reason.
const SIDEWAYS: &[(&str, &str, &str)] = &[
    ("wattle-netmap", "wattle-keys", "a node has keys"),
    ("wattle-netmap", "wattle-time", "keys expire"),
    ("wattle-wire", "wattle-keys", "messages carry keys"),
    ("wattle-wire", "wattle-netmap", "control's JSON becomes the map"),
    ("wattle-wire", "wattle-time", "messages carry times"),
    ("wattle-node", "wattle-tunnel", "the node is its stages"),
    ("wattle-node", "wattle-path", "the node is its stages"),
    ("wattle-node", "wattle-netcheck", "the node is its stages"),
    ("wattle-node", "wattle-filter", "the node is its stages"),
    ("wattle-node", "wattle-dns", "the node is its stages"),
    ("wattle-node", "wattle-session", "the node is its stages"),
    ("wattle-policy", "wattle-filter", "in tests: what rules mean is what the filter makes of them"),
    ("wattle-path", "wattle-relay-core", "in tests: passages lead through a real peer relay"),
    ("wattle-session", "wattle-noise", "the session speaks through the control channel"),
    ("wattle-coordinator", "wattle-policy", "who may see whom is decided by policy"),
    ("wattle-coordinator", "wattle-identity", "who people are is part of what is decided"),
    ("wattle-provider", "wattle-link", "providers are dialled as coordination servers are"),
    ("wattle-scenarios", "wattle-world", "scenarios play in the world"),
    ("wattle-fuzz", "wattle-scenarios", "bytes make scenarios"),
    ("wattle-interop", "wattle-netns", "official clients run in the lab"),
    ("wattle-matrix", "wattle-netns", "real nodes run in the lab"),
    ("wattle-matrix", "wattle-interop", "in tests: where official clients are"),
    ("wattle-wireguard-interop", "wattle-netns", "wireguard-go runs in the lab"),
];

/// What a floor must not know, whatever crate it is in.
const UNKNOWN_BELOW_IO: &[&str] = &[
    "tokio",
    "tokio-util",
    "futures-util",
    "hyper",
    "hyper-util",
    "axum",
    "socket2",
    "quinn-udp",
    "tun-rs",
    "rtnetlink",
    "nix",
    "getrandom",
    "rand",
    "sqlx",
    "rustls",
    "tokio-rustls",
    "tempfile",
    "tracing-subscriber",
    "clap",
    "anyhow",
];
const UNKNOWN_TO_CORE: &[&str] = &["serde", "serde_json"];

/// Fails, naming every wrong edge, unless the house stands.
pub(crate) fn check() -> anyhow::Result<()> {
    let metadata = run::metadata()?;
    let root = metadata["workspace_root"].as_str().context("no workspace root")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let placed: Vec<(&str, Option<usize>, &Value)> = packages
        .iter()
        .filter_map(|package| {
            let path = package["manifest_path"].as_str()?.strip_prefix(root)?.trim_start_matches('/');
            let floor = FLOORS.iter().position(|floor| path.starts_with(&format!("{floor}/")));
            Some((package["name"].as_str()?, floor, package))
        })
        .collect();
    let mut wrong = Vec::new();
    for (name, floor, package) in &placed {
        let Some(floor) = floor else { continue };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(target) = dependency["name"].as_str() else { continue };
            if dependency["kind"].as_str() == Some("dev") && dependency["path"].is_null() {
                continue;
            }
            if let Some(reason) = forbidden(name, *floor, target, &placed) {
                wrong.push(format!("{name} -> {target}: {reason}"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("the floors are broken (xtask/src/floors.rs has the rules):\n  {}", wrong.join("\n  "));
    }
    eprintln!("floors: {} crates stand where they should", placed.len());
    Ok(())
}

fn forbidden(name: &str, floor: usize, target: &str, placed: &[(&str, Option<usize>, &Value)]) -> Option<String> {
    let own = FLOORS[floor];
    let Some((_, target_floor, _)) = placed.iter().find(|(other, _, _)| *other == target) else {
        let banned =
            (floor <= 1 && UNKNOWN_BELOW_IO.contains(&target)) || (floor == 1 && UNKNOWN_TO_CORE.contains(&target));
        return banned.then(|| format!("{own}/ must not know it"));
    };
    match target_floor {
        None => Some("nothing depends on it".to_owned()),
        Some(below) if *below < floor => None,
        Some(same) if *same == floor => {
            let allowed = SIDEWAYS.iter().any(|(from, to, _)| *from == name && *to == target);
            (!allowed).then(|| format!("both are in {own}/, and no reason is written down"))
        }
        Some(above) => Some(format!("{} is above {own}", FLOORS[*above])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_stands() {
        check().unwrap();
    }

    #[test]
    fn wrong_edges_are_named() {
        let nothing = Value::Null;
        let placed =
            [("wattle-path", Some(1), &nothing), ("wattle-link", Some(2), &nothing), ("wattle-udp", Some(2), &nothing)];
        assert!(forbidden("wattle-path", 1, "wattle-link", &placed).is_some());
        assert!(forbidden("wattle-path", 1, "tokio", &placed).is_some());
        assert!(forbidden("wattle-link", 2, "wattle-udp", &placed).is_some());
        assert!(forbidden("wattle-link", 2, "wattle-path", &placed).is_none());
        assert!(forbidden("wattle-link", 2, "tokio", &placed).is_none());
    }
}
