//! Responses as they stand in the RFCs, as servers get them wrong, and as nobody should send them.

mod fetch;
mod hostile;
mod samples;

use super::*;
use crate::imap::response::{Code, PlainCode};
use crate::imap::text::SequenceSet;

pub(super) fn parse(text: &str) -> Response<'_> {
    match response(Frame::new(text.as_bytes())) {
        Ok(response) => response,
        Err(error) => panic!("{text}: {error}"),
    }
}

pub(super) fn data(text: &str) -> Data<'_> {
    match parse(text) {
        Response::Data(data) => data,
        other => panic!("{text}: {other:?}"),
    }
}

fn status(text: &str) -> Status<'_> {
    match parse(text) {
        Response::Status(status) => status,
        other => panic!("{text}: {other:?}"),
    }
}

fn code(text: &str) -> Code<'_> {
    status(text).code.unwrap_or_else(|| panic!("{text}: no code"))
}

fn refused(text: &str) -> ParseError {
    match response(Frame::new(text.as_bytes())) {
        Ok(response) => panic!("{text}: {response:?}"),
        Err(error) => error,
    }
}

fn ranges(set: SequenceSet<'_>) -> Vec<(u32, u32)> {
    set.ranges().collect()
}

fn words<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
    words.map(|w| std::str::from_utf8(w).unwrap()).collect()
}

#[test]
fn every_sample_parses() {
    for sample in samples::RFC {
        parse(sample);
    }
}

#[test]
fn continuations_with_and_without_text() {
    for (line, text) in [("+", ""), ("+ ", ""), ("+ idling", "idling"), ("+idling", "idling"), ("+  x", " x")]
    {
        let Response::Continuation(found) = parse(line) else { panic!("{line}") };
        assert_eq!(found, text.as_bytes());
    }
}

#[test]
fn statuses() {
    let found = status("a142 OK [READ-WRITE] SELECT completed");
    assert_eq!(
        (found.tag, found.kind, found.text),
        (Some(&b"a142"[..]), StatusKind::Ok, &b"SELECT completed"[..])
    );
    assert!(matches!(found.code, Some(Code::ReadWrite)));
    assert_eq!(status("* bye").kind, StatusKind::Bye);
    assert_eq!(status("* PREAUTH hello").kind, StatusKind::Preauth);
    assert_eq!(status("*  NO  late ").text, b"late ");
    assert_eq!(status("* OK [no end").text, b"[no end");
    assert_eq!(status("* OK ").text, b"");
    let stray = status("* OK [ALERT]x] y");
    assert!(matches!(stray.code, Some(Code::Alert)));
    assert_eq!(stray.text, b"x] y");
}

#[test]
fn codes() {
    assert!(matches!(code("* OK [UIDNEXT 4392] Predicted next UID"), Code::UidNext(4392)));
    assert!(matches!(code("* OK [UIDVALIDITY 3857529045] valid"), Code::UidValidity(3_857_529_045)));
    assert!(matches!(code("* OK [UNSEEN 0]"), Code::Unseen(0)));
    assert!(matches!(code("* OK [HIGHESTMODSEQ 715194045007]"), Code::HighestModSeq(715_194_045_007)));
    assert!(matches!(code("* OK [nomodseq] x"), Code::NoModSeq));
    assert!(matches!(code("a OK [UIDNEXT 0]"), Code::Other { name: b"UIDNEXT", argument: b"0" }));
    assert!(matches!(code("* NO [OVERQUOTA] x"), Code::Plain(PlainCode::OverQuota)));
    assert!(matches!(code("* OK [MAILBOXID (F2212ea87-6097)] x"), Code::MailboxId(b"F2212ea87-6097")));
    assert!(matches!(code("* OK [X-Y a \"]\" b] t"), Code::Other { name: b"X-Y", argument: b"a \"]\" b" }));
    assert!(matches!(code("* NO [REFERRAL imap://u@h/] x"), Code::Referral(b"imap://u@h/")));
    assert!(matches!(code("a OK [COPYUID 3 \"\" \"\"] nothing"), Code::Other { name: b"COPYUID", .. }));
    let Code::PermanentFlags(flags) = code("* OK [PERMANENTFLAGS (\\Deleted \\*)] x") else { panic!() };
    assert_eq!(words(flags.iter()), ["\\Deleted", "\\*"]);
    let Code::BadCharset(charsets) = code("a NO [BADCHARSET (US-ASCII UTF-8)] x") else { panic!() };
    assert_eq!(words(charsets.iter()), ["US-ASCII", "UTF-8"]);
    let Code::Capability(capabilities) = code("* OK [CAPABILITY IMAP4rev1 IDLE] x") else { panic!() };
    assert!(capabilities.contains("idle") && !capabilities.contains("ID"));
    let Code::AppendUid { uid_validity: 38_505, uids } = code("A OK [APPENDUID 38505 3955:3957] x") else {
        panic!()
    };
    assert_eq!(ranges(uids), [(3955, 3957)]);
    let Code::CopyUid { uid_validity, source, target } = code("A OK [COPYUID 38505 304,319:320 3956:3958] x")
    else {
        panic!()
    };
    assert_eq!(uid_validity, 38_505);
    assert_eq!((ranges(source), ranges(target)), (vec![(304, 304), (319, 320)], vec![(3956, 3958)]));
    let Code::Modified(left) = code("d105 OK [MODIFIED 7,9] Conditional STORE failed") else { panic!() };
    assert_eq!(ranges(left), [(7, 7), (9, 9)]);
}

#[test]
fn mailbox_data() {
    let Data::List(entry) =
        data("* LIST (\\HasChildren \\Sent) \"/\" \"a \\\"b\\\"\" (CHILDINFO (\"SUBSCRIBED\"))")
    else {
        panic!()
    };
    assert!(entry.attributes.contains("\\sent"));
    assert_eq!((entry.delimiter, entry.mailbox.lossy().as_ref()), (Some(b'/'), "a \"b\""));
    assert_eq!(entry.extended, b"(CHILDINFO (\"SUBSCRIBED\"))");
    for (line, delimiter, name) in [
        ("* LIST () NIL INBOX", None, "INBOX"),
        ("* LSUB () \"\\\\\" [Gmail]/All(1)", Some(b'\\'), "[Gmail]/All(1)"),
        ("* LIST () \"\" {3}\r\na)b", None, "a)b"),
        ("* LIST () \".\" \"r\u{e9}sum\u{e9}\"", Some(b'.'), "r\u{e9}sum\u{e9}"),
    ] {
        let (Data::List(entry) | Data::Lsub(entry)) = data(line) else { panic!("{line}") };
        assert_eq!((entry.delimiter, entry.mailbox.lossy().as_ref()), (delimiter, name));
    }
    let line = "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 X-NEW (a b) SIZE 9.3736e+06 HIGHESTMODSEQ -1 \
                MAILBOXID (F1) APPENDLIMIT NIL UNSEEN 3 DELETED 1 UIDVALIDITY 7)";
    let Data::Status(s) = data(line) else { panic!() };
    assert_eq!((s.messages, s.uid_next, s.uid_validity), (Some(231), Some(44_292), Some(7)));
    assert_eq!((s.unseen, s.deleted, s.size), (Some(3), Some(1), Some(9_373_600)));
    assert_eq!((s.highest_modseq, s.mailbox_id, s.append_limit), (Some(0), Some(&b"F1"[..]), None));
    let Data::Namespace(n) =
        data("* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\" \"X\" (\"y\"))(\"#u/\" \"/\")) NIL")
    else {
        panic!()
    };
    assert_eq!(n.personal.map(|(p, d)| (p.raw, d)), Some((&b""[..], Some(b'/'))));
    assert_eq!(n.other_users.map(|(p, d)| (p.raw, d)), Some((&b"~"[..], Some(b'/'))));
    assert!(n.shared.is_none());
}

#[test]
fn searches() {
    let Data::Search(found) = data("* SEARCH 2 84 882 (MODSEQ 917162500)") else { panic!() };
    assert_eq!((found.iter().collect::<Vec<_>>(), found.modseq), (vec![2, 84, 882], Some(917_162_500)));
    let Data::Search(none) = data("* SEARCH") else { panic!() };
    assert!(none.is_empty());
    let Data::Sort(sorted) = data("* SORT 5 3  4 4294967295 ") else { panic!() };
    assert_eq!(sorted.iter().collect::<Vec<_>>(), [5, 3, 4, u32::MAX]);
    let line =
        "* ESEARCH (TAG \"A 1\") UID MIN 2 MAX 47 ALL 4:18,21 COUNT 0 MODSEQ 9 X (1) PARTIAL (-1:-100 3,5)";
    let Data::Esearch(e) = data(line) else { panic!() };
    assert_eq!((e.tag.unwrap().raw, e.uid, e.min, e.max), (&b"A 1"[..], true, Some(2), Some(47)));
    assert_eq!((ranges(e.all.unwrap()), e.count, e.modseq), (vec![(4, 18), (21, 21)], Some(0), Some(9)));
    let (range, set) = e.partial.unwrap();
    assert_eq!((range.raw, ranges(set.unwrap())), (&b"-1:-100"[..], vec![(3, 3), (5, 5)]));
    let Data::Esearch(e) = data("* ESEARCH PARTIAL (1:5 NIL)") else { panic!() };
    assert!(e.tag.is_none() && e.partial.unwrap().1.is_none());
}

#[test]
fn other_data() {
    assert!(matches!(data("* 23 EXISTS"), Data::Exists(23)));
    assert!(matches!(data("* 0 exists "), Data::Exists(0)));
    assert!(matches!(data("* 0 RECENT"), Data::Recent(0)));
    assert!(matches!(data("* 44 EXPUNGE"), Data::Expunge(44)));
    assert!(matches!(data("* 44 UIDFETCH (FLAGS ())"), Data::Unknown(b"44 UIDFETCH (FLAGS ())")));
    assert!(matches!(data("* THREAD (2)(3 6)"), Data::Unknown(b"THREAD (2)(3 6)")));
    assert!(matches!(data(""), Data::Unknown(b"")));
    let Data::Id(id) = data("* ID (\"name\" \"Cyrus\" \"os\" NIL)") else { panic!() };
    assert_eq!(id.get("NAME").unwrap().raw, b"Cyrus");
    assert_eq!((id.iter().count(), id.get("os")), (2, None));
    let Data::Id(none) = data("* ID NIL") else { panic!() };
    assert_eq!(none.iter().count(), 0);
    let Data::Quota(quota) = data("* QUOTA \"\" (STORAGE 10 512 MESSAGE 2 100)") else { panic!() };
    let resources: Vec<_> = quota.resources().map(|r| (r.name, r.usage, r.limit)).collect();
    assert_eq!(resources, [(&b"STORAGE"[..], 10, 512), (b"MESSAGE", 2, 100)]);
    let Data::QuotaRoot { mailbox, roots } = data("* QUOTAROOT INBOX \"\"") else { panic!() };
    assert_eq!((mailbox.raw, roots), (&b"INBOX"[..], &b"\"\""[..]));
    let Data::MyRights { rights, .. } = data("* MYRIGHTS INBOX rwiptsldaex") else { panic!() };
    assert_eq!(rights.raw, b"rwiptsldaex");
    let Data::Enabled(words) = data("* ENABLED CONDSTORE QRESYNC") else { panic!() };
    assert!(words.contains("qresync"));
}

#[test]
fn failures_say_what_and_where() {
    for (line, expected, offset) in [
        ("*", Expected::Space, 1),
        ("*x", Expected::Space, 1),
        ("* 0 FETCH (UID 1)", Expected::MessageNumber, 2),
        ("* 0 EXPUNGE", Expected::MessageNumber, 2),
        ("* 4294967296 EXISTS", Expected::Number, 2),
        ("* 5 EXISTS x", Expected::End, 11),
        ("* 1 FETCH (UID 1", Expected::CloseParenthesis, 16),
        ("* 1 FETCH UID 1)", Expected::OpenParenthesis, 10),
        ("* SEARCH 1 0 2", Expected::MessageNumber, 11),
        ("* SEARCH 1,2", Expected::Space, 10),
        ("* SEARCH 1 (FOO 2)", Expected::Keyword, 15),
        ("* FLAGS (a", Expected::Flags, 10),
        ("* LIST () \"/\"", Expected::Space, 13),
        ("* LIST () \"/\" {9}\r\nabc", Expected::Literal, 14),
        ("* LIST () \"/\" \"abc", Expected::CloseQuote, 15),
        ("* STATUS INBOX (MESSAGES -1)", Expected::Number, 25),
        ("* STATUS INBOX (UIDNEXT 4294967296)", Expected::Number, 24),
        ("* OK [UIDNEXT 4294967296] x", Expected::Number, 14),
        ("* OK [UIDVALIDITY x] x", Expected::Number, 18),
        ("* QUOTA a (STORAGE 1)", Expected::Space, 20),
        ("* ESEARCH ALL 1:*", Expected::SequenceSet, 16),
        ("* ESEARCH UID MIN 0", Expected::MessageNumber, 18),
        ("* ID x", Expected::OpenParenthesis, 5),
        ("* NAMESPACE NIL NIL", Expected::String, 19),
    ] {
        let error = refused(line);
        assert_eq!((error.expected, error.offset, error.tagged), (expected, offset, false), "{line}");
    }
}

#[test]
fn note_40_tagged_lines_that_fail_say_that_they_are_tagged() {
    for (line, expected) in [
        ("a1", Expected::Space),
        ("a1 ", Expected::Status),
        ("a1 BYE x", Expected::Status),
        ("a1 EXISTS", Expected::Status),
        ("a1 OK [APPENDUID 1 0] x", Expected::SequenceSet),
        ("(a OK", Expected::Start),
        (" OK", Expected::Start),
    ] {
        let error = refused(line);
        assert_eq!((error.expected, error.tagged), (expected, true), "{line}");
    }
    assert_eq!(
        refused("a1 EXISTS").to_string(),
        "malformed tagged response: expected OK, NO or BAD at octet 3"
    );
}

#[test]
fn note_12_malformed_vanished_is_named() {
    for line in [
        "* VANISHED",
        "* VANISHED (EARLIER)",
        "* VANISHED (EARLIER) ",
        "* VANISHED x",
        "* VANISHED 1,",
        "* VANISHED 1:*",
        "* VANISHED (LATER) 1",
        "* VANISHED 1 2",
        "* VANISHED 0",
        "* VANISHED 1:4294967296",
        "* VANISHED (1:2)",
    ] {
        assert_eq!(refused(line).expected, Expected::VanishedUids, "{line}");
    }
    let Data::Vanished { earlier: true, uids } = data("* VANISHED (EARLIER) 41,43:116,118") else { panic!() };
    assert_eq!(ranges(uids), [(41, 41), (43, 116), (118, 118)]);
    assert!(matches!(data("* vanished 405,407 "), Data::Vanished { earlier: false, .. }));
}

#[test]
fn note_13_bare_response_codes_are_notices() {
    let found = status("* [COPYUID 5 1:2 8:9] Messages copied.");
    assert_eq!((found.tag, found.kind, found.text), (None, StatusKind::Ok, &b"Messages copied."[..]));
    assert!(matches!(found.code, Some(Code::CopyUid { uid_validity: 5, .. })));
}

#[test]
fn note_17_mod_sequences_that_are_no_numbers() {
    assert!(matches!(code("* OK [HIGHESTMODSEQ -1] x"), Code::HighestModSeq(0)));
    assert!(matches!(code("* OK [HIGHESTMODSEQ 9.3e+06] x"), Code::HighestModSeq(0)));
    assert!(matches!(code("* OK [HIGHESTMODSEQ 18446744073709551615] x"), Code::HighestModSeq(0)));
}

#[test]
fn note_34_an_exists_of_all_numbers_is_only_a_number() {
    assert!(matches!(data("* 4294967295 EXISTS"), Data::Exists(u32::MAX)));
}

#[test]
fn note_35_sets_stay_ranges() {
    let Data::Vanished { uids, .. } = data("* VANISHED (EARLIER) 4294967295:1") else { panic!() };
    assert_eq!(ranges(uids), [(1, u32::MAX)]);
    let Data::Esearch(e) = data("* ESEARCH UID ALL 1:4294967295") else { panic!() };
    assert_eq!(ranges(e.all.unwrap()), [(1, u32::MAX)]);
}

#[test]
fn note_37_mailbox_names_are_opaque() {
    for name in ["../../etc/passwd", "a\u{1}b", "&A", "\u{0}"] {
        let line = format!("* LIST () \"/\" \"{name}\"");
        let Data::List(entry) = data(&line) else { panic!() };
        assert_eq!(entry.mailbox.raw, name.as_bytes());
    }
}

#[test]
fn note_55_oversize_text_is_borrowed_whole() {
    let line = format!("a NO {}", "x".repeat(1 << 20));
    assert_eq!(status(&line).text.len(), 1 << 20);
}
