//! Address fields octet by octet, as ENVELOPE repeats them: nothing decoded, groups kept (RFC 9051 §7.5.2).
//!
//! [`address`](super::address) reads the same for people.

/// Most entries written of one field.
const ENTRIES: usize = 10_000;

/// One entry of a list (RFC 9051 §9: address).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawAddress {
    Mailbox {
        name: Option<Vec<u8>>,
        route: Option<Vec<u8>>,
        local: Vec<u8>,
        /// Empty where there is none, since none at all would begin a group.
        domain: Vec<u8>,
    },
    GroupStart(Vec<u8>),
    GroupEnd,
}

/// The entries of an unfolded field. Nothing is refused: what is no address is passed over.
pub(super) fn parse(text: &[u8]) -> Vec<RawAddress> {
    let mut found = Vec::new();
    let mut scanner = Scanner { rest: text, comment: None };
    let mut in_group = false;
    while found.len() < ENTRIES {
        scanner.comment = None;
        scanner.blanks();
        match scanner.peek() {
            None => break,
            Some(b',') => scanner.bump(),
            Some(b';') => {
                scanner.bump();
                if std::mem::take(&mut in_group) {
                    found.push(RawAddress::GroupEnd);
                }
            }
            Some(_) => match scanner.entry() {
                Entry::Group(name) => {
                    if std::mem::replace(&mut in_group, true) {
                        found.push(RawAddress::GroupEnd);
                    }
                    found.push(RawAddress::GroupStart(name));
                }
                Entry::Mailbox(mailbox) => {
                    found.push(mailbox);
                    scanner.skip_junk();
                }
                Entry::Nothing => {}
            },
        }
    }
    if in_group {
        found.push(RawAddress::GroupEnd);
    }
    found
}

enum Entry {
    Group(Vec<u8>),
    Mailbox(RawAddress),
    Nothing,
}

struct Scanner<'a> {
    rest: &'a [u8],
    /// The last comment passed over: where there is no name, it is one.
    comment: Option<Vec<u8>>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn bump(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Passes over blanks and comments.
    fn blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.peek() != Some(b'(') {
                return;
            }
            self.bump();
            let (mut depth, mut comment) = (1usize, Vec::new());
            while let Some(b) = self.peek() {
                self.bump();
                match b {
                    b'\\' => {
                        comment.extend(self.peek());
                        self.bump();
                        continue;
                    }
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                comment.push(b);
            }
            self.comment = Some(comment.trim_ascii().to_vec());
        }
    }

    /// What follows a mailbox and is no comma belongs to nothing.
    fn skip_junk(&mut self) {
        let end = self.rest.iter().position(|b| matches!(b, b',' | b';')).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    /// What stands up to the next comma: a mailbox, or the name of a group.
    fn entry(&mut self) -> Entry {
        let before = self.rest.len();
        let words = self.words();
        match self.peek() {
            Some(b'<') => {
                let (route, local, domain) = self.angle();
                let comment = self.comment.take();
                let name = words.or(comment).filter(|name| !name.is_empty());
                if local.is_empty() && domain.is_empty() && name.is_none() {
                    return Entry::Nothing;
                }
                Entry::Mailbox(RawAddress::Mailbox { name, route, local, domain })
            }
            Some(b':') => {
                self.bump();
                Entry::Group(words.unwrap_or_default())
            }
            Some(b'@') => {
                let domain = self.domain();
                let name = self.comment.take().filter(|name| !name.is_empty());
                let local = words.unwrap_or_default();
                Entry::Mailbox(RawAddress::Mailbox { name, route: None, local, domain })
            }
            _ => {
                if self.rest.len() == before {
                    // An octet that can begin nothing.
                    self.bump();
                }
                match words {
                    Some(local) => {
                        let name = self.comment.take().filter(|name| !name.is_empty());
                        let domain = Vec::new();
                        Entry::Mailbox(RawAddress::Mailbox { name, route: None, local, domain })
                    }
                    None => Entry::Nothing,
                }
            }
        }
    }

    /// Atoms, quoted strings and dots; words that stood apart are joined by one blank.
    fn words(&mut self) -> Option<Vec<u8>> {
        let mut words: Option<Vec<u8>> = None;
        let mut apart = false;
        loop {
            let before = self.rest.len();
            self.blanks();
            apart |= self.rest.len() != before;
            let piece = match self.peek() {
                None | Some(b'<' | b'@' | b':' | b',' | b';' | b'>' | b')') => return words,
                Some(b'"') => self.quoted(),
                Some(_) => self.atom(),
            };
            match &mut words {
                Some(words) => {
                    if apart {
                        words.push(b' ');
                    }
                    words.extend_from_slice(&piece);
                }
                None => words = Some(piece),
            }
            apart = false;
        }
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.bump();
        while let Some(b) = self.peek() {
            self.bump();
            match b {
                b'"' => break,
                b'\\' => {
                    out.extend(self.peek());
                    self.bump();
                }
                b => out.push(b),
            }
        }
        out
    }

    fn atom(&mut self) -> Vec<u8> {
        let ends = |b: &u8| b.is_ascii_whitespace() || b"()<>@,;:\"".contains(b);
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (atom, rest) = self.rest.split_at(end);
        self.rest = rest;
        atom.to_vec()
    }

    /// `<route:local@domain>`
    fn angle(&mut self) -> (Option<Vec<u8>>, Vec<u8>, Vec<u8>) {
        self.bump();
        self.blanks();
        let mut route = None;
        if self.peek() == Some(b'@') {
            let end = self.rest.iter().position(|b| matches!(b, b':' | b'>')).unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            route = Some(text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect());
            self.rest = rest;
            if self.peek() == Some(b':') {
                self.bump();
            }
        }
        let local = self.words().unwrap_or_default();
        let domain = if self.peek() == Some(b'@') { self.domain() } else { Vec::new() };
        // Whatever else is in the brackets is no part of an address.
        let end = self.rest.iter().position(|b| *b == b'>').map_or(self.rest.len(), |at| at + 1);
        self.rest = &self.rest[end..];
        self.blanks();
        (route, local, domain)
    }

    fn domain(&mut self) -> Vec<u8> {
        self.bump();
        self.blanks();
        if self.peek() == Some(b'[') {
            let end = self.rest.iter().position(|b| *b == b']').map_or(self.rest.len(), |at| at + 1);
            let (literal, rest) = self.rest.split_at(end);
            self.rest = rest;
            self.blanks();
            return literal.to_vec();
        }
        let mut domain = Vec::new();
        // Blanks may stand around the dots.
        loop {
            self.blanks();
            match self.peek() {
                Some(b'.') => {
                    domain.push(b'.');
                    self.bump();
                }
                Some(b) if domain.last().is_none_or(|last| *last == b'.') && !b"()<>@,;:\"".contains(&b) => {
                    domain.extend(self.atom());
                }
                _ => return domain,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let entries: Vec<String> = parse(text.as_bytes())
            .iter()
            .map(|entry| match entry {
                RawAddress::GroupStart(name) => format!("{}:", lossy(name)),
                RawAddress::GroupEnd => ";".to_owned(),
                RawAddress::Mailbox { name, route, local, domain } => format!(
                    "{}<{}{}|{}>",
                    name.as_deref().map(lossy).unwrap_or_default(),
                    route.as_deref().map(|route| lossy(route) + ":").unwrap_or_default(),
                    lossy(local),
                    lossy(domain)
                ),
            })
            .collect();
        entries.join(" ")
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("ann@example.org", "<ann|example.org>"),
            ("Ann Ode <ann@example.org>", "Ann Ode<ann|example.org>"),
            ("\"Ode, Ann\"  <ann@example.org>, bob@b", "Ode, Ann<ann|example.org> <bob|b>"),
            ("ann@example.org (Ann (the first) Ode)", "Ann (the first) Ode<ann|example.org>"),
            ("\"ann ode\"@example.org", "<ann ode|example.org>"),
            ("=?utf-8?Q?G=C3=BC?= <g@x>", "=?utf-8?Q?G=C3=BC?=<g|x>"),
            ("Pete(A nice chap) <pete(his account)@silly.test(his host)>", "Pete<pete|silly.test>"),
            (
                "A Group(Some people):Chris Jones <c@(Chris's host.)public.example>, joe@x;",
                "A Group: Chris Jones<c|public.example> <joe|x> ;",
            ),
            ("undisclosed-recipients:;", "undisclosed-recipients: ;"),
            ("undisclosed-recipients:", "undisclosed-recipients: ;"),
            ("John Q. Public <j@x>", "John Q. Public<j|x>"),
            ("<@machine.tld,@b:mary@x.test>", "<@machine.tld,@b:mary|x.test>"),
            ("Mary Smith\t<mary @ x . test>", "Mary Smith<mary|x.test>"),
            ("j@[127.0.0.1]", "<j|[127.0.0.1]>"),
            ("local", "<local|>"),
            ("Name <>", "Name<|>"),
            ("<>, ,;", ""),
            ("a@b c@d, e@f", "<a|b> <e|f>"),
            ("a@b@c", "<a|b>"),
            (">)", ""),
            ("", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn hostile_fields_take_linear_time_and_end() {
        for hostile in
            ["(", "\"", "<", "@", ",", ":", ";", ">", "a:", "<@", "a@b,", "\\", ".", "[", "a@[", "é "]
        {
            let _ = parse(hostile.repeat(1 << 16).as_bytes());
        }
    }
}
