//! The mail that tests use is there, and is the same everywhere.

use std::fmt::Write as _;

use mailkeep_tests::corpus::{crlf, generate, odd, real, real_mail};
use sha2::{Digest as _, Sha256};

#[test]
fn the_real_mail_is_complete_and_in_order() {
    let mail = real();
    assert_eq!(mail.len(), 6046);
    assert!(mail.iter().all(|m| !m.starts_with(b"From ")));
    let hash = mail.iter().fold(Sha256::new(), |hash, m| hash.chain_update(m)).finalize();
    assert_eq!(hex(&hash), REAL_HASH);
    assert_eq!(real_mail(10).count(), 10);
}

#[test]
fn line_ends_are_mended_once() {
    assert_eq!(crlf(b"a\nb\r\nc\n\n"), b"a\r\nb\r\nc\r\n\r\n");
    assert_eq!(crlf(&crlf(b"a\n\nb")), crlf(b"a\n\nb"));
}

#[test]
fn synthetic_mail_depends_on_its_seed_only() {
    assert!(generate(1, 50, 3_000).eq(generate(1, 50, 3_000)));
    assert!(generate(1, 50, 3_000).ne(generate(2, 50, 3_000)));
    assert!(generate(1, 50, 3_000).eq(generate(1, 100, 3_000).take(50)));
    assert!(generate(1, 200, 3_000).all(|m| crlf(&m.bytes) == m.bytes));
}

#[test]
fn synthetic_mail_comes_to_the_wanted_size() {
    let total: usize = generate(9, 2_000, 22_000).map(|m| m.bytes.len()).sum();
    assert!((40_000_000..48_000_000).contains(&total), "20,000 would have {} MB", total / 100_000);
}

#[test]
fn synthetic_mail_has_variety() {
    let all: Vec<String> =
        generate(3, 300, 4_000).map(|m| String::from_utf8(m.bytes).expect("it is 7-bit")).collect();
    for wanted in
        ["References:", "multipart/alternative", "multipart/mixed", "text/html", "iso-8859-1", "=?utf-8?B?"]
    {
        assert!(all.iter().any(|m| m.contains(wanted)), "{wanted}");
    }
}

#[test]
fn odd_mail_is_odd() {
    let all = odd();
    let any = |test: &dyn Fn(&[u8]) -> bool| all.iter().any(|(_, m)| test(m));
    assert!(any(&|m| m.is_empty()) && any(&|m| m.contains(&0)) && any(&|m| m.len() > 1 << 20));
    assert!(any(&|m| !m.is_ascii()) && any(&|m| !m.ends_with(b"\n") && !m.is_empty()));
    let mut names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

const REAL_HASH: &str = "4d48c66144c2ac8c55e71d3d5ef92db1321318f19a48c38a3a76748eba170c92";
