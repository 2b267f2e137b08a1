//! Printing: JSON lines, tables, dates and sizes, and nothing that a message could do to a terminal.

use std::io::{self, Write};

use mailkeep::imap::date::civil_from_ms;
use serde::Serialize;

/// Writes one JSON object on a line.
pub(crate) fn json_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// On one line, without control characters and those that reorder text.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter_map(|c| if c == '\n' || c == '\t' { Some(' ') } else { shown(c) }).collect()
}

/// Like [`clean`], with lines and tabs kept.
pub(crate) fn clean_lines(text: &str) -> String {
    text.chars().filter_map(|c| if c == '\n' || c == '\t' { Some(c) } else { shown(c) }).collect()
}

/// The character as a terminal may see it.
fn shown(c: char) -> Option<char> {
    match c {
        '\r' => None,
        c if c.is_control() => Some('\u{fffd}'),
        // Invisible, or reordering what stands around them.
        '\u{061c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => None,
        c => Some(c),
    }
}

/// Cut or filled to a width in terminal columns.
pub(crate) fn fit(text: &str, width: usize) -> String {
    console::pad_str(&clean(text), width, console::Alignment::Left, Some("…")).into_owned()
}

/// The width to lay tables out for.
pub(crate) fn terminal_width() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns).max(60))
}

/// A table: the last column is not filled.
pub(crate) fn table(out: &mut impl Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let widest = |column: usize| {
        let cells =
            rows.iter().filter_map(|row| row.get(column)).map(|cell| console::measure_text_width(cell));
        cells.max().unwrap_or(0).max(head[column].len()).min(48)
    };
    let widths: Vec<usize> = (0..head.len()).map(widest).collect();
    let head: Vec<String> = head.iter().map(|&title| title.to_owned()).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| fit(cell, *width)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// `2024-02-29 12:00` in UTC.
pub(crate) fn date(ms: i64) -> String {
    let (year, month, day) = civil_from_ms(ms);
    let minutes = ms.div_euclid(60_000).rem_euclid(1440);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

/// `2024-02-29T12:00:00Z`
pub(crate) fn iso(ms: i64) -> String {
    let (year, month, day) = civil_from_ms(ms);
    let seconds = ms.div_euclid(1000).rem_euclid(86_400);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A size for a person.
pub(crate) fn size(octets: u64) -> String {
    match octets {
        0..1_000 => format!("{octets} B"),
        1_000..1_000_000 => format!("{:.1} kB", octets as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", octets as f64 / 1e6),
        _ => format!("{:.1} GB", octets as f64 / 1e9),
    }
}

/// Octets in lowercase hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_moves_it() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{9b}d\u{202e}e"), "a\u{fffd}[2Jb c\u{fffd}de");
        assert_eq!(clean_lines("a\tb\r\nc\u{7}"), "a\tb\nc\u{fffd}");
    }

    #[test]
    fn widths_are_columns_of_the_terminal() {
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("ab", 4), "ab  ");
    }

    #[test]
    fn dates_and_sizes_are_readable() {
        assert_eq!(iso(1_709_188_201_999), "2024-02-29T06:30:01Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59Z");
        assert_eq!(date(1_709_188_201_999), "2024-02-29 06:30");
        assert_eq!(size(1_250_000), "1.2 MB");
    }
}
