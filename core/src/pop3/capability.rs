//! What a server says it can do (RFC 2449 §6).

/// The answer to CAPA. Names compare without case; what is unknown is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<String>,
}

/// How long a server keeps mail that was left on it (RFC 2449 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Expire {
    /// For ever.
    Never,
    /// At least so many days. With 0 mail may not be left there: it may go once it was fetched.
    Days(u32),
}

impl Capabilities {
    /// Adds a line of the answer. More than a server could mean are dropped.
    pub fn add(&mut self, line: &[u8]) {
        const MOST: usize = 200;
        const LONGEST: usize = 500;
        if self.lines.len() < MOST && line.len() <= LONGEST {
            self.lines.push(String::from_utf8_lossy(line).trim().to_owned());
        }
    }

    /// Whether nothing is known: the server has no CAPA, or was not asked.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The words behind a capability's name; `None` where it is not offered.
    fn words(&self, name: &str) -> Option<impl Iterator<Item = &str>> {
        let line = self.lines.iter().find(|line| {
            line.split_ascii_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(name))
        })?;
        Some(line.split_ascii_whitespace().skip(1))
    }

    /// Whether a capability is offered.
    pub fn has(&self, name: &str) -> bool {
        self.words(name).is_some()
    }

    /// SASL mechanisms offered (RFC 5034).
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.words("SASL").into_iter().flatten()
    }

    /// How long mail is kept that is left there; `None` where the server does not say. Where it differs by
    /// user and was not said for this one (`USER` behind the number), the shortest is given.
    pub fn expire(&self) -> Option<Expire> {
        let word = self.words("EXPIRE")?.next()?;
        if word.eq_ignore_ascii_case("NEVER") {
            return Some(Expire::Never);
        }
        word.parse().ok().map(Expire::Days)
    }

    /// Seconds that must lie between two logins (RFC 2449 §6.5); at most a day is believed.
    pub fn login_delay_s(&self) -> Option<u32> {
        const MOST: u32 = 24 * 3600;
        let word = self.words("LOGIN-DELAY")?.next()?;
        word.parse().ok().map(|seconds: u32| seconds.min(MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Expire};

    fn of(lines: &[&str]) -> Capabilities {
        let mut all = Capabilities::default();
        lines.iter().for_each(|line| all.add(line.as_bytes()));
        all
    }

    #[test]
    fn names_and_words() {
        let c = of(&["TOP", "sasl CRAM-MD5 KERBEROS_V4", "EXPIRE 60", "LOGIN-DELAY 900 USER", "UIDL"]);
        assert!(c.has("top") && c.has("UIDL") && !c.has("PIPELINING") && !c.has("CRAM-MD5"));
        assert_eq!(c.mechanisms().collect::<Vec<_>>(), ["CRAM-MD5", "KERBEROS_V4"]);
        assert_eq!((c.expire(), c.login_delay_s()), (Some(Expire::Days(60)), Some(900)));
        assert_eq!(of(&["EXPIRE never"]).expire(), Some(Expire::Never));
        assert_eq!(of(&["EXPIRE 0 USER"]).expire(), Some(Expire::Days(0)));
        assert_eq!(of(&["LOGIN-DELAY 4294967295"]).login_delay_s(), Some(86_400));
    }

    #[test]
    fn note_64_words_that_nobody_else_has() {
        let c = of(&["EXPIRENEVER", "", "  ", "EXPIRE", "EXPIRE -1", "LOGIN-DELAY x", "SASL", "\u{7}"]);
        assert_eq!((c.expire(), c.login_delay_s()), (None, None));
        assert_eq!(c.mechanisms().count(), 0);
        assert!(c.has("expirenever"));
        // Each by itself, since the first line of a name is the one that counts.
        assert!(!of(&["EXPIRENEVER"]).has("EXPIRE"));
        for line in ["EXPIRE", "EXPIRE -1", "EXPIRE x", "EXPIRE 99999999999"] {
            assert_eq!(of(&[line]).expire(), None, "{line}");
        }
    }

    #[test]
    fn note_39_an_endless_list_is_bounded() {
        let mut c = Capabilities::default();
        (0..100_000).for_each(|n| c.add(format!("X-{n}").as_bytes()));
        c.add(&[b'a'; 30_000]);
        assert!(c.lines.len() <= 200);
    }
}
