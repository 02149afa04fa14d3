//! The short code by which a person sees that the page speaks of their terminal.

/// Eight characters of a registration's name: `ABCD-EFGH`. The name is random, and whoever has the page's address has it
/// whole, so the code gives nothing away.
pub fn short_code(auth_id: &str) -> String {
    let mut letters = auth_id.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
    let mut half = || letters.by_ref().take(4).collect::<String>();
    let (first, second) = (half(), half());
    format!("{first}-{second}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_beginning_of_the_name() {
        assert_eq!(short_code("abCd1234zzzzzzzz"), "ABCD-1234");
        assert_eq!(short_code(""), "-");
        assert_eq!(short_code("ä-b"), "B-");
    }
}
