//! What hiding a capability means for a command and for an answer.

/// The names that are hidden, in capitals.
#[derive(Debug, Clone)]
pub struct Hidden {
    names: Vec<String>,
}

impl Hidden {
    /// `None` where nothing is to be hidden.
    pub(super) fn new(names: &[String]) -> Option<Self> {
        if names.is_empty() {
            return None;
        }
        let mut names: Vec<String> = names.iter().map(|n| n.to_ascii_uppercase()).collect();
        names.extend(["COMPRESS=DEFLATE", "STARTTLS", "IMAP4REV2"].map(String::from));
        if names.iter().any(|n| n == "CONDSTORE") {
            names.push("QRESYNC".to_owned());
        }
        if names.iter().any(|n| n == "LITERAL+") {
            names.push("LITERAL-".to_owned());
        }
        Some(Self { names })
    }

    /// Whether this one is hidden.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n.eq_ignore_ascii_case(name))
    }

    /// Whether a command's first line, in capitals and without its strings' contents, uses what is hidden.
    pub(super) fn refuses(&self, outline: &str) -> bool {
        let mut words = outline.split(' ').skip(1);
        let mut name = words.next().unwrap_or_default().to_owned();
        if name == "UID" {
            name = format!("UID {}", words.next().unwrap_or_default());
        }
        let rest: Vec<&str> = words.collect();
        let says = |word: &str| outline.split([' ', '(', ')']).skip(2).any(|w| w == word);
        let used: &[&str] = match name.as_str() {
            "ENABLE" => return self.has("ENABLE") || rest.iter().any(|w| self.has(w)),
            "AUTHENTICATE" => {
                let mechanism = rest.first().copied().unwrap_or_default();
                return self.has(&format!("AUTH={mechanism}")) || (self.has("SASL-IR") && rest.len() > 1);
            }
            "SELECT" | "EXAMINE" if says("QRESYNC") => &["QRESYNC"],
            "SELECT" | "EXAMINE" if says("CONDSTORE") => &["CONDSTORE"],
            "FETCH" | "UID FETCH" if says("VANISHED") => &["QRESYNC"],
            "FETCH" | "UID FETCH" if says("CHANGEDSINCE") || says("MODSEQ") => &["CONDSTORE"],
            "FETCH" | "UID FETCH" if says("EMAILID") || says("THREADID") => &["OBJECTID"],
            "FETCH" | "UID FETCH" if outline.contains("BINARY") => &["BINARY"],
            "STORE" | "UID STORE" if says("UNCHANGEDSINCE") => &["CONDSTORE"],
            "SEARCH" | "UID SEARCH" if says("MODSEQ") => &["CONDSTORE"],
            "SEARCH" | "UID SEARCH" if says("RETURN") => &["ESEARCH"],
            "STATUS" | "LIST" if says("HIGHESTMODSEQ") => &["CONDSTORE"],
            "STATUS" if says("SIZE") => &["STATUS=SIZE"],
            "STATUS" if says("MAILBOXID") => &["OBJECTID"],
            "LIST" if says("STATUS") && says("RETURN") => &["LIST-STATUS", "LIST-EXTENDED"],
            "LIST" if says("SPECIAL-USE") => &["SPECIAL-USE", "LIST-EXTENDED"],
            "LIST" if says("RETURN") || rest.first().is_some_and(|w| w.starts_with('(')) => {
                &["LIST-EXTENDED"]
            }
            "UID EXPUNGE" => &["UIDPLUS"],
            "MOVE" | "UID MOVE" => &["MOVE"],
            "COMPRESS" => &["COMPRESS=DEFLATE"],
            "STARTTLS" => &["STARTTLS"],
            "GETQUOTA" | "GETQUOTAROOT" | "SETQUOTA" => &["QUOTA"],
            "IDLE" | "NOTIFY" | "ID" | "UNSELECT" | "NAMESPACE" => return self.has(&name),
            _ => return false,
        };
        used.iter().any(|name| self.has(name))
    }

    /// Whether a response code belongs to what is hidden.
    pub(super) fn hides_code(&self, code: &str) -> bool {
        let owner = match code.to_ascii_uppercase().as_str() {
            "HIGHESTMODSEQ" | "NOMODSEQ" | "MODIFIED" => "CONDSTORE",
            "CLOSED" => "QRESYNC",
            "APPENDUID" | "COPYUID" | "UIDNOTSTICKY" => "UIDPLUS",
            "MAILBOXID" => "OBJECTID",
            _ => return false,
        };
        self.has(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_belongs_to_its_capability() {
        let table = [
            ("QRESYNC", "A ENABLE QRESYNC", true),
            ("QRESYNC", "A ENABLE CONDSTORE", false),
            ("QRESYNC", "A SELECT \"\" (QRESYNC (1 2))", true),
            ("QRESYNC", "A SELECT \"\" (CONDSTORE)", false),
            ("CONDSTORE", "A SELECT \"\" (QRESYNC (1 2))", true),
            ("CONDSTORE", "A UID FETCH 1:* (FLAGS) (CHANGEDSINCE 7)", true),
            ("CONDSTORE", "A UID FETCH 1:* (FLAGS MODSEQ)", true),
            ("CONDSTORE", "A UID FETCH 1:* (FLAGS)", false),
            ("CONDSTORE", "A STATUS INBOX (MESSAGES HIGHESTMODSEQ)", true),
            ("UIDPLUS", "A UID EXPUNGE 1", true),
            ("UIDPLUS", "A EXPUNGE", false),
            ("LIST-STATUS", "A LIST \"\" \"\" RETURN (STATUS (MESSAGES))", true),
            ("LIST-STATUS", "A LIST \"\" \"\" RETURN (SPECIAL-USE)", false),
            ("LIST-STATUS", "A LIST \"\" STATUS", false),
            ("ESEARCH", "A UID SEARCH RETURN (ALL) ALL", true),
            ("ESEARCH", "A UID SEARCH ALL", false),
            ("MOVE", "A UID MOVE 1 X", true),
            ("IDLE", "A IDLE", true),
            ("SASL-IR", "A AUTHENTICATE PLAIN AAA=", true),
            ("SASL-IR", "A AUTHENTICATE PLAIN", false),
        ];
        for (name, command, refused) in table {
            let hidden = Hidden::new(&[name.to_owned()]).expect("a name");
            assert_eq!(hidden.refuses(command), refused, "{name}: {command}");
        }
    }
}
