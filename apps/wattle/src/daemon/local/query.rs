//! The query of a URL.

use http::StatusCode;

use super::Refusal;

/// Names and values, decoded.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(text: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        let missing = || Refusal(StatusCode::BAD_REQUEST, format!("the parameter {name} is missing"));
        self.value(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// A number; 0 when it is not there.
    pub(super) fn number(&self, name: &str) -> Result<u64, Refusal> {
        let wrong = || Refusal(StatusCode::BAD_REQUEST, format!("the parameter {name} is no number"));
        self.value(name).map_or(Ok(0), |value| value.parse().map_err(|_| wrong()))
    }
}

/// Undoes percent encoding. What is no encoding stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = pair.filter(|_| *first == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        rest = if byte.is_some() { &after[2..] } else { after };
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_values_are_decoded() {
        let query = Query::of("a=1%3A2&b&c=x+y&d=%zz%4");
        assert_eq!(query.value("a").as_deref(), Some("1:2"));
        assert_eq!(query.value("b").as_deref(), Some(""));
        assert_eq!(query.value("c").as_deref(), Some("x y"));
        assert_eq!(query.value("d").as_deref(), Some("%zz%4"));
        assert_eq!(query.value("e"), None);
        assert!(query.required("b").is_err() && query.number("c").is_err() && query.number("e") == Ok(0));
    }
}
