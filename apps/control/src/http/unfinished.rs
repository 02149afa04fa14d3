//! What nodes ask that is not served: the answer says so in a form that programs can read.

use axum::Json;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};

/// Source for the names: tailscale `control/controlclient/direct.go`, `ipn/localapi`, research on the wire surface.
pub(super) async fn not_here(uri: Uri) -> (StatusCode, Json<Value>) {
    let path = uri.path();
    let feature = match path.trim_start_matches("/machine/").split('/').next().unwrap_or_default() {
        "set-dns" => "certificates for node names",
        "id-token" => "identity tokens",
        "feature" => "asking for features",
        "set-device-attr" => "device attributes",
        "audit-log" => "audit logs",
        "webclient" => "the web client",
        "tka" => "tailnet lock",
        _ => "this request",
    };
    let answer = json!({
        "error": "not-implemented",
        "path": path,
        "message": format!("This coordination server does not serve {feature}."),
    });
    (StatusCode::NOT_IMPLEMENTED, Json(answer))
}

/// Health reports of old clients: nobody reads them, and an error would make clients repeat them.
pub(super) async fn accepted() -> Json<Value> {
    Json(json!({}))
}
