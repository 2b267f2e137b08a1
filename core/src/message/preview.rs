//! The line of text that a list shows under the subject.

use std::borrow::Cow;

use super::html::html_to_text;
use super::transfer::TransferEncoding;
use super::words::{Line, decode_charset};
use crate::limits::Limits;

/// Octets of a part looked at: first a little, and more where that gives too little text (the styles of
/// an HTML mail, or a long quotation before the answer).
const STEPS: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];

/// The preview of a part from its beginning, still encoded.
pub(super) fn preview_encoded(
    data: &[u8],
    html: bool,
    charset: Option<&str>,
    encoding: TransferEncoding,
    limits: &Limits,
) -> String {
    let mut preview = String::new();
    for step in STEPS {
        let decoded = encoding.decode(&data[..data.len().min(step)]);
        let text = decode_charset(&decoded, charset);
        let text = if html { Cow::Owned(html_to_text(&text, 64 * limits.preview)) } else { text };
        let full;
        (preview, full) = preview_text(&text, limits.preview);
        if full || data.len() <= step {
            break;
        }
    }
    preview
}

/// The preview of a text, and whether it is as long as it may be without anything quoted.
fn preview_text(text: &str, chars: usize) -> (String, bool) {
    let (own, full) = line_of(own_lines(text, chars), chars);
    if !own.is_empty() {
        return (own, full);
    }
    (line_of(text.lines().map(unquoted), chars).0, false)
}

fn line_of<'a>(lines: impl IntoIterator<Item = &'a str>, chars: usize) -> (String, bool) {
    let mut line = Line::new(chars + chars / 4);
    for text in lines {
        for char in text.chars() {
            line.push(char);
            if line.chars() >= chars {
                let mut text = line.finish();
                // A blank and a character may have come together.
                if let Some((end, _)) = text.char_indices().nth(chars) {
                    text.truncate(end);
                }
                return (text, true);
            }
        }
        line.push(' ');
    }
    (line.finish(), false)
}

/// The lines that the sender wrote: no quotations, no lines that introduce them, no signature.
fn own_lines(text: &str, chars: usize) -> Vec<&str> {
    let mut own: Vec<&str> = Vec::new();
    let mut taken = 0;
    let mut quoted = false;
    for line in text.lines() {
        if line.trim_start().starts_with('>') {
            if !quoted {
                drop_attribution(&mut own);
            }
            quoted = true;
            continue;
        }
        let trimmed = line.trim();
        if line == "-- " || line == "--" && taken > 0 || begins_the_rest(trimmed) {
            break;
        }
        if is_ornament(trimmed) {
            continue;
        }
        quoted = false;
        own.push(trimmed);
        taken += trimmed.len();
        // Bytes are no characters, but a few lines more than needed do no harm, and the last ones may
        // turn out to introduce a quotation.
        if taken > 4 * chars + 400 {
            break;
        }
    }
    if own.len() <= 2 {
        // The quotation itself may lie beyond what is here.
        drop_attribution(&mut own);
    }
    own
}

/// Takes `On … wrote:` off the end, which may be broken over two or three lines.
fn drop_attribution(own: &mut Vec<&str>) {
    let Some(last) = own.last() else { return };
    let last = last.trim_end();
    if !last.ends_with(':') || last.len() > 300 {
        return;
    }
    let lower = last.to_lowercase();
    let verbs = [
        "wrote:",
        "writes:",
        "said:",
        "schrieb:",
        "écrit :",
        "a écrit:",
        "escribió:",
        "scritto:",
        "skrev:",
        "schreef:",
        "пишет:",
    ];
    let says = verbs.iter().any(|verb| lower.ends_with(verb));
    let dated = last.len() > 15 && last.contains(|char: char| char.is_ascii_digit());
    if !(says || dated || last.contains('@')) {
        return;
    }
    own.pop();
    let opens = |line: &str| {
        ["On ", "Am ", "Le ", "El ", "Il ", "Op ", "Den ", "In "].iter().any(|word| line.starts_with(word))
    };
    if opens(last) {
        return;
    }
    for back in 1..=2 {
        let Some(at) = own.len().checked_sub(back) else { return };
        if opens(own[at]) && own[at].contains(|char: char| char.is_ascii_digit()) {
            own.truncate(at);
            return;
        }
    }
}

/// What Outlook puts before the mail that is answered, and what PGP puts after a text.
fn begins_the_rest(line: &str) -> bool {
    line.starts_with("---")
        && matches!(
            line.trim_matches(['-', ' ']),
            "Original Message" | "Ursprüngliche Nachricht" | "Message d'origine" | "BEGIN PGP SIGNATURE"
        )
}

/// Lines that draw a rule, and PGP's before a text.
fn is_ornament(line: &str) -> bool {
    line.bytes().all(|byte| matches!(byte, b'-' | b'=' | b'_' | b'*'))
        || line == "-----BEGIN PGP SIGNED MESSAGE-----"
        || line.starts_with("Hash: SHA")
}

fn unquoted(line: &str) -> &str {
    line.trim_start_matches(['>', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(text: &str) -> String {
        preview_text(text, 60).0
    }

    #[test]
    fn plain_text() {
        for (text, line) in [
            ("Hello,\n\n  how are   you?\n", "Hello, how are you?"),
            ("> quoted\n> text\n\nanswer", "answer"),
            ("On Mon, 2 Jan 2006, Ann wrote:\n> quoted\nanswer", "answer"),
            ("On Mon, 2 Jan 2006 at 15:04, Ann Ode\n<ann@example.org> wrote:\n> quoted\nanswer", "answer"),
            ("Yes.\n\nOn Mon, 2 Jan 2006, Ann wrote:\n> quoted", "Yes."),
            ("Am 02.01.2006 um 15:04 schrieb Ann:\n> quoted\nantwort", "antwort"),
            ("Three points:\n> quoted\nanswer", "Three points: answer"),
            ("> only\n>> quotes", "only quotes"),
            ("Text\n-- \nAnn Ode\nHill Street", "Text"),
            ("-- \nonly a signature", "-- only a signature"),
            ("See https://example.org/a?b=c&d=%20 now", "See https://example.org/a?b=c&d=%20 now"),
            ("=========\nTitle\n---------\ntext", "Title text"),
            ("a\u{34F}\u{200C}\u{34F} \u{200C}b\0c", "a b c"),
            ("Answer\n-----Original Message-----\nFrom: x", "Answer"),
            ("Answer\n----- Original Message -----\nFrom: x", "Answer"),
            (
                "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\nText\n-----BEGIN PGP SIGNATURE-----\nx",
                "Text",
            ),
            ("", ""),
        ] {
            assert_eq!(preview(text), line, "{text:?}");
        }
        assert_eq!(preview(&"é".repeat(100)).chars().count(), 60);
    }

    #[test]
    fn padding_of_marketing_mail() {
        let html = format!("<div>Sale ends today{}</div><p>Hello Ann</p>", "&#847;&zwnj;&nbsp;".repeat(40));
        let text = preview_encoded(html.as_bytes(), true, None, TransferEncoding::Identity, &Limits::DEFAULT);
        assert_eq!(text, "Sale ends today Hello Ann");
    }

    #[test]
    fn cut_anywhere() {
        let encoded = b"Z3LDvMOfZSBhdXMgS8O2bG4gdW5kIE3DvG5jaGVu"; // grüße aus Köln und München
        for end in 0..encoded.len() {
            let text = preview_encoded(
                &encoded[..end],
                false,
                Some("utf-8"),
                TransferEncoding::Base64,
                &Limits::DEFAULT,
            );
            assert!("grüße aus Köln und München".starts_with(text.trim_end()), "{end}: {text}");
        }
    }

    #[test]
    fn a_long_quotation_before_the_answer() {
        let text = format!("{}\nthe answer", "> quoted line\n".repeat(2_000));
        let found =
            preview_encoded(text.as_bytes(), false, None, TransferEncoding::Identity, &Limits::DEFAULT);
        assert_eq!(found, "the answer");
    }
}
