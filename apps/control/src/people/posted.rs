//! A form that a signed-in person sent from one of our pages, and its fields.

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::sessions::Visit;
use super::tailnet::Person;
use super::{People, cookie, frame};

/// Its fields; which page they come from was checked by the gate.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field's text; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text.as_str())
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Form::<Vec<(String, String)>>::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(rejection) => Err(did_not_work(rejection.status(), "This is no form of ours.")),
        }
    }
}

/// Who asks, if they are signed in.
#[derive(Debug)]
pub(super) enum Visitor {
    Nobody,
    Somebody(Visit, Person),
    /// An administrator keeps them out.
    Suspended(Person),
}

impl Visitor {
    pub(super) async fn of(people: &People, headers: &HeaderMap) -> Self {
        let now = wattle_clock::now();
        let name = cookie::session_name(people.url.is_secure());
        for secret in cookie::all(headers, name) {
            let Some(visit) = people.sessions.visit(secret, now) else { continue };
            return match people.person(visit.user).await {
                Some(person) if person.is_suspended => Self::Suspended(person),
                Some(person) => Self::Somebody(visit, person),
                None => {
                    people.sessions.end(secret);
                    Self::Nobody
                }
            };
        }
        Self::Nobody
    }
}

impl FromRequestParts<Arc<People>> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, people: &Arc<People>) -> Result<Self, Self::Rejection> {
        Ok(Self::of(people, &parts.headers).await)
    }
}

/// A form of a signed-in person, with the secret of their session in it.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) fields: Fields,
    pub(super) visit: Visit,
}

impl FromRequest<Arc<People>> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, people: &Arc<People>) -> Result<Self, Response> {
        let visitor = Visitor::of(people, request.headers()).await;
        let fields = Fields::from_request(request, people).await?;
        match visitor {
            Visitor::Somebody(visit, _) if visit.form.is(fields.text("form")) => Ok(Self { fields, visit }),
            Visitor::Suspended(person) => Err(suspended(&person)),
            Visitor::Somebody(..) => Err(did_not_work(
                StatusCode::FORBIDDEN,
                "This form is not of this session. Go back, reload the page and try again.",
            )),
            Visitor::Nobody => Err(did_not_work(
                StatusCode::FORBIDDEN,
                "You are not signed in any more. Go back, reload the page and sign in again.",
            )),
        }
    }
}

/// A page for somebody who is signed in and kept out.
pub(super) fn suspended(person: &Person) -> Response {
    let content = html! {
        (frame::problem(&format!("{} is suspended in this network.", person.login_name)))
        p { "Your devices cannot reach it until an administrator restores you. Ask them." }
    };
    (StatusCode::FORBIDDEN, frame::page("You are suspended", &content)).into_response()
}

pub(super) fn did_not_work(status: StatusCode, sentence: &str) -> Response {
    let content = html! { (frame::problem(sentence)) p { a href="/login" { "Sign in" } } };
    (status, frame::page("That did not work", &content)).into_response()
}
