//! Two texts, line by line: what went, what came, what stayed.

use crate::limits::LINE_PAIRS_MAX;

/// A line of either text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Kept(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// All lines in order. What both texts begin and end with is found first, so that the rest is small.
pub(crate) fn lines<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let old_middle = old_rest.get(..old_rest.len() - tail).unwrap_or_default();
    let new_middle = new_rest.get(..new_rest.len() - tail).unwrap_or_default();
    let mut lines: Vec<Line<'a>> = old.iter().take(head).map(|line| Line::Kept(line)).collect();
    middle(old_middle, new_middle, &mut lines);
    lines.extend(old_rest.iter().skip(old_rest.len() - tail).map(|line| Line::Kept(line)));
    lines
}

/// The longest common subsequence, if the table for it is not too large.
fn middle<'a>(old: &[&'a str], new: &[&'a str], lines: &mut Vec<Line<'a>>) {
    let width = new.len() + 1;
    if old.len().saturating_add(1).saturating_mul(width) > LINE_PAIRS_MAX {
        lines.extend(old.iter().map(|line| Line::Gone(line)));
        return lines.extend(new.iter().map(|line| Line::New(line)));
    }
    // lengths[i][j]: lines in common of what follows old line i and new line j.
    let mut lengths = vec![0u32; (old.len() + 1) * width];
    let at = |lengths: &[u32], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or(0);
    for (i, old_line) in old.iter().enumerate().rev() {
        for (j, new_line) in new.iter().enumerate().rev() {
            let length = match old_line == new_line {
                true => at(&lengths, i + 1, j + 1) + 1,
                false => at(&lengths, i + 1, j).max(at(&lengths, i, j + 1)),
            };
            if let Some(cell) = lengths.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(old_line), Some(new_line)) if old_line == new_line => {
                lines.push(Line::Kept(old_line));
                (i, j) = (i + 1, j + 1);
            }
            (Some(old_line), new_line) if new_line.is_none() || at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) => {
                lines.push(Line::Gone(old_line));
                i += 1;
            }
            (_, Some(new_line)) => {
                lines.push(Line::New(new_line));
                j += 1;
            }
            (_, None) => return,
        }
    }
}

/// The changed lines with a few around them; `None` stands for what is left out.
pub(crate) fn changes<'a>(before: &'a str, after: &'a str) -> Vec<Option<Line<'a>>> {
    let all = lines(before, after);
    let mut near = vec![false; all.len()];
    for (index, line) in all.iter().enumerate() {
        if !matches!(line, Line::Kept(_)) {
            let last = (index + CONTEXT).min(all.len() - 1);
            near.iter_mut().take(last + 1).skip(index.saturating_sub(CONTEXT)).for_each(|near| *near = true);
        }
    }
    let mut shown = Vec::new();
    for (line, near) in all.into_iter().zip(near) {
        match near {
            true => shown.push(Some(line)),
            false if matches!(shown.last(), Some(None)) => {}
            false => shown.push(None),
        }
    }
    if shown.iter().all(Option::is_none) { Vec::new() } else { shown }
}

/// The same as text: `-` and `+` before changed lines, `...` for what is left out.
pub(crate) fn text(before: &str, after: &str) -> String {
    let mut text = String::new();
    for line in changes(before, after) {
        let (sign, line) = match line {
            Some(Line::Kept(line)) => (" ", line),
            Some(Line::Gone(line)) => ("-", line),
            Some(Line::New(line)) => ("+", line),
            None => ("...", ""),
        };
        text.push_str(sign);
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_stand_between_those_that_stayed() {
        let before = "a\nb\nc\nd\n";
        let after = "a\nx\nc\nd\ne\n";
        let all = lines(before, after);
        assert_eq!(
            all,
            [Line::Kept("a"), Line::Gone("b"), Line::New("x"), Line::Kept("c"), Line::Kept("d"), Line::New("e")]
        );
        assert_eq!(text(before, after), " a\n-b\n+x\n c\n d\n+e\n");
        assert_eq!(text(before, before), "");
    }

    #[test]
    fn both_texts_can_be_had_back_from_the_lines() {
        let texts = ["", "a", "a\nb\na\nb", "b\na\nc\nb\na", "x\ny\nz", "a\na\na"];
        for before in texts {
            for after in texts {
                let all = lines(before, after);
                let back = |skip: fn(&Line<'_>) -> bool| -> Vec<&str> {
                    let words = |line: &Line<'_>| match line {
                        Line::Kept(line) | Line::Gone(line) | Line::New(line) => (*line).to_owned().leak() as &str,
                    };
                    all.iter().filter(|line| !skip(line)).map(words).collect()
                };
                assert_eq!(back(|line| matches!(line, Line::New(_))), before.lines().collect::<Vec<_>>());
                assert_eq!(back(|line| matches!(line, Line::Gone(_))), after.lines().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn texts_too_large_for_the_table_are_still_compared() {
        let (before, after) = ("a\n".repeat(5_000) + "x\n", "b\n".repeat(5_000) + "x\n");
        let all = lines(&before, &after);
        assert_eq!(all.len(), 10_001);
        assert_eq!(all.last(), Some(&Line::Kept("x")));
    }
}
