//! Byte offsets as people count: lines and columns.

/// A place in a text. Both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Lines end with `\n`.
    pub line: usize,
    /// Counted in characters, a tab being one.
    pub column: usize,
}

/// The line and column of a byte. Offsets past the end mean the end; a text that is not UTF-8 has positions too.
pub fn position(text: &[u8], offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let mut position = Position { line: 1, column: 1 };
    for byte in before {
        match byte {
            b'\n' => position = Position { line: position.line + 1, column: 1 },
            // The second and later bytes of a character.
            0x80..=0xbf => {}
            _ => position.column += 1,
        }
    }
    position
}
