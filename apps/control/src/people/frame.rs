//! What every page for people has around it.

use axum::http::header;
use axum::response::IntoResponse;
use maud::{DOCTYPE, Markup, html};

/// A whole page.
pub(crate) fn page(title: &str, content: &Markup) -> Markup {
    document(title, None, content)
}

/// A page that the browser asks for again, until something has changed.
pub(crate) fn renewing(title: &str, content: &Markup) -> Markup {
    document(title, Some("10"), content)
}

/// A page that leads on at once. A redirect would not do: browsers apply the rule that forms stay here (`form-action`) to
/// where a form's answer redirects to, and a provider is elsewhere.
pub(super) fn leading_to(url: &str, title: &str, content: &Markup) -> Markup {
    document(title, Some(&format!("0; url={url}")), content)
}

fn document(title: &str, refresh: Option<&str>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                @if let Some(refresh) = refresh {
                    meta http-equiv="refresh" content=(refresh);
                }
                title { (title) " · Wattle" }
                link rel="stylesheet" href="/people.css";
            }
            body { main { h1 { (title) } (content) } }
        }
    }
}

/// What went wrong. Screen readers read it at once.
pub(super) fn problem(sentence: &str) -> Markup {
    html! { p.notice.bad role="alert" { (sentence) } }
}

pub(crate) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("assets/people.css"))
}
