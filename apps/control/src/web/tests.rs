//! The console's pages, as a browser without scripts meets them.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;

use super::*;
use crate::policy_desk::tests::{Lab, POLICY};

struct Browser {
    lab: Lab,
    router: Router,
    console: Console,
    cookie: String,
}

struct Page {
    status: StatusCode,
    headers: header::HeaderMap,
    text: String,
}

const HOST: &str = "127.0.0.1:8081";
const ORIGIN: &str = "http://127.0.0.1:8081";

impl Browser {
    /// Who has opened the link.
    async fn new() -> Self {
        let lab = Lab::new().await;
        lab.set(POLICY).await.unwrap();
        let console = Console::new(Some(HOST.parse().unwrap())).unwrap();
        let router = router(lab.desk.clone(), Gate::Loopback(console.clone()));
        let mut browser = Self { lab, router, console, cookie: String::new() };
        let link = browser.console.invite().unwrap();
        let entered = browser.get(link.strip_prefix(ORIGIN).unwrap()).await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER);
        let cookie = entered.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/admin"));
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    async fn send(&self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        Page { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Page {
        let request = Request::get(path).header("host", HOST).header("cookie", &self.cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = Request::post(path)
            .header("host", HOST)
            .header("origin", ORIGIN)
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(encoded(fields))).unwrap()).await
    }

    /// The hidden fields of the page's form with other fields.
    async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let shown = self.get(page).await;
        let (token, base) = (hidden(&shown.text, "token"), hidden(&shown.text, "base"));
        let mut all = vec![("token", token.as_str()), ("base", base.as_str())];
        all.extend(fields);
        self.post(action, &all).await
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect()
    };
    let pairs: Vec<String> = fields.iter().map(|(name, text)| format!("{}={}", escape(name), escape(text))).collect();
    pairs.join("&")
}

fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a hidden field");
    rest.split('"').next().unwrap().to_owned()
}

const PAGES: [&str; 6] = [
    "/admin/policy",
    "/admin/policy/history",
    "/admin/policy/history/1",
    "/admin/policy/matrix",
    "/admin/policy/matrix?who=bob&whom=db",
    "/admin/policy/explain?from=laptop&to=db%3A22",
];

#[tokio::test]
async fn every_page_is_our_own_and_loads_nothing_from_elsewhere() {
    let browser = Browser::new().await;
    for path in PAGES {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
        assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{path}");
        for attribute in [" style=", " onclick=", " onload=", "<style", "javascript:"] {
            assert!(!page.text.contains(attribute), "{path} has {attribute}");
        }
        for (_, rest) in page
            .text
            .match_indices("src=\"")
            .chain(page.text.match_indices("href=\""))
            .map(|(at, m)| (at, &page.text[at + m.len()..]))
        {
            assert!(rest.starts_with("/admin") || rest.starts_with('#'), "{path}: {}", &rest[..30.min(rest.len())]);
        }
        is_accessible(path, &page.text);
    }
    for asset in ["/admin/console.css", "/admin/console.js"] {
        let page = browser.get(asset).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.text.contains("//cdn") && !page.text.contains("http"), "{asset}");
        assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}

/// A language, one heading of the first rank, a label for every field that is seen, ids that are one of a kind.
fn is_accessible(path: &str, page: &str) {
    assert!(page.contains("<html lang=\"en\">") && page.matches("<h1>").count() == 1, "{path}");
    assert!(page.contains("name=\"viewport\"") && page.contains("<main"), "{path}");
    let tags = page.split('<').filter(|tag| tag.starts_with("input") || tag.starts_with("textarea"));
    for tag in tags.filter(|tag| !tag.contains("type=\"hidden\"")) {
        let id = tag.split_once("id=\"").expect("an id").1.split('"').next().unwrap();
        assert!(page.contains(&format!("<label for=\"{id}\"")), "{path}: {id} has no label");
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{path}: {id}");
    }
}

#[tokio::test]
async fn a_policy_is_previewed_and_saved_without_a_script() {
    let browser = Browser::new().await;
    let page = browser.get("/admin/policy").await;
    assert!(page.text.contains("&quot;tag:db:22,5432&quot;"), "the text stands in the form");
    let text = POLICY.replace("\"tag:db:22,5432\"", "\"tag:db:22\"").replace('\n', "\r\n");
    let preview = browser.submit("/admin/policy", "/admin/policy", &[("text", &text), ("act", "preview")]).await;
    assert_eq!(preview.status, StatusCode::OK);
    assert!(preview.text.contains("alice loses tag:db on port 5432"), "{}", preview.text);
    assert_eq!(browser.lab.desk.head().await.unwrap().revision, 1);
    let fields = [("text", text.as_str()), ("note", "less"), ("act", "save")];
    let saved = browser.submit("/admin/policy", "/admin/policy", &fields).await;
    assert_eq!(saved.headers[header::LOCATION], "/admin/policy?saved=2");
    let head = browser.lab.desk.head().await.unwrap();
    assert_eq!((head.text.contains('\r'), head.note.as_str(), head.author.as_str()), (false, "less", "console"));
    assert!(browser.get("/admin/policy?saved=2").await.text.contains("revision 2 is in force"));
}

#[tokio::test]
async fn what_is_wrong_is_shown_and_nothing_is_lost() {
    let browser = Browser::new().await;
    let text = "{\n  \"acls\": [],\n  \"gruops\": {},\n  // <script>\n}";
    let page = browser.submit("/admin/policy", "/admin/policy", &[("text", text), ("act", "save")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.text.contains("data-line=\"3\"") && page.text.contains("gruops"), "{}", page.text);
    assert!(page.text.contains("// &lt;script&gt;") && !page.text.contains("// <script>"));
    let large = "x".repeat(5 << 20);
    let page = browser.submit("/admin/policy", "/admin/policy", &[("text", &large), ("act", "save")]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let failing = POLICY.replace(r#"["tag:db:5432"]}"#, r#"["tag:db:5433"]}"#);
    let page = browser.submit("/admin/policy", "/admin/policy", &[("text", &failing), ("act", "test")]).await;
    assert!(page.text.contains("data-line=\"9\""), "{}", page.text);
}

#[tokio::test]
async fn a_lockout_is_asked_about() {
    let browser = Browser::new().await;
    let fields = [("text", "{\"acls\": []}"), ("act", "save")];
    let page = browser.submit("/admin/policy", "/admin/policy", &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.text.contains("name=\"confirm_lockout\""));
    let fields = [("text", "{\"acls\": []}"), ("act", "save"), ("confirm_lockout", "yes")];
    let page = browser.submit("/admin/policy", "/admin/policy", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
}

#[tokio::test]
async fn who_saw_an_older_revision_keeps_their_text() {
    let browser = Browser::new().await;
    let shown = browser.get("/admin/policy").await;
    browser.lab.set(&POLICY.replace("who may", "who shall")).await.unwrap();
    let (token, base) = (hidden(&shown.text, "token"), hidden(&shown.text, "base"));
    let text = POLICY.replace("who may", "who must");
    let fields = [("token", token.as_str()), ("base", &base), ("text", &text), ("act", "save")];
    let page = browser.post("/admin/policy", &fields).await;
    assert_eq!(page.status, StatusCode::PRECONDITION_FAILED);
    assert!(page.text.contains("who must") && page.text.contains("/admin/policy/history"));
}

#[tokio::test]
async fn a_revision_is_restored_from_the_history() {
    let browser = Browser::new().await;
    browser.lab.set(&POLICY.replace("\"tag:db:22,5432\"", "\"tag:db:22\"")).await.unwrap();
    let page = browser.get("/admin/policy/history/1").await;
    assert!(page.text.contains("alice gains tag:db on port 5432"), "{}", page.text);
    let here = "/admin/policy/history/1";
    let page = browser.submit(here, here, &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(browser.lab.desk.head().await.unwrap().text, POLICY);
    for nowhere in ["/admin/policy/history/99", "/admin/policy/history/x"] {
        assert!(browser.get(nowhere).await.status.is_client_error());
    }
}

#[tokio::test]
async fn the_script_has_a_text_checked() {
    let browser = Browser::new().await;
    let secret = hidden(&browser.get("/admin/policy").await.text, "token");
    let ask = |secret: &str| {
        Request::post("/admin/policy/check")
            .header("host", HOST)
            .header("origin", ORIGIN)
            .header("cookie", &browser.cookie)
            .header("content-type", "application/json")
            .header("x-wattle-form", secret)
            .body(Body::from("{\"text\": \"{\\n\\\"acl\\\": []}\"}"))
            .unwrap()
    };
    let page = browser.send(ask(&secret)).await;
    assert!(page.text.contains("\"line\":2"), "{}", page.text);
    assert_eq!(browser.send(ask("other")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn other_sites_and_other_names_get_nothing() {
    let browser = Browser::new().await;
    let shown = browser.get("/admin/policy").await;
    let (token, base) = (hidden(&shown.text, "token"), hidden(&shown.text, "base"));
    let fields = [
        ("token", token.as_str()),
        ("base", base.as_str()),
        ("text", "{\"acls\": []}"),
        ("act", "save"),
        ("confirm_lockout", "yes"),
    ];
    let post = |host: &str, origin: Option<&str>, cookie: &str, fields: &[(&str, &str)]| {
        let mut request = Request::post("/admin/policy")
            .header("host", host)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.body(Body::from(encoded(fields))).unwrap()
    };
    let cookie = browser.cookie.as_str();
    for request in [
        post("evil.example:8081", Some(ORIGIN), cookie, &fields),
        post(HOST, Some("http://evil.example"), cookie, &fields),
        post(HOST, Some("null"), cookie, &fields),
        post(HOST, None, cookie, &fields),
        post(HOST, Some(ORIGIN), "", &fields),
        post(HOST, Some(ORIGIN), "wattle_console=0", &fields),
        post(HOST, Some(ORIGIN), cookie, &fields[1..]),
        post(HOST, Some(ORIGIN), cookie, &[("token", "0"), ("text", "{\"acls\": []}"), ("act", "save")]),
    ] {
        assert_eq!(browser.send(request).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.lab.desk.head().await.unwrap().revision, 1);
    for (host, cookie) in [("evil.example:8081", cookie), (HOST, "")] {
        for path in PAGES {
            let request = Request::get(path).header("host", host).header("cookie", cookie).body(Body::empty()).unwrap();
            let page = browser.send(request).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN);
            assert!(!page.text.contains("tag:db"), "{path}");
        }
    }
    let again = browser.get("/admin/enter?token=").await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn on_the_socket_no_link_is_needed_but_forms_are_still_ours() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let console = Console::new(None).unwrap();
    assert!(console.invite().unwrap_err().to_string().contains("--console"));
    let router = router(lab.desk.clone(), Gate::Trusted(console.clone()));
    let browser = Browser { lab, router, console, cookie: String::new() };
    let page = browser.get("/admin/policy").await;
    assert_eq!(page.status, StatusCode::OK);
    let text = POLICY.replace("who may", "who shall");
    let fields = [("text", text.as_str()), ("act", "save")];
    assert_eq!(browser.post("/admin/policy", &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.submit("/admin/policy", "/admin/policy", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_console_is_not_served_to_the_network() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = bind(address.parse().unwrap()).await.unwrap_err().to_string();
        assert!(refused.contains("--console"), "{refused}");
    }
    assert!(bind("127.0.0.1:0".parse().unwrap()).await.is_ok());
}

#[tokio::test]
async fn while_a_file_rules_the_page_reads_and_does_not_save() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let desk = lab.desk_with_file(std::path::Path::new("/etc/policy.hujson"));
    let console = Console::new(None).unwrap();
    let router = router(desk, Gate::Trusted(console.clone()));
    let browser = Browser { lab, router, console, cookie: String::new() };
    let page = browser.get("/admin/policy").await;
    assert!(page.text.contains("/etc/policy.hujson") && !page.text.contains("value=\"save\""));
    let fields = [("text", "{}"), ("act", "save")];
    assert_eq!(browser.submit("/admin/policy", "/admin/policy", &fields).await.status, StatusCode::CONFLICT);
}
