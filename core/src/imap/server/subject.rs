//! The base subject, which SORT and THREAD compare (RFC 5256 §2.1).

/// Octets of a subject that are compared. What is taken off its front is looked at again for each piece, so
/// it must not be long.
const SUBJECT: usize = 2_000;

/// A subject without what answering and forwarding put around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BaseSubject {
    /// Its case is folded.
    pub(super) text: String,
    /// Something was taken off: it answers or forwards.
    pub(super) is_reply: bool,
}

impl BaseSubject {
    /// From a subject with its encoded words decoded.
    pub(super) fn of(subject: &str) -> BaseSubject {
        let subject = &subject[..subject.floor_char_boundary(SUBJECT)];
        let collapsed: Vec<&str> = subject.split([' ', '\t', '\r', '\n']).filter(|w| !w.is_empty()).collect();
        let folded = super::fold::fold(&collapsed.join(" "));
        let mut text = folded.as_str();
        let mut is_reply = false;
        loop {
            while let Some(rest) = trailer(text) {
                is_reply |= text.ends_with("(FWD)");
                text = rest;
            }
            loop {
                if let Some((rest, reply)) = leader(text) {
                    is_reply |= reply;
                    text = rest;
                } else if let Some(rest) = blob(text).filter(|rest| !rest.is_empty()) {
                    text = rest;
                } else {
                    break;
                }
            }
            match text.strip_prefix("[FWD:").and_then(|rest| rest.strip_suffix(']')) {
                Some(inner) => {
                    is_reply = true;
                    text = inner;
                }
                None => return BaseSubject { text: text.to_owned(), is_reply },
            }
        }
    }
}

/// subj-trailer = "(fwd)" / WSP
fn trailer(text: &str) -> Option<&str> {
    text.strip_suffix("(FWD)").or_else(|| text.strip_suffix(' '))
}

/// subj-leader = (*subj-blob subj-refwd) / WSP; whether it says that this is a reply or forwarded.
fn leader(text: &str) -> Option<(&str, bool)> {
    if let Some(rest) = text.strip_prefix(' ') {
        return Some((rest, false));
    }
    let mut rest = text;
    while let Some(behind) = blob(rest) {
        rest = behind;
    }
    refwd(rest).map(|rest| (rest, true))
}

/// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
fn refwd(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("RE")
        .or_else(|| text.strip_prefix("FWD"))
        .or_else(|| text.strip_prefix("FW"))?
        .trim_start_matches(' ');
    let rest = blob(rest).unwrap_or(rest);
    rest.strip_prefix(':')
}

/// subj-blob = "[" *BLOBCHAR "]" *WSP
fn blob(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let end = inside.find(['[', ']'])?;
    inside[end..].strip_prefix(']').map(|rest| rest.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::BaseSubject;

    #[test]
    fn base_subjects() {
        for (subject, text, is_reply) in [
            ("Hello", "hello", false),
            ("Re: Hello", "hello", true),
            ("RE : re[2]: Fwd: FW:  Hello \t there", "hello there", true),
            ("[list] Re: [list] Hello", "hello", true),
            ("[list] Hello", "hello", false),
            ("[list]", "[list]", false),
            ("[a] [b]", "[b]", false),
            ("Hello (fwd) (fwd)", "hello", true),
            ("[Fwd: [list] Re: Hello (fwd)]", "hello", true),
            ("Fwd: [Fwd: Hello]", "hello", true),
            ("Re:", "", true),
            ("Regarding: x", "regarding: x", false),
            ("re [a[b]: x", "re [a[b]: x", false),
            ("", "", false),
            ("  ", "", false),
        ] {
            let base = BaseSubject::of(subject);
            assert_eq!((base.text, base.is_reply), (text.to_uppercase(), is_reply), "{subject}");
        }
    }

    #[test]
    fn hostile_subjects_end_soon() {
        for hostile in ["re:", "[a]", "[fwd:", "(fwd)", "[", "] ", "re[a]:", "re "] {
            let _ = BaseSubject::of(&hostile.repeat(1 << 16));
        }
        let _ = BaseSubject::of(&format!("{}x{}", "[fwd:".repeat(1 << 16), "]".repeat(1 << 16)));
    }
}
