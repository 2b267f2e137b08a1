//! File names of parts, made safe to save under.

use super::words::is_invisible;

/// Octets of a name; file systems allow 255, and a program may add to it (` (2)`).
const NAME: usize = 200;

/// Octets of an extension that is kept when a name is cut.
const EXTENSION: usize = 20;

/// Names that are devices on Windows, with any extension.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// One path component that no system reads as more than a name.
///
/// Directories in front are left off (`../../etc/passwd` is `passwd`), as are control characters and those
/// that hide or reorder text, dots and blanks at either end; what Windows forbids becomes `_`.
pub(super) fn safe(name: Option<&str>, media_type: &str) -> String {
    let name = name.unwrap_or_default();
    let last = name.rsplit(['/', '\\']).find(|piece| !is_blank(piece)).unwrap_or_default();
    let mut out = String::with_capacity(last.len().min(NAME));
    for char in last.chars() {
        match char {
            _ if char.is_control() || is_invisible(char) || char == '\u{FFFD}' => {}
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => out.push('_'),
            // Look like separators, and become such in some conversions.
            '\u{2044}' | '\u{2215}' | '\u{FF0F}' | '\u{FF3C}' | '\u{29F8}' | '\u{29F9}' => out.push('_'),
            _ if char.is_whitespace() => out.push(' '),
            _ => out.push(char),
        }
    }
    let out = out.trim_matches(is_edge);
    if out.is_empty() {
        return format!("attachment{}", extension(media_type));
    }
    let out = shorten(out);
    if is_device(&out) { format!("_{out}") } else { out }
}

fn is_blank(piece: &str) -> bool {
    piece.chars().all(|char| is_edge(char) || char.is_control() || is_invisible(char))
}

fn is_edge(char: char) -> bool {
    char == '.' || char.is_whitespace()
}

fn shorten(name: &str) -> String {
    if name.len() <= NAME {
        return name.to_owned();
    }
    let extension = name.rfind('.').map_or("", |at| &name[at..]);
    let extension = if extension.len() <= EXTENSION { extension } else { "" };
    let stem = &name[..name.floor_char_boundary(NAME - extension.len())];
    format!("{}{extension}", stem.trim_end_matches(is_edge))
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered = || {
        let digit = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"))?;
        let mut chars = digit.chars();
        let (digit, rest) = (chars.next()?, chars.next());
        Some((digit.is_ascii_digit() || matches!(digit, '¹' | '²' | '³')) && rest.is_none())
    };
    DEVICES.contains(&stem.as_str()) || numbered().unwrap_or(false)
}

/// For parts that came without a name.
fn extension(media_type: &str) -> &'static str {
    match media_type {
        "text/plain" => ".txt",
        "text/html" => ".html",
        "text/calendar" => ".ics",
        "text/csv" => ".csv",
        "text/vcard" | "text/x-vcard" => ".vcf",
        "message/rfc822" | "message/global" => ".eml",
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "application/pdf" => ".pdf",
        "application/zip" => ".zip",
        "application/json" => ".json",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_54_names_are_never_paths() {
        for (name, saved) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\windows\\win.ini", "win.ini"),
            ("C:\\new\\file.txt", "file.txt"),
            ("C:evil", "C_evil"),
            ("/", "attachment"),
            ("..", "attachment"),
            (".../...", "attachment"),
            ("dir/", "dir"),
            (".bashrc", "bashrc"),
            ("name. . ", "name"),
            ("a\0b\nc", "abc"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1", "_com1"),
            ("LPT².tar.gz", "_LPT².tar.gz"),
            ("COM10.txt", "COM10.txt"),
            ("console.log", "console.log"),
            ("invoice\u{202E}fdp.exe", "invoicefdp.exe"),
            ("a<b>c|d?.txt", "a_b_c_d_.txt"),
            ("a\u{FF0F}b", "a_b"),
            ("résumé.doc", "résumé.doc"),
            ("\u{200B}\u{202E}", "attachment"),
            ("", "attachment"),
        ] {
            assert_eq!(safe(Some(name), "application/octet-stream"), saved, "{name:?}");
        }
        assert_eq!(safe(None, "message/rfc822"), "attachment.eml");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = format!("{}.pdf", "é".repeat(1_000));
        let saved = safe(Some(&name), "application/pdf");
        assert!(saved.len() <= NAME && saved.ends_with("é.pdf"), "{saved}");
        assert!(safe(Some(&"x.".repeat(1_000)), "").len() <= NAME);
        assert!(safe(Some(&format!("a.{}", "b".repeat(1_000))), "").len() <= NAME);
    }
}
