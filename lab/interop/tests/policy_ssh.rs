//! The official SSH server obeys our SSH policies: official nodes log in as whom they may, and are asked to sign in where
//! the policy wants a check.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use wattle_interop::{Control, Logged, Talker, eventually, have, spawn_logged, tools};
use wattle_netns::{Host, Lab};

const PATIENCE: Duration = Duration::from_secs(90);
const QUESTION: Duration = Duration::from_secs(60);

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

/// One machine that people log in to, and two people.
struct Shell {
    control: Control,
    crowd: Talker,
    address: String,
    _daemon: Logged,
    _folder: TempDir,
    _lab: Lab,
}

impl Shell {
    /// `None`, with the reason printed, where something is missing.
    fn open() -> Option<Self> {
        let mut lab = Lab::for_test()?;
        let probe = have(tools::tsnet_probe())?;
        let daemon = have(tools::official_daemon())?;
        let server = lab.public_host("control").expect("a host");
        // At a private address, since at a public one the official client dials port 443 for whatever it asks beside its
        // map stream, where plain HTTP is not spoken (tailscale `control/controlhttp.Dialer.forceNoise443`).
        give_private_address(&server, 1);
        let control = have(Control::start_at(&server, private_address(1)))?;
        control.administrate(&["users", "create", BOB]);
        let people = lab.public_host("people").expect("a host");
        let target = lab.public_host("shell").expect("a host");
        give_private_address(&people, 2);
        give_private_address(&target, 3);
        let folder = TempDir::new().expect("a folder");
        let socket = folder.path().join("daemon.sock");
        let mut command = target.command(&daemon);
        command.args(["--tun=userspace-networking", "--port=0", "--statedir"]).arg(folder.path().join("shell"));
        command.arg("--socket").arg(&socket).env("TS_NO_LOGS_NO_SUPPORT", "1").env("HOME", "/root");
        let running = spawn_logged(&target, "tailscaled", folder.path(), &mut command);
        control.set_policy(&policy(&json!([])));
        let key = control.key(Some("tag:web"));
        let address = eventually("the official daemon joins", PATIENCE, || {
            let mut up = target.command(&probe);
            up.arg("-up").arg(&socket).args(["-control", control.url(), "-key", &key, "-hostname", "shell"]);
            let output = up.output().map_err(|error| error.to_string())?;
            let said = if output.status.success() { &output.stdout } else { &output.stderr };
            let said = String::from_utf8_lossy(said).trim().to_owned();
            if output.status.success() { Ok(said) } else { Err(said) }
        });
        let mut crowd = Talker::crowd(&people, &probe, &control, folder.path());
        let members = json!([
            { "name": "alice", "key": control.key_for(["--user", ALICE]) },
            { "name": "bob", "key": control.key_for(["--user", BOB]) },
        ]);
        crowd.ask(&json!({ "do": "join", "members": members }), QUESTION).expect("both join");
        Some(Self { control, crowd, address, _daemon: running, _folder: folder, _lab: lab })
    }

    /// Logs in and says who one is there.
    fn log_in(&mut self, from: &str, user: &str) -> Result<String, String> {
        let question = json!({ "do": "ssh", "from": from, "to": self.address, "user": user });
        let answer = self.crowd.ask(&question, QUESTION)?;
        Ok(answer["output"].as_str().unwrap_or_default().trim().to_owned())
    }

    /// Logs in as root while an administrator decides. A server that has not heard of the policy yet is asked again.
    fn log_in_with(&mut self, from: &str, verb: &str) -> Result<String, String> {
        let question = json!({ "do": "ssh", "from": from, "to": self.address, "user": "root" });
        for _ in 0..20 {
            self.crowd.say(&question.to_string())?;
            for _ in 0..200 {
                let waiting = self.control.administrate(&["ssh", "pending", "--json"]);
                let waiting: serde_json::Value = serde_json::from_str(&waiting).expect("ssh pending says JSON");
                if let Some(id) = waiting[0]["auth_id"].as_str() {
                    self.control.administrate(&["ssh", verb, id]);
                    let answer = self.crowd.answer(QUESTION)?;
                    return Ok(answer["output"].as_str().unwrap_or_default().trim().to_owned());
                }
                if let Ok(answer) = self.crowd.answer(Duration::from_millis(50)) {
                    // It was let in, or out, without being asked: that is the former policy.
                    let _former = answer;
                    break;
                }
            }
        }
        Err("nobody ever waits".to_owned())
    }

    fn set(&self, rules: &serde_json::Value) {
        self.control.set_policy(&policy(rules));
    }
}

fn private_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 250, number)
}

/// Public hosts stand in one network: there they may have other addresses, too.
fn give_private_address(host: &Host, number: u8) {
    let mut ip = host.command("ip");
    let added = ip.args(["addr", "add", &format!("{}/24", private_address(number)), "dev", "wan"]).status();
    assert!(added.is_ok_and(|status| status.success()), "an address is added");
}

/// Everybody may reach everybody; who may log in is another matter.
fn policy(ssh: &serde_json::Value) -> String {
    json!({
        "tagOwners": { "tag:web": [ALICE] },
        "acls": [{ "action": "accept", "src": ["*"], "dst": ["*:*"] }],
        "ssh": ssh,
    })
    .to_string()
}

#[test]
fn the_official_ssh_server_lets_in_whom_the_policy_lets_in() {
    let Some(mut shell) = Shell::open() else { return };
    assert!(shell.log_in("alice", "root").is_err(), "nobody may log in without a rule");

    shell.set(&json!([{ "action": "accept", "src": [ALICE], "dst": ["tag:web"], "users": ["root"] }]));
    eventually("alice is root", PATIENCE, || match shell.log_in("alice", "root")? {
        who if who == "root" => Ok(()),
        other => Err(other),
    });
    assert!(shell.log_in("bob", "root").is_err(), "bob is not named");
    assert!(shell.log_in("alice", "nobody").is_err(), "root is the only user named");

    shell.set(&json!([{ "action": "accept", "src": ["autogroup:member"], "dst": ["tag:web"], "users": ["autogroup:nonroot"] }]));
    eventually("bob is anybody but root", PATIENCE, || match shell.log_in("bob", "daemon") {
        // The account has no shell that runs commands: what counts is that the server let it in.
        Ok(_) => Ok(()),
        Err(why) if why.contains("exited with status") => Ok(()),
        Err(why) => Err(why),
    });
    assert!(shell.log_in("bob", "root").is_err(), "root is not anybody");

    checks_wait_for_somebody_to_approve(&mut shell);

    shell.set(&json!([]));
    eventually("nobody is left", PATIENCE, || match (shell.log_in("alice", "root"), shell.log_in("bob", "daemon")) {
        (Err(_), Err(_)) => Ok(()),
        both => Err(format!("{both:?}")),
    });
}

/// With a check the server holds the login until it is approved, and does not ask again before the period is over.
fn checks_wait_for_somebody_to_approve(shell: &mut Shell) {
    let check = |period: &str| {
        json!([{
            "action": "check", "checkPeriod": period, "src": [ALICE, BOB], "dst": ["tag:web"], "users": ["root"],
        }])
    };
    shell.set(&check("1h"));
    let who = shell.log_in_with("alice", "approve").expect("she is let in");
    assert!(who.ends_with("root"), "{who}");
    assert!(who.contains("http"), "she is told where to go: {who}");
    assert_eq!(shell.log_in("alice", "root"), Ok("root".to_owned()), "she is not asked again within the hour");
    assert!(shell.log_in_with("bob", "decline").is_err(), "who is turned away stays outside");
    shell.set(&check("always"));
    let who = shell.log_in_with("alice", "approve").expect("she is let in once more");
    assert!(who.ends_with("root"), "{who}");
}
