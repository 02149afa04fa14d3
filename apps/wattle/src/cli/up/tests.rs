//! Plans, and whole connections against a daemon that is played.

use std::sync::{Arc, Mutex};

use super::*;
use bytes::Bytes;
use clap::Parser;
use http::StatusCode;
use tokio::sync::oneshot;
use wattle_local_api::{Body, PeerCredentials, Request, Server, respond};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    up: Up,
}

fn up(line: &str) -> Up {
    Line::try_parse_from(std::iter::once("up").chain(line.split_whitespace())).unwrap().up
}

fn status(state: &str, have_node_key: bool) -> Status {
    Status { backend_state: state.to_owned(), have_node_key, ..Status::default() }
}

fn settled() -> Prefs {
    Prefs { control_url: "https://mesh.example.com".to_owned(), hostname: "attic".to_owned(), ..Prefs::default() }
}

#[test]
fn without_flags_a_node_that_is_signed_in_just_comes_up() {
    assert_eq!(up("").plan(&status("Stopped", true), settled()).unwrap(), Plan::JustUp);
    assert_eq!(up("--timeout 5s").plan(&status("Running", true), settled()).unwrap(), Plan::JustUp);
}

#[test]
fn without_flags_a_node_that_is_signed_out_starts_with_what_it_has() {
    let Plan::Start(prefs) = up("").plan(&status("NeedsLogin", false), settled()).unwrap() else { panic!("no start") };
    assert_eq!(*prefs, Prefs { want_running: true, ..settled() });
}

#[test]
fn a_new_node_has_to_be_told_its_network() {
    let problem = up("").plan(&status("NeedsLogin", false), Prefs::default()).unwrap_err();
    assert!(problem.to_string().contains("--login-server"), "{problem}");
    let line = "--login-server http://127.0.0.1:8080 --auth-key k --hostname a";
    let plan = up(line).plan(&status("NeedsLogin", false), Prefs::default()).unwrap();
    assert!(matches!(plan, Plan::Start(prefs) if prefs.control_url == "http://127.0.0.1:8080" && prefs.want_running));
}

#[test]
fn dropping_a_setting_by_not_mentioning_it_is_refused_with_the_command_to_use() {
    let problem = up("--ssh").plan(&status("Running", true), settled()).unwrap_err().to_string();
    assert!(problem.starts_with("that would reset --hostname, which you did not mention."), "{problem}");
    assert!(problem.contains("\twattle up --ssh --hostname=attic\n"), "{problem}");
}

#[test]
fn with_reset_everything_that_is_not_mentioned_becomes_its_default() {
    let Plan::Edit(change) = up("--reset --ssh").plan(&status("Running", true), settled()).unwrap() else {
        panic!("no edit")
    };
    let mut prefs = settled();
    change.apply_to(&mut prefs);
    assert_eq!((prefs.hostname.as_str(), prefs.run_ssh, prefs.want_running), ("", true, true));
    assert_eq!(prefs.control_url, settled().control_url);
}

#[test]
fn a_running_node_is_edited_and_a_key_or_other_tags_start_it_anew() {
    let running = status("Running", true);
    let plan = |line: &str| up(line).plan(&running, settled()).unwrap();
    assert!(matches!(plan("--hostname attic --shields-up"), Plan::Edit(_)));
    assert!(matches!(plan("--hostname attic --auth-key k"), Plan::Start(_)));
    assert!(matches!(plan("--hostname attic --advertise-tags tag:a"), Plan::Start(_)));
    assert!(matches!(plan("--force-reauth"), Plan::Start(_)));
}

#[test]
fn another_network_needs_consent() {
    let line = "--hostname attic --login-server https://other.example.com";
    let problem = up(line).plan(&status("Running", true), settled()).unwrap_err().to_string();
    assert!(problem.contains("--force-reauth"), "{problem}");
    assert!(up(&format!("{line} --force-reauth")).plan(&status("Running", true), settled()).is_ok());
    assert!(up(line).plan(&status("Stopped", true), settled()).is_ok());
}

#[test]
fn a_key_may_stand_in_a_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    std::fs::write(&path, "  abc\n").unwrap();
    assert_eq!(read_key(&format!("file:{}", path.display())).unwrap(), "abc");
    assert_eq!(read_key("abc").unwrap(), "abc");
    assert!(
        read_key("file:/nowhere/key").unwrap_err().to_string().starts_with("cannot read the key from /nowhere/key")
    );
    assert!(read_key("").is_err());
}

/// A daemon that notes what it is asked, and becomes `Running` when it is started or told to be up.
#[derive(Clone, Default)]
struct Played {
    asked: Arc<Mutex<Vec<String>>>,
    state: Arc<Mutex<Status>>,
    prefs: Prefs,
    /// What it becomes.
    becomes: String,
}

impl Played {
    fn answer(&self, request: &Request) -> wattle_local_api::Response {
        let path = request.uri().path().trim_start_matches("/localapi/v0/").to_owned();
        self.asked.lock().unwrap().push(format!("{} {path}", request.method()));
        let json = |value: Vec<u8>| respond::json(StatusCode::OK, value);
        match path.as_str() {
            "status" => json(serde_json::to_vec(&*self.state.lock().unwrap()).unwrap()),
            "watch-ipn-bus" => respond::json_lines(Body::stream(futures_util::stream::pending::<Bytes>())),
            "check-prefs" => json(br#"{"Error":""}"#.to_vec()),
            "start" | "prefs" if request.method() != http::Method::GET => {
                self.state.lock().unwrap().backend_state.clone_from(&self.becomes);
                json(serde_json::to_vec(&self.prefs).unwrap())
            }
            "prefs" => json(serde_json::to_vec(&self.prefs).unwrap()),
            _ => respond::no_content(),
        }
    }

    /// Runs a line of `up` against it.
    async fn run(&self, line: &str) -> (anyhow::Result<Outcome>, Vec<String>) {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("wattled.sock");
        let server = Server::bind(&socket).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let played = self.clone();
        let handler = move |request: Request, _caller: PeerCredentials| std::future::ready(played.answer(&request));
        let task = tokio::spawn(server.serve(handler, async {
            let _end: Result<(), _> = stopped.await;
        }));
        let outcome = up(line).run(&Api::new(socket)).await;
        drop(stop);
        task.await.unwrap();
        let asked = self.asked.lock().unwrap().clone();
        (outcome, asked)
    }
}

#[tokio::test]
async fn a_key_starts_the_daemon_and_success_is_silent() {
    let daemon = Played { becomes: "Running".to_owned(), ..Played::default() };
    *daemon.state.lock().unwrap() = status("NeedsLogin", false);
    let (outcome, asked) = daemon.run("--login-server http://127.0.0.1:1 --auth-key k").await;
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let wanted = ["GET status", "GET prefs", "GET watch-ipn-bus", "POST check-prefs", "POST start", "GET status"];
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn without_a_key_a_login_by_browser_is_begun() {
    let daemon = Played { becomes: "Running".to_owned(), ..Played::default() };
    *daemon.state.lock().unwrap() = status("NeedsLogin", false);
    let (outcome, asked) = daemon.run("--login-server http://127.0.0.1:1").await;
    assert_eq!(outcome.unwrap(), Outcome::Done);
    assert!(asked.contains(&"POST login-interactive".to_owned()), "{asked:?}");
}

#[tokio::test]
async fn a_timeout_tells_why_it_is_not_connected() {
    let daemon = Played { becomes: "Starting".to_owned(), prefs: settled(), ..Played::default() };
    let health = vec!["the server does not answer".to_owned()];
    *daemon.state.lock().unwrap() = Status { health, ..status("Stopped", true) };
    let (outcome, asked) = daemon.run("--timeout 50ms").await;
    assert_eq!(outcome.unwrap_err().to_string(), "not connected within 0.05 s: the server does not answer");
    assert!(asked.contains(&"PATCH prefs".to_owned()), "{asked:?}");
}
