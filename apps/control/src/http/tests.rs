//! The routers over a real event loop and store, without connections.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::{Extension, Router};
use serde_json::{Value, json};
use tower::ServiceExt;
use wattle_coordinator::{Command, Config, Coordinator, Dice, NewAuthKey, NewPolicy, Reply};
use wattle_keys::{MachinePrivate, NodePrivate};
use wattle_link::Peer;
use wattle_netmap::DerpMap;
use wattle_store::Store;

use super::*;
use crate::event_loop;

/// A server in a folder of its own; `stop` is held so that it does not stop.
struct Lab {
    site: Arc<Site>,
    _folder: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

impl Lab {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("control.db")).await.unwrap();
        let config = Config::new("test.internal".to_owned(), DerpMap::default());
        let coordinator = Coordinator::new(config, store.load().await.unwrap(), event_loop::now()).unwrap();
        let (tailnet, _running) = event_loop::spawn(coordinator, store, Dice::new([7; 32]), |_| {});
        let (stop, stopped) = watch::channel(false);
        let url = "http://vpn.example.com".parse().unwrap();
        let site = Site::new(tailnet, MachinePrivate::from_bytes([1; 32]), url, None, None, stopped);
        Self { site, _folder: folder, _stop: stop }
    }

    /// What a browser or a relay gets.
    async fn outside(&self, request: Request<Body>) -> (StatusCode, String) {
        answer(outer(Arc::clone(&self.site), None), request).await
    }

    /// What a machine gets inside its control channel.
    async fn inside(&self, machine: u8, version: u16, request: Request<Body>) -> (StatusCode, String) {
        let peer = Peer { machine: MachinePrivate::from_bytes([machine; 32]).public(), version };
        answer(inner(Arc::clone(&self.site)).layer(Extension(peer)), request).await
    }

    async fn register(&self, machine: u8, node: u8, more: Value) -> Value {
        let mut body =
            json!({ "Version": 130, "NodeKey": node_key(node), "Hostinfo": { "Hostname": "laptop", "OS": "linux" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, text) = self.inside(machine, 130, post("/machine/register", &body)).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn auth_key(&self) -> String {
        let name = "alice".to_owned();
        let made = self.site.tailnet.ask(Command::CreateUser { login_name: name, display_name: String::new() }).await;
        let Ok(Reply::UserCreated(user)) = made else { panic!("{made:?}") };
        self.key_of(NewAuthKey { user: Some(user), ..NewAuthKey::default() }).await
    }

    async fn key_of(&self, new: NewAuthKey) -> String {
        let made = self.site.tailnet.ask(Command::CreateAuthKey(new)).await;
        let Ok(Reply::AuthKeyCreated { secret, .. }) = made else { panic!("{made:?}") };
        secret
    }
}

fn node_key(number: u8) -> String {
    NodePrivate::from_bytes([number; 32]).public().to_string()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).body(Body::from(body.to_string())).unwrap()
}

async fn answer(router: Router, mut request: Request<Body>) -> (StatusCode, String) {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_server_says_its_key_health_and_figures() {
    let lab = Lab::new().await;
    let (_, keys) = lab.outside(get("/key?v=130")).await;
    assert!(keys.contains(&MachinePrivate::from_bytes([1; 32]).public().to_string()), "{keys}");
    assert_eq!(lab.outside(get("/health")).await.0, StatusCode::OK);
    assert!(lab.outside(get("/metrics")).await.1.contains("wattle_control_nodes 0"));
    assert_eq!(lab.outside(get("/ts2021")).await.0, StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn an_auth_key_admits_a_machine_once() {
    let lab = Lab::new().await;
    let auth = json!({ "Auth": { "AuthKey": lab.auth_key().await } });
    let welcome = lab.register(1, 1, auth.clone()).await;
    assert_eq!(welcome["MachineAuthorized"], true);
    assert_eq!(welcome["Login"]["LoginName"], "alice");
    let again = lab.register(2, 2, auth).await;
    assert!(again["Error"].as_str().unwrap().contains("has been used"), "{again}");
    for (node, allow) in [(1, true), (2, false)] {
        let question = json!({ "NodePublic": node_key(node), "Source": "192.0.2.1" });
        let (_, answer) = lab.outside(post("/verify", &question)).await;
        assert_eq!(answer, json!({ "Allow": allow }).to_string());
    }
}

#[tokio::test]
async fn a_waiting_machine_is_named_at_its_page_and_nowhere_else() {
    let lab = Lab::new().await;
    let waiting = lab.register(1, 1, json!({})).await;
    let page = waiting["AuthURL"].as_str().unwrap().strip_prefix("http://vpn.example.com").unwrap();
    let (status, shown) = lab.outside(get(page)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(shown.contains("laptop") && shown.contains("wattle-control nodes approve"), "{shown}");
    for other in ["/register/abcdefghijklmnopqrstuvwx", "/register/%00", "/register/x%2Fy"] {
        let (status, shown) = lab.outside(get(other)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(!shown.contains("laptop"));
    }
}

#[tokio::test]
async fn a_name_is_text_on_the_page_and_not_markup() {
    let lab = Lab::new().await;
    let host = json!({ "Hostinfo": { "Hostname": "<script>alert(1)</script>", "OS": "linux" } });
    let waiting = lab.register(1, 1, host).await;
    let page = waiting["AuthURL"].as_str().unwrap().strip_prefix("http://vpn.example.com").unwrap();
    assert!(!lab.outside(get(page)).await.1.contains("<script>"));
}

#[tokio::test]
async fn a_node_key_is_of_use_to_its_own_machine_only() {
    let lab = Lab::new().await;
    lab.register(1, 1, json!({ "Auth": { "AuthKey": lab.auth_key().await } })).await;
    let report = json!({ "Version": 130, "NodeKey": node_key(1), "OmitPeers": true });
    assert_eq!(lab.inside(1, 130, post("/machine/map", &report)).await.0, StatusCode::OK);
    assert_eq!(lab.inside(2, 130, post("/machine/map", &report)).await.0, StatusCode::FORBIDDEN);
    let stranger = json!({ "Version": 130, "NodeKey": node_key(9), "Stream": true });
    assert_eq!(lab.inside(1, 130, post("/machine/map", &stranger)).await.0, StatusCode::NOT_FOUND);
}

const CHECKED: &str = r#"{"tagOwners": {"tag:web": []}, "acls": [{"action": "accept", "src": ["*"], "dst": ["*:22"]}],
    "ssh": [{"action": "check", "src": ["autogroup:member"], "dst": ["tag:web"], "users": ["root"]}]}"#;

#[tokio::test]
async fn who_wants_a_shell_in_check_mode_waits_for_an_administrator() {
    let lab = Lab::new().await;
    let policy = NewPolicy { text: CHECKED.to_owned(), ..NewPolicy::default() };
    lab.site.tailnet.ask(Command::SetPolicy(Box::new(policy))).await.unwrap();
    lab.register(1, 1, json!({ "Auth": { "AuthKey": lab.auth_key().await } })).await;
    let tagged = NewAuthKey { tags: vec!["tag:web".to_owned()], ..NewAuthKey::default() };
    lab.register(2, 2, json!({ "Auth": { "AuthKey": lab.key_of(tagged).await } })).await;

    let path = "/machine/ssh/action/1/to/2?local_user=root";
    assert_eq!(lab.inside(1, 130, get(path)).await.0, StatusCode::FORBIDDEN, "only the server itself may ask");
    assert_eq!(lab.inside(2, 130, get("/machine/ssh/action/1/to/9?local_user=root")).await.0, StatusCode::NOT_FOUND);
    let (_, text) = lab.inside(2, 130, get(path)).await;
    let held: Value = serde_json::from_str(&text).unwrap();
    let (message, again) = (held["message"].as_str().unwrap(), held["holdAndDelegate"].as_str().unwrap());
    let page = message.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    let page = page.strip_prefix("http://vpn.example.com").unwrap();
    let (status, shown) = lab.outside(get(page)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        shown.contains("alice") && shown.contains("root") && shown.contains("wattle-control ssh approve"),
        "{shown}"
    );

    // The node asks again and is answered when it is decided.
    let again = again.strip_prefix("https://unused").unwrap().replace("$LOCAL_USER", "root");
    let auth_id = page.rsplit('/').next().unwrap().parse().unwrap();
    let approve = async { lab.site.tailnet.ask(Command::ApproveSsh { auth_id }).await.unwrap() };
    let ((_, text), _) = tokio::join!(lab.inside(2, 130, get(&again)), approve);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["accept"], true);
    let (_, text) = lab.inside(2, 130, get(path)).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["accept"], true, "he was let in lately");
    assert_eq!(lab.outside(get("/ssh/abcdefghijklmnopqrstuvwx")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_old_client_is_told_to_update() {
    let lab = Lab::new().await;
    let body = json!({ "Version": 100, "NodeKey": node_key(1) });
    let (_, text) = lab.inside(1, 100, post("/machine/register", &body)).await;
    assert!(text.contains("too old"), "{text}");
}

#[tokio::test]
async fn nonsense_and_excess_are_refused_in_a_sentence() {
    let lab = Lab::new().await;
    for body in ["", "{", "[]", "{\"NodeKey\": 7}", "{}"] {
        let request = Request::post("/machine/register").body(Body::from(body)).unwrap();
        assert_eq!(lab.inside(1, 130, request).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    let large = Request::post("/machine/map").body(Body::from(vec![b' '; crate::limits::BODY_BYTES_MAX + 1])).unwrap();
    assert_eq!(lab.inside(1, 130, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, text) = lab.inside(1, 130, post("/machine/set-dns", &json!({}))).await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["error"], "not-implemented");
}
