//! What every page has around it. Another page is another row in [`PAGES`].

use maud::{DOCTYPE, Markup, html};

/// The pages that the navigation shows: name and address.
const PAGES: [(&str, &str); 4] = [
    ("Policy", "/admin/policy"),
    ("Who reaches whom", "/admin/policy/matrix"),
    ("Explain", "/admin/policy/explain"),
    ("History", "/admin/policy/history"),
];

/// A page of the console. `here` is its address, or that of the page it belongs to.
pub(super) fn page(title: &str, here: &str, content: &Markup) -> Markup {
    document(
        title,
        &html! {
            a.skip href="#content" { "Skip to the content" }
            header {
                span.brand { "Wattle" }
                nav aria-label="Console" {
                    ul {
                        @for (name, address) in PAGES {
                            li { a href=(address) aria-current=[(address == here).then_some("page")] { (name) } }
                        }
                    }
                }
            }
            main #content tabindex="-1" { h1 { (title) } (content) }
        },
    )
}

/// A page for somebody who is not in.
pub(super) fn bare(title: &str, content: &Markup) -> Markup {
    document(title, &html! { main { h1 { (title) } (content) } })
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Wattle" }
                link rel="stylesheet" href="/admin/console.css";
                script src="/admin/console.js" defer {}
            }
            body { (body) }
        }
    }
}
