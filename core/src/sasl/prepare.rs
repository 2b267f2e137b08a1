//! User names and passwords as SCRAM takes them.

use stringprep::tables::unassigned_code_point;
use zeroize::Zeroizing;

use super::error::SaslError;

/// SASLprep (RFC 4013) of a query: characters younger than Unicode 3.2 stand for themselves (§2.5), or
/// nobody with an emoji in the password could log in.
///
/// # Errors
///
/// [`SaslError::Unusable`] for what no prepared string may hold, and for the empty one.
pub(super) fn prepare(field: &'static str, text: &str) -> Result<Zeroizing<String>, SaslError> {
    let unusable = |_| SaslError::Unusable { field };
    let mut prepared = Zeroizing::new(String::with_capacity(text.len()));
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        prepared.push_str(text);
    } else if let Ok(whole) = stringprep::saslprep(text) {
        prepared = Zeroizing::new(whole.into_owned());
    } else {
        for piece in text.split_inclusive(unassigned_code_point) {
            let young = piece.chars().next_back().filter(|&c| unassigned_code_point(c));
            let assigned = &piece[..piece.len() - young.map_or(0, char::len_utf8)];
            prepared.push_str(&stringprep::saslprep(assigned).map_err(unusable)?);
            prepared.extend(young);
        }
    }
    if prepared.is_empty() { Err(SaslError::Unusable { field }) } else { Ok(prepared) }
}

/// A `saslname` (RFC 5802 §7): `,` and `=` would end the attribute.
pub(super) fn escape_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::{escape_name, prepare};

    #[test]
    fn prepares_as_rfc_4013_says() {
        let cases: &[(&str, Option<&str>)] = &[
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("pass word~", Some("pass word~")),
            // RFC 4013 §3
            ("I\u{ad}X", Some("IX")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}\u{31}", None),
            ("a\u{a0}b", Some("a b")),
            ("e\u{301}", Some("\u{e9}")),
            ("a\tb", None),
            ("a\0", None),
            ("", None),
            ("\u{ad}", None),
            // Unassigned in Unicode 3.2
            ("\u{1f600}", Some("\u{1f600}")),
            ("e\u{301}\u{1f600}\u{aa}", Some("\u{e9}\u{1f600}a")),
            ("\u{1f600}\u{7}", None),
        ];
        for (text, expected) in cases {
            let prepared = prepare("password", text).ok();
            assert_eq!(prepared.as_ref().map(|text| text.as_str()), *expected, "{text:?}");
        }
    }

    #[test]
    fn names_keep_their_commas_to_themselves() {
        assert_eq!(escape_name("a,b=c=2C"), "a=2Cb=3Dc=3D2C");
    }
}
