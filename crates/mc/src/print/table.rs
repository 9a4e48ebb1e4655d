//! Lists as tables: fixed columns, as wide as the terminal, never wrapped.
//!
//! Ids are never cut. What has to give way is cut with `…`: first long texts, then other texts, then words and amounts. Where
//! no terminal has to be fitted, nothing is.

use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Style;
use super::value::{Kind, bold, coloured, member, shown};

/// A column: its heading, the member it shows, and how.
pub(crate) type Column = (&'static str, &'static str, Kind);

/// Columns between columns.
const GAP: usize = 2;
/// A long text keeps this much, other columns that.
const SHORTEST_LONG: usize = 12;
const SHORTEST: usize = 6;

/// The table of a list; a word if it is empty.
pub(crate) fn table(style: &Style, items: &Value, columns: &[Column]) -> String {
    let items: Vec<&Value> = items.as_array().into_iter().flatten().collect();
    if items.is_empty() {
        return "none\n".to_owned();
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            columns
                .iter()
                .map(|(_, path, kind)| shown(member(item, path), *kind, style))
                .collect()
        })
        .collect();
    let widths = fit(&natural(columns, &rows), columns, style.width);
    let mut out = row(
        columns.iter().map(|(heading, ..)| (*heading, Kind::Text)),
        &widths,
        |cell, _, _| bold(cell, style),
    );
    for cells in &rows {
        let cells = cells
            .iter()
            .zip(columns)
            .map(|(cell, column)| (cell.as_str(), column.2));
        out.push_str(&row(cells, &widths, |cell, whole, kind| match kind {
            Kind::Word if style.colours => coloured(cell, whole),
            _ => cell.to_owned(),
        }));
    }
    out
}

/// How wide each column would like to be.
fn natural(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |(index, (heading, ..)): (usize, &Column)| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(index))
            .map(|cell| cell.width());
        cells.max().unwrap_or(0).max(heading.width())
    };
    columns.iter().enumerate().map(width).collect()
}

/// How wide each column can be.
fn fit(natural: &[usize], columns: &[Column], available: Option<usize>) -> Vec<usize> {
    let mut widths = natural.to_vec();
    let Some(available) = available else {
        return widths;
    };
    let taken =
        |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    let rounds = [
        (&[Kind::Long][..], SHORTEST_LONG),
        (&[Kind::Text, Kind::When, Kind::Seconds], SHORTEST),
        (&[Kind::Word, Kind::Money], SHORTEST),
    ];
    for (give_way, shortest) in rounds {
        // The widest gives way first, a character at a time, so that none is cut more than it must be.
        while taken(&widths) > available {
            let columns = widths.iter_mut().zip(columns);
            let candidates = columns
                .filter(|(width, column)| give_way.contains(&column.2) && **width > shortest);
            match candidates.max_by_key(|(width, _)| **width) {
                Some((width, _)) => *width -= 1,
                None => break,
            }
        }
    }
    widths
}

/// A line of cells; `paint` sees what is left of a cell, the whole of it and its kind.
fn row<'a>(
    cells: impl Iterator<Item = (&'a str, Kind)>,
    widths: &[usize],
    paint: impl Fn(&str, &str, Kind) -> String,
) -> String {
    let mut line = String::new();
    let mut owed = 0;
    for ((cell, kind), width) in cells.zip(widths) {
        let text = cut(cell, *width);
        let space = width.saturating_sub(text.width()) + GAP;
        if !text.is_empty() {
            // Spaces are written when something follows them: no line ends in any.
            line.push_str(&" ".repeat(owed));
            owed = 0;
            line.push_str(&paint(&text, cell, kind));
        }
        owed += space;
    }
    line.push('\n');
    line
}

/// A text in so many columns, with `…` for what does not fit.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut width = 0;
    for it in text.chars() {
        width += it.width().unwrap_or(0);
        if width >= columns {
            break;
        }
        kept.push(it);
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        ("ID", "id", Kind::Id),
        ("STATUS", "status", Kind::Word),
        ("TITLE", "title", Kind::Long),
    ];

    fn style(width: Option<usize>, colours: bool) -> Style {
        Style {
            colours,
            width,
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
            verbose: false,
        }
    }

    #[test]
    fn a_table_is_as_wide_as_the_terminal() {
        let items = json!([
            {"id": "task_12345678", "status": "INBOX", "title": "A title that is much too long"},
            {"id": "task_2", "status": "DONE", "title": "🎧 二つ short"},
            {"id": "task_3", "status": null, "title": null},
        ]);
        let text = table(&style(Some(40), false), &items, COLUMNS);
        assert_eq!(
            text,
            "ID             STATUS  TITLE\ntask_12345678  INBOX   A title that is…\ntask_2         DONE    🎧 二つ short\ntask_3\n"
        );
        assert!(text.lines().all(|line| line.width() <= 40));
    }

    #[test]
    fn an_id_is_never_cut() {
        let items = json!([{"id": "task_0123456789012345678901234567890", "status": "NEEDS_APPROVAL", "title": "x"}]);
        let text = table(&style(Some(20), false), &items, COLUMNS);
        assert!(
            text.contains("task_0123456789012345678901234567890"),
            "{text}"
        );
        assert!(text.contains("NEEDS…"), "{text}");
    }

    #[test]
    fn without_a_terminal_nothing_is_cut_and_nothing_coloured() {
        let items = json!([{"id": "a", "status": "DONE", "title": "x".repeat(300)}]);
        let text = table(&style(None, false), &items, COLUMNS);
        assert!(text.contains(&"x".repeat(300)) && !text.contains('\x1b'));
        assert!(table(&style(None, true), &items, COLUMNS).contains("\x1b[32mDONE\x1b[0m"));
    }
}
