//! Comments at a new indentation.

use crate::hujson::trivia::Comment;

/// Writes a comment that begins on a line indented by `depth` tabs.
///
/// The further lines of a block keep their indentation relative to one another: with stars, they stand under the first
/// star; else under the text of the first line, or at the margin when the first line has none.
pub(super) fn write_comment(comment: &Comment<'_>, depth: usize, out: &mut String) {
    let mut lines = comment.text.split('\n').map(str::trim_end);
    let first = lines.next().unwrap_or_default();
    out.push_str(first);
    let further: Vec<&str> = lines.collect();
    let is_text = |line: &&&str| !line.is_empty() && line.trim_start_matches(BLANK) != "*/";
    let margin =
        further.iter().filter(is_text).map(|line| blank_prefix(line)).reduce(shared_prefix).unwrap_or_default();
    let bare: Vec<&str> = further
        .iter()
        .map(|line| line.strip_prefix(margin).filter(|_| is_text(&line)).unwrap_or(line.trim_start_matches(BLANK)))
        .collect();
    let pad = if bare.iter().all(|line| line.starts_with('*')) {
        " "
    } else if first == "/*" {
        ""
    } else {
        "   "
    };
    for line in bare {
        out.push('\n');
        if line.is_empty() {
            continue;
        }
        out.extend(std::iter::repeat_n('\t', depth));
        if line != "*/" || pad == " " {
            out.push_str(pad);
        }
        out.push_str(line);
    }
}

const BLANK: [char; 2] = [' ', '\t'];

fn blank_prefix(line: &str) -> &str {
    line.get(..line.len() - line.trim_start_matches(BLANK).len()).unwrap_or_default()
}

fn shared_prefix<'a>(left: &'a str, right: &'a str) -> &'a str {
    let length = left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count();
    left.get(..length).unwrap_or_default()
}
