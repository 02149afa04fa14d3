//! A link as a picture that a phone's camera reads.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The picture, for a dark terminal or a light one: light on dark with a quiet zone. `None`: too long for a code.
pub(super) fn picture(link: &str) -> Option<String> {
    let code = QrCode::new(link).ok()?;
    // Terminals are mostly dark: what the code calls light is drawn, what it calls dark is left.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_a_square_of_blocks() {
        let picture = picture("https://mesh.example.com/register/0123456789abcdef").unwrap();
        let lines: Vec<&str> = picture.lines().collect();
        assert!(lines.len() > 10);
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()));
        assert!(picture.chars().all(|letter| " ▀▄█\n".contains(letter)));
        assert!(super::picture(&"x".repeat(5000)).is_none());
    }
}
