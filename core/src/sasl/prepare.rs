//! User names and passwords as SCRAM takes them.

use stringprep::tables::{self, unassigned_code_point};
use zeroize::Zeroizing;

use super::error::SaslError;

/// Brings text into Unicode's normalisation form KC.
pub type Normalizer = fn(text: &str) -> String;

#[cfg(not(feature = "normalization"))]
static HOST: std::sync::OnceLock<Normalizer> = std::sync::OnceLock::new();

/// Gives this build what it lacks without the feature `normalization`: a browser has it, and its tables need not be
/// downloaded again. The first one given stays; without one no name or password outside of ASCII can be prepared for SCRAM. With the
/// feature nothing is asked of it.
#[cfg_attr(feature = "normalization", allow(unused_variables, reason = "the tables are here"))]
pub fn set_normalizer(normalizer: Normalizer) {
    #[cfg(not(feature = "normalization"))]
    HOST.get_or_init(|| normalizer);
}

#[cfg(feature = "normalization")]
fn normalize(text: &str) -> Option<String> {
    use unicode_normalization::UnicodeNormalization;
    Some(text.nfkc().collect())
}

#[cfg(not(feature = "normalization"))]
fn normalize(text: &str) -> Option<String> {
    Some(HOST.get()?(text))
}

/// What no prepared string may hold (RFC 4013 §2.3, §2.5): RFC 3454's tables C.1.2 to C.9, and A.1.
const PROHIBITED: [fn(char) -> bool; 11] = [
    tables::non_ascii_space_character,
    tables::ascii_control_character,
    tables::non_ascii_control_character,
    tables::private_use,
    tables::non_character_code_point,
    tables::surrogate_code,
    tables::inappropriate_for_plain_text,
    tables::inappropriate_for_canonical_representation,
    tables::change_display_properties_or_deprecated,
    tables::tagging_character,
    unassigned_code_point,
];

/// SASLprep (RFC 4013) of a stored string; `None` for what it refuses.
fn saslprep(text: &str) -> Option<Zeroizing<String>> {
    let spaced = text.chars().map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c });
    let mapped: Zeroizing<String> =
        Zeroizing::new(spaced.filter(|&c| !tables::commonly_mapped_to_nothing(c)).collect());
    let normal = Zeroizing::new(normalize(&mapped)?);
    let prohibited = normal.chars().any(|c| PROHIBITED.iter().any(|is_in| is_in(c)));
    (!prohibited && reads_one_way(&normal)).then_some(normal)
}

/// Text with characters of right-to-left scripts has none of the others, and begins and ends with them (RFC 3454 §6).
fn reads_one_way(text: &str) -> bool {
    !text.contains(tables::bidi_r_or_al)
        || (!text.contains(tables::bidi_l)
            && text.starts_with(tables::bidi_r_or_al)
            && text.ends_with(tables::bidi_r_or_al))
}

/// SASLprep (RFC 4013) of a query: characters younger than Unicode 3.2 stand for themselves (§2.5), or
/// nobody with an emoji in the password could log in.
///
/// # Errors
///
/// [`SaslError::Unusable`] for what no prepared string may hold, and for the empty one.
pub(super) fn prepare(field: &'static str, text: &str) -> Result<Zeroizing<String>, SaslError> {
    let mut prepared = Zeroizing::new(String::with_capacity(text.len()));
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        prepared.push_str(text);
    } else if let Some(whole) = saslprep(text) {
        prepared = whole;
    } else {
        for piece in text.split_inclusive(unassigned_code_point) {
            let young = piece.chars().next_back().filter(|&c| unassigned_code_point(c));
            let assigned = &piece[..piece.len() - young.map_or(0, char::len_utf8)];
            prepared.push_str(&saslprep(assigned).ok_or(SaslError::Unusable { field })?);
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
    use super::{escape_name, prepare, saslprep};

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
    fn each_character_is_prepared_as_the_crate_prepares_it() {
        for c in '\0'..=char::MAX {
            for text in [String::from(c), format!("{c}\u{5d0}"), format!("e{c}a")] {
                let theirs = stringprep::saslprep(&text).ok();
                assert_eq!(saslprep(&text).as_ref().map(|ours| ours.as_str()), theirs.as_deref(), "{text:?}");
            }
        }
    }

    #[test]
    fn names_keep_their_commas_to_themselves() {
        assert_eq!(escape_name("a,b=c=2C"), "a=2Cb=3Dc=3D2C");
    }
}
