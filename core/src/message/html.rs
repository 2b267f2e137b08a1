//! HTML as plain text, for previews, search and reading without a browser.

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memchr2, memmem};

use super::words::decode_charset;

/// Longest character reference looked at: `&CounterClockwiseContourIntegral;`
const REFERENCE: usize = 40;

/// Levels of quoting that are marked.
const QUOTES: usize = 8;

/// The readable text of `html`, at most about `max` octets of it, in time linear in the input.
///
/// Scripts, styles and the like are left out, blocks begin new lines, quoted mail has `> ` before its
/// lines as it has in plain text. The input may be cut anywhere.
pub(super) fn html_to_text(html: &str, max: usize) -> String {
    let mut text = Text { out: String::with_capacity(max.min(html.len() / 2)), ..Text::default() };
    let mut tags = Tags { quotes_balance: true };
    let mut rest = html;
    while text.out.len() < max {
        let Some(at) = memchr2(b'<', b'&', rest.as_bytes()) else {
            text.run(rest);
            break;
        };
        text.run(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('&') { text.reference(rest) } else { tags.next(rest, &mut text) };
    }
    text.out
}

#[derive(Default)]
struct Text {
    out: String,
    blank: bool,
    /// Line ends to put before what comes next.
    breaks: usize,
    quotes: usize,
    preformatted: usize,
}

impl Text {
    fn run(&mut self, run: &str) {
        if self.preformatted > 0 {
            for (at, line) in run.split('\n').enumerate() {
                if at > 0 {
                    self.flush_breaks();
                    self.breaks = 1;
                    self.blank = false;
                }
                let line = line.trim_end_matches('\r');
                if !line.is_empty() {
                    self.word(line);
                }
            }
            return;
        }
        self.blank |= run.starts_with(is_blank);
        for word in run.split(is_blank).filter(|word| !word.is_empty()) {
            self.word(word);
            self.blank = true;
        }
        self.blank = run.ends_with(is_blank) || (self.blank && run.trim_matches(is_blank).is_empty());
    }

    /// Puts `word` after the line ends or the blank due before it.
    fn word(&mut self, word: &str) {
        let fresh = self.out.is_empty() || self.breaks > 0;
        self.flush_breaks();
        if fresh {
            for _ in 0..self.quotes.min(QUOTES) {
                self.out.push_str("> ");
            }
        } else if self.blank {
            self.out.push(' ');
        }
        self.blank = false;
        self.out.push_str(word);
    }

    fn flush_breaks(&mut self) {
        for _ in 0..std::mem::take(&mut self.breaks) {
            self.out.push('\n');
        }
    }

    /// Asks for `lines` line ends before the next word.
    fn line_end(&mut self, lines: usize) {
        if !self.out.is_empty() {
            self.breaks = self.breaks.max(lines);
        }
        self.blank = false;
    }

    /// A character reference at the start of `rest`; gives what follows it.
    fn reference<'a>(&mut self, rest: &'a str) -> &'a str {
        let bytes = &rest.as_bytes()[..rest.len().min(REFERENCE)];
        let end = memchr(b';', bytes)
            .filter(|end| bytes[1..*end].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#'));
        let Some(end) = end else {
            self.word("&");
            return &rest[1..];
        };
        let mut decoded = String::new();
        add_html_token(&mut decoded, &bytes[..=end], false);
        let after = &rest[end + 1..];
        match decoded.chars().next() {
            // Numbers of windows-1252 are used for its characters, and browsers agree.
            Some(control @ '\u{80}'..='\u{9F}') => {
                self.word(&decode_charset(&[control as u8], Some("windows-1252")));
            }
            Some('\u{A0}' | ' ' | '\t' | '\n' | '\r') if decoded.chars().nth(1).is_none() => {
                self.blank = true
            }
            _ => self.word(&decoded),
        }
        after
    }
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n' | '\u{C}' | '\u{A0}')
}

struct Tags {
    /// Cleared once a quote in a tag was not closed: looking for the end of each tag again from there
    /// would take quadratic time.
    quotes_balance: bool,
}

impl Tags {
    /// Takes the tag or comment at the start of `rest`; gives what follows it.
    fn next<'a>(&mut self, rest: &'a str, text: &mut Text) -> &'a str {
        let bytes = rest.as_bytes();
        if rest.starts_with("<!--") {
            return memmem::find(&bytes[2..], b"-->").map_or("", |at| &rest[at + 5..]);
        }
        if !matches!(bytes.get(1), Some(b'!' | b'?' | b'/'))
            && !bytes.get(1).is_some_and(u8::is_ascii_alphabetic)
        {
            text.word("<");
            return &rest[1..];
        }
        let Some(end) = self.tag_end(bytes) else { return "" };
        let (tag, after) = (&rest[1..end], &rest[end + 1..]);
        let (closing, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name_end = tag.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag[..name_end.min(16)].to_ascii_lowercase();
        match name.as_str() {
            "script" | "style" | "title" | "template" | "textarea" | "svg" | "select" if !closing => {
                if tag.ends_with('/') { after } else { skip_element(after, &name) }
            }
            _ => {
                tag_effect(&name, closing, &tag[name_end..], text);
                after
            }
        }
    }

    fn tag_end(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.quotes_balance {
            let mut quote = None;
            for (at, byte) in bytes.iter().enumerate() {
                match (quote, byte) {
                    (None, b'>') => return Some(at),
                    (None, b'"' | b'\'') if at > 0 && matches!(bytes[at - 1], b'=' | b' ') => {
                        quote = Some(*byte)
                    }
                    (Some(open), _) if *byte == open => quote = None,
                    _ => {}
                }
            }
            self.quotes_balance = false;
        }
        memchr(b'>', bytes)
    }
}

fn tag_effect(name: &str, closing: bool, attributes: &str, text: &mut Text) {
    match name {
        "br" => {
            text.flush_breaks();
            text.line_end(1);
        }
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "ul" | "ol" | "hr" => text.line_end(2),
        "div" | "tr" | "li" | "dt" | "dd" | "section" | "article" | "header" | "footer" | "center"
        | "body" | "html" | "head" | "form" | "address" | "option" => text.line_end(1),
        "td" | "th" => text.blank = true,
        "pre" | "listing" => {
            text.line_end(1);
            let open = text.preformatted;
            text.preformatted = if closing { open.saturating_sub(1) } else { open + 1 };
        }
        "blockquote" => {
            text.line_end(2);
            if closing {
                text.quotes = text.quotes.saturating_sub(1);
            } else if text.quotes > 0 || is_quote(attributes) {
                text.quotes += 1;
            }
        }
        _ => {}
    }
}

/// Indented text is a blockquote too; quoted mail says so.
fn is_quote(attributes: &str) -> bool {
    let start = attributes.as_bytes();
    let start = start[..start.len().min(500)].to_ascii_lowercase();
    memmem::find(&start, b"cite").is_some() || memmem::find(&start, b"quote").is_some()
}

/// What follows the element `name`, whose start tag came before `rest`.
fn skip_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(found) = memmem::find(&bytes[at..], b"</") {
        at += found + 2;
        if bytes.get(at..at + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            return memchr(b'>', &bytes[at..]).map_or("", |end| &rest[at + end + 1..]);
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text() {
        for (html, text) in [
            ("<p>Hello <b>wor</b>ld</p><p>Bye</p>", "Hello world\n\nBye"),
            ("one<br>two<br/><br>three", "one\ntwo\n\nthree"),
            ("<style type=\"text/css\">p > a { x: y }</style>text", "text"),
            ("<SCRIPT>if (a < b) alert('</p>')</SCRIPT>text", "text"),
            ("<head><title>no</title></head><body>yes", "yes"),
            ("a<!-- <p>hidden --> b<!--[if mso]>x<![endif]-->c", "a bc"),
            ("<a title=\"a > b\" href='x'>link</a>", "link"),
            ("1 < 2 & 3 &lt; 4 &copy; &#8364;&#x20AC; &#146;", "1 < 2 & 3 < 4 © €€ ’"),
            ("a&nbsp;&nbsp;b &amp c", "a b &amp c"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("<blockquote type=\"cite\">quoted<br>twice</blockquote>answer", "> quoted\n> twice\n\nanswer"),
            ("<blockquote>indented</blockquote>", "indented"),
            ("<pre>a  b\n  c\n\nd</pre>e", "a  b\n  c\n\nd\ne"),
            ("  spaces \n and\tlines  ", "spaces and lines"),
            ("<p>cut in a <b", "cut in a"),
            ("cut in <!-- comment", "cut in"),
            ("<ul><li>one<li>two</ul>", "one\ntwo"),
            ("<>", "<>"),
            ("", ""),
        ] {
            assert_eq!(html_to_text(html, 1_000), text, "{html}");
        }
    }

    #[test]
    fn hostile_html_costs_linear_time() {
        for seed in [
            "<a \"",
            "<a =\"x",
            "<",
            "<!--",
            "</",
            "&",
            "<blockquote cite>",
            "<pre>\n",
            "<script>",
            "&#",
            "<p>",
        ] {
            let html = seed.repeat((4 << 20) / seed.len());
            assert!(html_to_text(&html, 1 << 20).len() <= (1 << 20) + 100, "{seed}");
        }
    }
}
