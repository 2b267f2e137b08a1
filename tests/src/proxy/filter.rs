//! Follows both directions of one connection by line and literal, and rewrites what must not be seen.
//!
//! A refused command becomes `NOOP` under its own tag, and the OK to it becomes BAD: so the refusal stands
//! where the server's own would have stood among pipelined answers.

use super::Hidden;
use crate::imap::literal_size;

#[derive(Debug)]
pub(super) struct Filter {
    hidden: Hidden,
    client: Direction,
    server: Direction,
    /// The tag of the command that the client is in the middle of (a literal is to come).
    current: Option<String>,
    /// The current command is refused: its literals and further lines are swallowed.
    swallowing: bool,
    /// Tags of refused commands, whose OK becomes BAD.
    refused: Vec<String>,
}

/// One direction's framing.
#[derive(Debug, Default)]
struct Direction {
    line: Vec<u8>,
    literal: u64,
    /// The line belongs to the same command or response as the one before.
    continued: bool,
    /// Part of an answer that is dropped whole.
    dropping: bool,
}

impl Filter {
    pub(super) fn new(hidden: Hidden) -> Self {
        let (client, server) = (Direction::default(), Direction::default());
        Self { hidden, client, server, current: None, swallowing: false, refused: Vec::new() }
    }

    /// What the server gets instead of `bytes`.
    pub(super) fn client_said(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        while !bytes.is_empty() {
            if self.client.literal > 0 {
                let literal = self.client.take_literal(&mut bytes);
                if !self.swallowing {
                    out.extend_from_slice(literal);
                }
            } else if self.client.take_line(&mut bytes) {
                let line = std::mem::take(&mut self.client.line);
                self.client_line(&line, &mut out);
            }
        }
        out
    }

    /// What the client gets instead of `bytes`.
    pub(super) fn server_said(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        while !bytes.is_empty() {
            if self.server.literal > 0 {
                let literal = self.server.take_literal(&mut bytes);
                if !self.server.dropping {
                    out.extend_from_slice(literal);
                }
            } else if self.server.take_line(&mut bytes) {
                let line = std::mem::take(&mut self.server.line);
                self.server_line(&line, &mut out);
            }
        }
        out
    }

    fn client_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let text = without_end(line);
        let literal = literal_size(text);
        let first = !std::mem::replace(&mut self.client.continued, literal.is_some());
        self.client.literal = literal.map_or(0, |l| l.bytes);
        if first {
            let (tag, command) = split_word(text);
            self.current = (!command.is_empty()).then(|| String::from_utf8_lossy(tag).into_owned());
            self.swallowing = false;
        }
        let non_sync = literal.is_some_and(|l| l.non_sync) && self.hidden.has("LITERAL+");
        let mut words = outline(text);
        if !first {
            words.insert_str(0, "+ CONTINUED ");
        }
        let refused = first && self.current.is_some() && (non_sync || self.hidden.refuses(&words));
        if refused && literal.is_some_and(|l| !l.non_sync) {
            // The client waits for the word to go on, which will not come: it gets BAD and sends no literal.
            self.client.literal = 0;
            self.client.continued = false;
        }
        if refused {
            let tag = self.current.clone().unwrap_or_default();
            out.extend_from_slice(format!("{tag} NOOP\r\n").as_bytes());
            self.refused.push(tag);
            self.swallowing = true;
        } else if !self.swallowing {
            let late = !first && (non_sync || self.uses_hidden_late(&words));
            // Too late for NOOP: the server finds the rest of the line impossible by itself.
            out.extend_from_slice(if late { b" (X-HIDDEN-BY-PROXY)\r\n" } else { line });
        }
    }

    /// Options that follow a mailbox name which was sent as a literal.
    fn uses_hidden_late(&self, words: &str) -> bool {
        let says = |word: &str| words.split([' ', '(', ')']).any(|w| w == word);
        ["QRESYNC", "CONDSTORE"].iter().any(|name| says(name) && self.hidden.has(name))
            || (says("HIGHESTMODSEQ") && self.hidden.has("CONDSTORE"))
    }

    fn server_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let text = without_end(line);
        let literal = literal_size(text);
        let first = !std::mem::replace(&mut self.server.continued, literal.is_some());
        self.server.literal = literal.map_or(0, |l| l.bytes);
        if first {
            self.server.dropping = false;
            self.note_completion(text);
        }
        if self.server.dropping {
            return;
        }
        match self.rewritten(text, first) {
            Some(new) => {
                out.extend_from_slice(&new);
                out.extend_from_slice(&line[text.len()..]);
            }
            None => self.server.dropping = true,
        }
    }

    /// A command that ends before its synchronizing literal was asked for: the literal will not come.
    fn note_completion(&mut self, text: &[u8]) {
        let tag = split_word(text).0;
        if self.client.continued && self.current.as_ref().is_some_and(|t| t.as_bytes() == tag) {
            self.client.continued = false;
            self.client.literal = 0;
        }
    }

    /// A line of an answer as the client may see it; `None` drops it.
    fn rewritten(&mut self, text: &[u8], first: bool) -> Option<Vec<u8>> {
        if !first {
            return Some(self.without_modseq(text));
        }
        let (tag, rest) = split_word(text);
        if tag == b"+" {
            return Some(text.to_vec());
        }
        let (kind, data) = split_word(rest);
        let kind = String::from_utf8_lossy(kind).to_ascii_uppercase();
        match kind.as_str() {
            "CAPABILITY" | "ENABLED" if tag == b"*" => {
                Some([b"* ", kind.as_bytes(), &self.allowed(data)].concat())
            }
            "STATUS" if tag == b"*" && self.hidden.has("CONDSTORE") => {
                Some(without_item(text, b"HIGHESTMODSEQ "))
            }
            "OK" | "NO" | "BAD" | "PREAUTH" | "BYE" => self.status(tag, &kind, data),
            number if tag == b"*" && number.bytes().all(|b| b.is_ascii_digit()) => {
                Some(self.without_modseq(text))
            }
            _ => Some(text.to_vec()),
        }
    }

    fn status(&mut self, tag: &[u8], kind: &str, data: &[u8]) -> Option<Vec<u8>> {
        let name = String::from_utf8_lossy(tag);
        if let Some(at) = self.refused.iter().position(|t| *t == name) {
            self.refused.swap_remove(at);
            if kind == "OK" {
                return Some(format!("{name} BAD Unknown command or argument").into_bytes());
            }
        }
        let head = [tag, b" ", kind.as_bytes(), b" "].concat();
        let Some((code, after)) = response_code(data) else { return Some([&head, data].concat()) };
        let (word, arguments) = split_word(code);
        let word = String::from_utf8_lossy(word);
        if word.eq_ignore_ascii_case("CAPABILITY") {
            return Some([&head, b"[CAPABILITY".as_slice(), &self.allowed(arguments), b"]", after].concat());
        }
        if !self.hidden.hides_code(&word) {
            return Some([&head, data].concat());
        }
        (tag != b"*").then(|| [&head, after.trim_ascii_start()].concat())
    }

    /// The capabilities that may be seen, each after a space.
    fn allowed(&self, names: &[u8]) -> Vec<u8> {
        let names = String::from_utf8_lossy(names);
        names
            .split_ascii_whitespace()
            .filter(|n| !self.hidden.has(n))
            .flat_map(|n| [" ", n])
            .collect::<String>()
            .into()
    }

    fn without_modseq(&self, text: &[u8]) -> Vec<u8> {
        if !self.hidden.has("CONDSTORE") {
            return text.to_vec();
        }
        without_item(text, b"MODSEQ ")
    }
}

impl Direction {
    fn take_literal<'a>(&mut self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let count = bytes.len().min(usize::try_from(self.literal).unwrap_or(usize::MAX));
        let (literal, rest) = bytes.split_at(count);
        *bytes = rest;
        self.literal -= count as u64;
        literal
    }

    /// Moves bytes to the line; true once it is whole.
    fn take_line(&mut self, bytes: &mut &[u8]) -> bool {
        let end = bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| at + 1);
        self.line.extend_from_slice(&bytes[..end]);
        *bytes = &bytes[end..];
        self.line.ends_with(b"\n")
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The first word and what follows the space after it.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&b| b == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

/// `[CODE …] text` as the code's inside and what follows the bracket.
fn response_code(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = data.strip_prefix(b"[")?;
    let mut quoted = false;
    let end = inside.iter().position(|&b| {
        quoted ^= b == b'"';
        b == b']' && !quoted
    })?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// A line in capitals, with the insides of quoted strings and of section brackets left out.
fn outline(text: &[u8]) -> String {
    let mut out = String::new();
    for_each_plain(text, |_, byte| out.push(byte.to_ascii_uppercase() as char));
    out
}

/// Calls with each byte, and its place, that lies in no quoted string and in no `[…]`; the delimiters count
/// as outside.
fn for_each_plain(text: &[u8], mut call: impl FnMut(usize, u8)) {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    for (at, &byte) in text.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    quoted = false;
                    call(at, byte);
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => {
                quoted = true;
                call(at, byte);
            }
            b'[' => {
                depth += 1;
                call(at, byte);
            }
            b']' => {
                depth = depth.saturating_sub(1);
                call(at, byte);
            }
            _ if depth == 0 => call(at, byte),
            _ => {}
        }
    }
}

/// Takes an item and its one value (`MODSEQ (12)`, `HIGHESTMODSEQ 12`) out of a parenthesized list; `name`
/// ends in a space.
fn without_item(text: &[u8], name: &[u8]) -> Vec<u8> {
    let mut plain = vec![false; text.len()];
    for_each_plain(text, |at, _| plain[at] = true);
    let starts = |at: usize| {
        plain[at]
            && text[at..].get(..name.len()).is_some_and(|w| w.eq_ignore_ascii_case(name))
            && (at == 0 || matches!(text[at - 1], b' ' | b'('))
    };
    let Some(start) = (0..text.len()).find(|&at| starts(at)) else { return text.to_vec() };
    let value = start + name.len();
    let end = match text.get(value) {
        Some(b'(') => text[value..].iter().position(|&b| b == b')').map_or(text.len(), |n| value + n + 1),
        _ => text[value..].iter().position(|&b| b == b' ' || b == b')').map_or(text.len(), |n| value + n),
    };
    let (before, after) = (&text[..start], &text[end..]);
    match (before.strip_suffix(b" "), after.strip_prefix(b" ")) {
        (Some(before), _) if !after.starts_with(b" ") => [before, after].concat(),
        (_, Some(after)) => [before, after].concat(),
        _ => [before, after].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(names: &[&str]) -> Filter {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        Filter::new(Hidden::new(&names).expect("names"))
    }

    /// The same in one piece and byte by byte.
    fn both_ways(names: &[&str], input: &[u8], of_client: bool) -> String {
        let pass = |f: &mut Filter, b: &[u8]| if of_client { f.client_said(b) } else { f.server_said(b) };
        let whole = pass(&mut filter(names), input);
        let mut one = filter(names);
        let bits: Vec<u8> = input.chunks(1).flat_map(|b| pass(&mut one, b)).collect();
        assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&bits));
        String::from_utf8_lossy(&whole).into_owned()
    }

    fn server(names: &[&str], input: &str) -> String {
        both_ways(names, input.as_bytes(), false)
    }

    fn client(names: &[&str], input: &str) -> String {
        both_ways(names, input.as_bytes(), true)
    }

    #[test]
    fn capabilities_go_from_data_and_codes() {
        let names = ["QRESYNC", "CONDSTORE"];
        let table = [
            ("* CAPABILITY IMAP4rev1 QRESYNC IDLE CONDSTORE\r\n", "* CAPABILITY IMAP4rev1 IDLE\r\n"),
            ("* OK [CAPABILITY IMAP4rev1 QRESYNC IDLE] hi\r\n", "* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n"),
            ("a OK [CAPABILITY IDLE QRESYNC] in\r\n", "a OK [CAPABILITY IDLE] in\r\n"),
            ("* ENABLED QRESYNC CONDSTORE UTF8=ACCEPT\r\n", "* ENABLED UTF8=ACCEPT\r\n"),
            ("* OK [HIGHESTMODSEQ 7] Highest\r\n", ""),
            ("* OK [UIDNEXT 7] Next\r\n", "* OK [UIDNEXT 7] Next\r\n"),
            ("a OK [HIGHESTMODSEQ 7] done\r\n", "a OK done\r\n"),
            ("* STATUS x (MESSAGES 1 HIGHESTMODSEQ 9)\r\n", "* STATUS x (MESSAGES 1)\r\n"),
            ("* STATUS x (HIGHESTMODSEQ 9 MESSAGES 1)\r\n", "* STATUS x (MESSAGES 1)\r\n"),
            ("* 1 FETCH (UID 3 MODSEQ (9) FLAGS ())\r\n", "* 1 FETCH (UID 3 FLAGS ())\r\n"),
            ("* 1 FETCH (MODSEQ (9) UID 3)\r\n", "* 1 FETCH (UID 3)\r\n"),
            ("* 1 FETCH (UID 3 MODSEQ (9))\r\n", "* 1 FETCH (UID 3)\r\n"),
            ("* 1 FETCH (ENVELOPE (\"MODSEQ (9)\"))\r\n", "* 1 FETCH (ENVELOPE (\"MODSEQ (9)\"))\r\n"),
        ];
        for (input, output) in table {
            assert_eq!(server(&names, input), output);
        }
    }

    #[test]
    fn literals_are_never_rewritten() {
        let body = "* OK [HIGHESTMODSEQ 1] x\r\n* CAPABILITY QRESYNC CONDSTORE MODSEQ (1)\r\n";
        let input =
            format!("* 1 FETCH (BODY[] {{{}}}\r\n{body} MODSEQ (4) UID 2)\r\na OK ok\r\n", body.len());
        let output = format!("* 1 FETCH (BODY[] {{{}}}\r\n{body} UID 2)\r\na OK ok\r\n", body.len());
        assert_eq!(server(&["CONDSTORE"], &input), output);
        let mail = "a ENABLE QRESYNC\r\n";
        let append = format!("b APPEND x {{{}}}\r\n{mail}\r\n", mail.len());
        assert_eq!(client(&["QRESYNC"], &append), append);
    }

    #[test]
    fn uid_codes_go_with_uidplus() {
        assert_eq!(server(&["UIDPLUS"], "a OK [APPENDUID 1 2] done\r\n"), "a OK done\r\n");
        assert_eq!(server(&["UIDPLUS"], "* OK [COPYUID 1 2 3] moved\r\n"), "");
        assert_eq!(server(&["MOVE"], "a OK [APPENDUID 1 2] done\r\n"), "a OK [APPENDUID 1 2] done\r\n");
    }

    #[test]
    fn a_refused_command_is_answered_in_its_place() {
        let mut f = filter(&["QRESYNC"]);
        let up = f.client_said(b"a ENABLE QRESYNC\r\nb LIST \"\" *\r\n");
        assert_eq!(String::from_utf8_lossy(&up), "a NOOP\r\nb LIST \"\" *\r\n");
        let down = f.server_said(b"a OK NOOP completed\r\nb OK List\r\n");
        assert_eq!(String::from_utf8_lossy(&down), "a BAD Unknown command or argument\r\nb OK List\r\n");
    }

    #[test]
    fn a_hidden_literal_plus_is_swallowed_whole() {
        let up =
            client(&["LITERAL+"], "a APPEND x {6+}\r\nb NOOP\r\nc LOGIN {1+}\r\nu {1}\r\np\r\nd NOOP\r\n");
        assert_eq!(up, "a NOOP\r\nc NOOP\r\nd NOOP\r\n");
    }

    #[test]
    fn a_refused_literal_does_not_eat_the_next_command() {
        let mut f = filter(&["QRESYNC"]);
        f.client_said(b"a APPEND nowhere {10}\r\n");
        f.server_said(b"a NO [TRYCREATE] no such mailbox\r\n");
        assert_eq!(f.client_said(b"b ENABLE QRESYNC\r\n"), b"b NOOP\r\n");
    }

    #[test]
    fn options_behind_a_literal_are_spoilt() {
        let up = client(&["QRESYNC"], "a SELECT {5}\r\nINBOX (QRESYNC (1 2))\r\nb NOOP\r\n");
        assert_eq!(up, "a SELECT {5}\r\nINBOX (X-HIDDEN-BY-PROXY)\r\nb NOOP\r\n");
    }
}
