//! The administrators' router over a real event loop and store, without a socket.

use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::policy_desk::tests::{Lab, POLICY};

struct Door {
    lab: Lab,
    router: Router,
}

impl Door {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let console = Console::new(Some(([127, 0, 0, 1], 8081).into())).unwrap();
        let office = Office { tailnet: lab.tailnet.clone(), policy: lab.desk.clone(), console };
        let router = router(office);
        Self { lab, router }
    }

    async fn send(&self, mut request: Request) -> Response {
        request.extensions_mut().insert(ConnectInfo(Caller { uid: Some(own_uid()) }));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        read(self.send(request.body(Body::from(body.to_string())).unwrap()).await).await
    }
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&body))))
}

const TEXT_ENDPOINTS: [(Method, &str); 6] = [
    (Method::PUT, "/policy"),
    (Method::POST, "/policy/check"),
    (Method::POST, "/policy/format"),
    (Method::POST, "/policy/test"),
    (Method::POST, "/policy/diff"),
    (Method::POST, "/policy/explain"),
];

#[tokio::test]
async fn a_policy_goes_in_and_comes_out_with_its_revision() {
    let door = Door::new().await;
    let (status, set) = door.ask(Method::PUT, "/policy", json!({ "text": POLICY, "note": "first" })).await;
    assert_eq!((status, &set["revision"]), (StatusCode::OK, &json!(1)), "{set}");
    assert_eq!((&set["changed"], &set["locks_out"]), (&json!(true), &json!(false)));
    let request = Request::get("/policy").body(Body::empty()).unwrap();
    let response = door.send(request).await;
    assert_eq!(response.headers()["etag"], "\"1\"");
    let (_, shown) = read(response).await;
    assert_eq!((shown["text"].as_str(), &shown["note"]), (Some(POLICY), &json!("first")));
}

#[tokio::test]
async fn if_match_refuses_who_saw_another_revision() {
    let door = Door::new().await;
    door.lab.set(POLICY).await.unwrap();
    let put = async |tag: &str, text: &str| {
        let request = Request::put("/policy").header("content-type", "application/json").header("if-match", tag);
        read(door.send(request.body(Body::from(json!({ "text": text }).to_string())).unwrap()).await).await
    };
    let other = POLICY.replace("who may", "who shall");
    for tag in ["\"0\"", "\"7\"", "nonsense"] {
        let (status, said) = put(tag, &other).await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{said}");
    }
    assert_eq!(put("\"0\"", &other).await.1["code"], "policy-moved");
    assert_eq!(put("\"1\"", &other).await.1["revision"], 2);
    assert_eq!(put("*", POLICY).await.1["revision"], 3);
}

#[tokio::test]
async fn what_is_wrong_comes_with_line_column_and_hint() {
    let door = Door::new().await;
    let text = "{\n  \"acls\": [{\"action\": \"deny\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]\n}";
    for (method, path) in TEXT_ENDPOINTS.into_iter().filter(|(_, path)| *path != "/policy/format") {
        let mut body = json!({ "text": text });
        if path == "/policy/explain" {
            body["from"] = json!("laptop");
            body["to"] = json!("db");
        }
        let (status, said) = door.ask(method, path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {said}");
        assert_eq!(said["code"], "policy-invalid", "{path}");
        let problem = &said["problems"][0];
        assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(23)), "{path}: {said}");
        assert!(problem["hint"].is_string() && problem["excerpt"].is_string());
    }
    let (status, said) = door.ask(Method::POST, "/policy/format", json!({ "text": "{\n  \"acls\": [,]\n}" })).await;
    assert_eq!((status, &said["problems"][0]["line"]), (StatusCode::BAD_REQUEST, &json!(2)), "{said}");
    assert_eq!(door.lab.desk.head().await.unwrap().revision, 0);
}

#[tokio::test]
async fn excess_and_nonsense_are_refused_in_a_sentence() {
    let door = Door::new().await;
    let large = format!("{{ /*{}*/ }}", "x".repeat(10 << 20));
    let over = format!("{{ /*{}*/ }}", "x".repeat(2 << 20));
    let deep = format!("{{\"acls\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (method, path) in TEXT_ENDPOINTS {
        let body = |text: &str| match path {
            "/policy/explain" => json!({ "text": text, "from": "laptop", "to": "db" }),
            _ => json!({ "text": text }),
        };
        let (status, said) = door.ask(method.clone(), path, body(&large)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {said}");
        for text in [&over, &deep] {
            let (status, said) = door.ask(method.clone(), path, body(text)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {said}");
            assert_eq!(said["problems"].as_array().unwrap().len(), 1, "{path}");
        }
        let mut nested = String::from("[");
        nested.push_str(&"[".repeat(10_000));
        for bytes in [b"{\"text\": \"\xff\"}".to_vec(), nested.into_bytes(), b"{}{".to_vec(), b"{\"txt\": 1}".to_vec()]
        {
            let request =
                Request::builder().method(method.clone()).uri(path).header("content-type", "application/json");
            let (status, said) = read(door.send(request.body(Body::from(bytes)).unwrap()).await).await;
            assert!(status.is_client_error() && said["error"].is_string(), "{path}: {status} {said}");
        }
    }
}

#[tokio::test]
async fn a_lockout_is_a_refusal_of_its_own() {
    let door = Door::new().await;
    door.lab.set(POLICY).await.unwrap();
    let (status, said) = door.ask(Method::PUT, "/policy", json!({ "text": "{\"acls\": []}" })).await;
    assert_eq!((status, &said["code"]), (StatusCode::CONFLICT, &json!("policy-lockout")), "{said}");
    let (status, _) =
        door.ask(Method::PUT, "/policy", json!({ "text": "{\"acls\": []}", "confirm_lockout": true })).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn history_is_listed_read_and_restored() {
    let door = Door::new().await;
    door.lab.set(POLICY).await.unwrap();
    door.lab.set(&POLICY.replace("who may", "who shall")).await.unwrap();
    let (_, listed) = door.ask(Method::GET, "/policy/history", json!({})).await;
    assert_eq!(
        (&listed[0]["number"], &listed[0]["current"], &listed[1]["author"]),
        (&json!(2), &json!(true), &json!("alice"))
    );
    let (_, first) = door.ask(Method::GET, "/policy/history/1", json!({})).await;
    assert_eq!((first["text"].as_str(), &first["current"]), (Some(POLICY), &json!(false)));
    let (_, restored) = door.ask(Method::POST, "/policy/restore", json!({ "revision": 1 })).await;
    assert_eq!(restored["revision"], 3);
    for path in ["/policy/history/9", "/policy/history/-1", "/policy/history/x"] {
        assert_eq!(door.ask(Method::GET, path, json!({})).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(door.ask(Method::POST, "/policy/restore", json!({ "revision": 9 })).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn questions_are_answered_with_lines() {
    let door = Door::new().await;
    door.lab.set(POLICY).await.unwrap();
    let (_, answer) = door.ask(Method::POST, "/policy/explain", json!({ "from": "laptop", "to": "db:22" })).await;
    assert_eq!((&answer["allowed"], &answer["rules"][0]["rule"]["line"]), (&json!(true), &json!(5)), "{answer}");
    let (status, _) = door.ask(Method::POST, "/policy/explain", json!({ "from": "nobody", "to": "db" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, matrix) = door.ask(Method::GET, "/policy/matrix?who=bob", json!({})).await;
    assert_eq!(matrix["cells"].as_array().unwrap().len(), 1, "{matrix}");
    let (_, tests) = door.ask(Method::POST, "/policy/test", json!({})).await;
    assert_eq!((&tests["tests"], &tests["failures"]), (&json!(1), &json!([])));
    let (_, laid_out) = door.ask(Method::POST, "/policy/format", json!({ "text": "{\"acls\":[]}" })).await;
    assert_eq!(laid_out["changed"], true);
    let (_, checked) =
        door.ask(Method::POST, "/policy/check", json!({ "text": "{\"derpMap\": {}, \"acls\": []}" })).await;
    assert_eq!(checked["notes"][0]["line"], 1, "{checked}");
}

#[tokio::test]
async fn roles_and_routes_are_administered() {
    let door = Door::new().await;
    let (_, user) = door.ask(Method::POST, "/users/bob/role", json!({ "role": "network-admin" })).await;
    assert_eq!(user["role"], "network-admin");
    let (status, said) = door.ask(Method::POST, "/users/bob/role", json!({ "role": "king" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
    let path = "/nodes/db/routes";
    let (_, routes) = door.ask(Method::POST, path, json!({ "approve": ["10.1.0.0/16", "0.0.0.0/0"] })).await;
    let routes: Vec<&str> = routes.as_array().unwrap().iter().filter_map(|route| route["route"].as_str()).collect();
    assert!(routes.contains(&"10.1.0.0/16") && routes.contains(&"::/0"), "{routes:?}");
    assert_eq!(door.ask(Method::POST, path, json!({ "withdraw": ["0.0.0.0/0"] })).await.1.as_array().unwrap().len(), 1);
    assert_eq!(door.ask(Method::POST, path, json!({ "withdraw": ["10.2.0.0/16"] })).await.0, StatusCode::NOT_FOUND);
    assert_eq!(door.ask(Method::POST, path, json!({ "approve": ["10.1"] })).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(door.ask(Method::GET, "/ssh/pending", json!({})).await.1, json!([]));
    let id = json!({ "auth_id": "abcdefghijklmnopqrstuvwx" });
    assert_eq!(door.ask(Method::POST, "/ssh/approve", id).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn people_are_suspended_restored_and_deleted_with_what_is_theirs() {
    let door = Door::new().await;
    let (_, bob) = door.ask(Method::POST, "/users/bob/suspend", json!({})).await;
    assert!(bob["suspended"].is_string() && bob["last_sign_in"].is_null() && bob["second_factor"].is_null(), "{bob}");
    let (_, nodes) = door.ask(Method::GET, "/nodes", json!({})).await;
    let suspended: Vec<_> = nodes.as_array().unwrap().iter().filter(|node| node["suspended"] == true).collect();
    assert_eq!(suspended.iter().map(|node| node["name"].as_str()).collect::<Vec<_>>(), [Some("desktop")]);
    let (status, said) = door.ask(Method::POST, "/users/alice/suspend", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "the last owner: {said}");
    let (_, bob) = door.ask(Method::POST, "/users/bob/restore", json!({})).await;
    assert!(bob["suspended"].is_null());
    let (status, said) = door.ask(Method::DELETE, "/users/bob", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{said}");
    let (status, said) = door.ask(Method::DELETE, "/users/bob?with_nodes=true", json!({})).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(door.ask(Method::GET, "/nodes", json!({})).await.1.as_array().unwrap().len(), 3);
    assert_eq!(door.ask(Method::POST, "/users/bob/suspend", json!({})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn devices_are_approved_where_settings_ask_for_it() {
    let door = Door::new().await;
    assert_eq!(door.ask(Method::GET, "/settings", json!({})).await.1["device_approval"], false);
    let (_, set) = door.ask(Method::PATCH, "/settings", json!({ "device_approval": true })).await;
    assert_eq!(set["device_approval"], true);
    door.lab.join(9, "tablet", wattle_netmap::UserId(2)).await;
    let tablet = async || {
        let (_, nodes) = door.ask(Method::GET, "/nodes", json!({})).await;
        nodes.as_array().unwrap().iter().find(|node| node["name"] == "tablet").unwrap()["approved"].clone()
    };
    assert_eq!(tablet().await, false);
    let (_, approved) = door.ask(Method::POST, "/nodes/tablet/approve", json!({})).await;
    assert_eq!(approved["approved"], true);
    assert_eq!(tablet().await, true);
    let (_, key) = door.ask(Method::POST, "/keys", json!({ "user": "bob", "preapproved": true })).await;
    assert_eq!(key["preapproved"], true, "{key}");
    let (status, _) = door.ask(Method::PATCH, "/settings", json!({ "device_aproval": true })).await;
    assert!(status.is_client_error());
}

#[tokio::test]
async fn strangers_are_turned_away() {
    let door = Door::new().await;
    let mut request = Request::get("/policy").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(Caller { uid: Some(own_uid() + 1) }));
    assert_eq!(door.router.clone().oneshot(request).await.unwrap().status(), StatusCode::FORBIDDEN);
    let (_, invited) = door.ask(Method::POST, "/console/token", json!({})).await;
    assert!(invited["url"].as_str().unwrap().starts_with("http://127.0.0.1:8081/admin/enter?token="));
}
