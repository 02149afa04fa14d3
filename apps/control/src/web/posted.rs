//! A form that came from one of our own pages.

use axum::Form;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::frame;
use super::gate::{Visit, same};

/// Its fields. The secret that proves where it came from was checked.
#[derive(Debug)]
pub(super) struct Posted {
    fields: Vec<(String, String)>,
    pub(super) visit: Visit,
}

impl Posted {
    /// A field's text; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text.as_str())
    }

    /// A field with lines, as files have them: browsers send other line ends.
    pub(super) fn lines(&self, name: &str) -> String {
        self.text(name).replace("\r\n", "\n")
    }

    /// Whether a box is ticked.
    pub(super) fn is_set(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let visit = request.extensions().get::<Visit>().cloned();
        let visit = visit.ok_or_else(|| StatusCode::FORBIDDEN.into_response())?;
        let form = Form::<Vec<(String, String)>>::from_request(request, state).await;
        let Form(fields) = form.map_err(|rejection| {
            let sentence = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "That is too large: a policy has at most one MiB.".to_owned(),
                _ => rejection.body_text(),
            };
            refused(rejection.status(), &sentence)
        })?;
        let posted = Self { fields, visit };
        match same(posted.text("token"), &posted.visit.form) {
            true => Ok(posted),
            false => Err(refused(
                StatusCode::FORBIDDEN,
                "This form is not of this session. Go back, reload the page and try again.",
            )),
        }
    }
}

fn refused(status: StatusCode, sentence: &str) -> Response {
    (
        status,
        frame::bare(
            "That did not work",
            &html! { p { (sentence) } p { a href="/admin/policy" { "Back to the policy" } } },
        ),
    )
        .into_response()
}
