//! Charsets: by the tables of the MIME library, and where a build is made without the large ones, by the host.

use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes octets in a charset by the name that the Encoding Standard has for it (`shift_jis`, `gb18030`): what is no
/// character becomes U+FFFD. `None` where the host does not know it either.
pub type CharsetDecoder = fn(name: &str, data: &[u8]) -> Option<String>;

#[cfg(not(feature = "charsets"))]
static HOST: std::sync::OnceLock<CharsetDecoder> = std::sync::OnceLock::new();

/// Gives this build the decoder that it lacks without the feature `charsets`: a browser has one, and its tables need
/// not be downloaded again. The first one given stays. With the feature nothing is asked of it.
#[cfg_attr(feature = "charsets", allow(unused_variables, reason = "the tables are here"))]
pub fn set_charset_decoder(decoder: CharsetDecoder) {
    #[cfg(not(feature = "charsets"))]
    HOST.get_or_init(|| decoder);
}

/// Text in a charset by the name that a message gives it; `None` for an unknown one.
pub(super) fn decode(charset: &[u8], data: &[u8]) -> Option<String> {
    #[cfg(not(feature = "charsets"))]
    if let Some(name) = name_for_host(charset) {
        return by_host(name, data, |name, data| HOST.get()?(name, data));
    }
    charset_decoder(charset).map(|decoder| decoder(data))
}

/// The charsets whose tables the feature brings: the standard's name, and how messages spell it, folded.
#[cfg(any(test, not(feature = "charsets")))]
const OF_HOST: [(&str, &[&str]); 11] = [
    ("big5", &["big5", "big5_hkscs", "cn_big5", "csbig5", "x_x_big5"]),
    (
        "euc-jp",
        &["cseucpkdfmtjapanese", "euc_jp", "extended_unix_code_packed_format_for_japanese", "x_euc_jp"],
    ),
    (
        "euc-kr",
        &[
            "cseuckr",
            "csksc56011987",
            "euc_kr",
            "iso_ir_149",
            "korean",
            "ks_c_5601_1987",
            "ks_c_5601_1989",
            "ksc5601",
            "ksc_5601",
            "windows_949",
        ],
    ),
    ("gb18030", &["csgb18030", "gb18030", "gb2312"]),
    (
        "gbk",
        &[
            "chinese",
            "cp936",
            "csgb2312",
            "csgbk",
            "csiso58gb231280",
            "gb_2312",
            "gb_2312_80",
            "gbk",
            "iso_ir_58",
            "ms936",
            "windows_936",
            "x_gbk",
        ],
    ),
    ("ibm866", &["866", "cp866", "csibm866", "ibm866"]),
    ("iso-2022-jp", &["csiso2022jp", "iso_2022_jp"]),
    ("shift_jis", &["csshiftjis", "ms932", "ms_kanji", "shift_jis", "sjis", "windows_31j", "x_sjis"]),
    ("windows-874", &["cswindows874", "dos_874", "windows_874"]),
    ("x-mac-cyrillic", &["x_mac_cyrillic", "x_mac_ukrainian"]),
    ("x-user-defined", &["x_user_defined"]),
];

#[cfg(any(test, not(feature = "charsets")))]
fn name_for_host(charset: &[u8]) -> Option<&'static str> {
    let folded: Vec<u8> =
        charset.iter().map(|b| if *b == b'-' { b'_' } else { b.to_ascii_lowercase() }).collect();
    OF_HOST
        .iter()
        .find(|(_, spellings)| spellings.iter().any(|known| known.as_bytes() == folded))
        .map(|(name, _)| *name)
}

/// As the tables do it: a byte order mark counts for more than the name.
#[cfg(any(test, not(feature = "charsets")))]
fn by_host(name: &str, data: &[u8], host: impl Fn(&str, &[u8]) -> Option<String>) -> Option<String> {
    if let Some(data) = data.strip_prefix(b"\xef\xbb\xbf") {
        Some(String::from_utf8_lossy(data).into_owned())
    } else if data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff") {
        charset_decoder(b"utf-16").map(|decoder| decoder(data))
    } else {
        host(name, data)
    }
}

#[cfg(all(test, feature = "charsets"))]
mod tests {
    use super::{OF_HOST, by_host, charset_decoder, decode, name_for_host};

    /// Octets that mean something different in each of these charsets.
    const SAMPLES: [&[u8]; 8] = [
        b"\x83n\x83\x8D\x81[\x81E\x83\x8F\x81[\x83\x8B\x83h",
        b"\xa7A\xa6n\xa1A\xa5@\xac\xc9",
        b"\xa5\xcf\xa5\xed\xa1\xbc\xa1\xa6",
        b"\xbe\xc8\xb3\xe7\xc7\xcf\xbc\xbc\xbf\xe4 \xff\x80",
        b"\x1b$B%O%m!<\x1b(B and more",
        b"\xc4\xe3\xba\xc3\xa3\xac\x81\x30\x81\x30",
        b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe",
        b"\xff\xfea\0\xe4\0",
    ];

    #[test]
    fn a_host_is_asked_by_the_standards_name_and_means_the_same() {
        for (name, spellings) in OF_HOST {
            for spelling in spellings {
                let upper = spelling.to_uppercase().replace('_', "-");
                assert_eq!(name_for_host(upper.as_bytes()), Some(name), "{spelling}");
                for data in SAMPLES {
                    let host = |name: &str, data: &[u8]| charset_decoder(name.as_bytes()).map(|d| d(data));
                    assert_eq!(by_host(name, data, host), decode(spelling.as_bytes(), data), "{spelling}");
                }
            }
        }
    }

    #[test]
    fn what_needs_no_large_table_is_not_the_hosts() {
        for charset in
            ["utf-8", "iso-8859-1", "windows-1252", "koi8-r", "utf-7", "iso-2022-kr", "nonsense", ""]
        {
            assert_eq!(name_for_host(charset.as_bytes()), None, "{charset}");
        }
    }
}
