//! `/policy`: who may reach whom.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::documents::{
    CheckDocument, DifferenceDocument, DifferenceRequest, ExplainDocument, ExplainRequest, FormatDocument,
    MatrixDocument, MatrixQuery, PolicyDocument, PolicyRequest, PolicySetDocument, PolicyText, RestoreRequest,
    RevisionDocument, TestDocument, TestRequest,
};
use super::json::{Json, Query};
use super::problem::Problem;
use crate::policy_desk::{self, PolicyDesk};

type Answer<T> = Result<Json<T>, Problem>;

/// The policy in force. Its revision is its `ETag`.
pub(super) async fn show(State(desk): State<PolicyDesk>) -> Result<Response, Problem> {
    let document = desk.head().await?;
    Ok(tagged(document.revision, Json(document)))
}

/// Puts one in force; with `If-Match`, only if that revision still is.
pub(super) async fn set(
    State(desk): State<PolicyDesk>,
    headers: HeaderMap,
    Json(request): Json<PolicyRequest>,
) -> Result<Response, Problem> {
    let if_revision = if_match(&headers)?.or(request.if_revision);
    let text = request.text.clone();
    let done = desk.set(PolicyRequest { if_revision, ..request }).await;
    let done: PolicySetDocument = done.map_err(|error| Problem::of_desk(error, &text))?;
    Ok(tagged(done.revision, Json(done)))
}

pub(super) async fn check(Json(PolicyText { text }): Json<PolicyText>) -> Answer<CheckDocument> {
    Ok(Json(policy_desk::check(&text)?))
}

pub(super) async fn format(Json(PolicyText { text }): Json<PolicyText>) -> Answer<FormatDocument> {
    Ok(Json(policy_desk::format(&text)?))
}

pub(super) async fn test(
    State(desk): State<PolicyDesk>,
    Json(TestRequest { text }): Json<TestRequest>,
) -> Answer<TestDocument> {
    Ok(Json(desk.test(text).await?))
}

pub(super) async fn difference(
    State(desk): State<PolicyDesk>,
    Json(request): Json<DifferenceRequest>,
) -> Answer<DifferenceDocument> {
    Ok(Json(desk.difference(request).await?))
}

pub(super) async fn explain(
    State(desk): State<PolicyDesk>,
    Json(request): Json<ExplainRequest>,
) -> Answer<ExplainDocument> {
    Ok(Json(desk.explain(request).await?))
}

pub(super) async fn matrix(State(desk): State<PolicyDesk>, Query(query): Query<MatrixQuery>) -> Answer<MatrixDocument> {
    Ok(Json(desk.matrix(query).await?))
}

pub(super) async fn history(State(desk): State<PolicyDesk>) -> Answer<Vec<RevisionDocument>> {
    Ok(Json(desk.revisions().await?))
}

pub(super) async fn revision(State(desk): State<PolicyDesk>, Path(number): Path<String>) -> Answer<PolicyDocument> {
    let number = number.parse().map_err(|_| Problem::not_found("revisions of the policy are numbers"))?;
    Ok(Json(desk.revision(number).await?))
}

pub(super) async fn restore(
    State(desk): State<PolicyDesk>,
    headers: HeaderMap,
    Json(request): Json<RestoreRequest>,
) -> Result<Response, Problem> {
    let if_revision = if_match(&headers)?.or(request.if_revision);
    let text = desk.revision(request.revision).await?.text;
    let done = desk.restore(RestoreRequest { if_revision, ..request }).await;
    let done = done.map_err(|error| Problem::of_desk(error, &text))?;
    Ok(tagged(done.revision, Json(done)))
}

fn tagged(revision: u64, body: impl IntoResponse) -> Response {
    ([(header::ETAG, format!("\"{revision}\""))], body).into_response()
}

/// The revision that `If-Match` asks for. `*` asks for any.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.trim_start_matches("W/").trim_matches('"').parse();
    number.map(Some).map_err(|_| {
        Problem::new(StatusCode::PRECONDITION_FAILED, "If-Match must be the revision of a policy, such as \"7\"")
    })
}
