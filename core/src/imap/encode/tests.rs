use proptest::prelude::*;

use super::{
    EncodeError, EncodeOptions, Encoded, LiteralMode, MAX_LINE, MAX_SET, encode, encode_sasl_response,
    split_set,
};
use crate::flags::{FlagSet, Flags};
use crate::imap::command::*;
use crate::set::UidSet;

const PLAIN: EncodeOptions =
    EncodeOptions { literal: LiteralMode::Synchronizing, utf8: false, binary: false };
const MINUS: EncodeOptions = EncodeOptions { literal: LiteralMode::Minus, ..PLAIN };
const PLUS: EncodeOptions = EncodeOptions { literal: LiteralMode::Plus, ..PLAIN };
const UTF8: EncodeOptions = EncodeOptions { utf8: true, ..PLAIN };
const BINARY: EncodeOptions = EncodeOptions { binary: true, ..PLAIN };

/// What goes out, with `|+|` where the client waits for the server's `+`.
fn shown(encoded: &Encoded) -> String {
    let mut text = String::new();
    for fragment in &encoded.fragments {
        text += &fragment.bytes.escape_ascii().to_string();
        text += if fragment.wait { "|+|" } else { "" };
    }
    let last = encoded.fragments.last().expect("at least one fragment");
    assert!(!last.wait, "nothing follows the last fragment");
    text.strip_suffix("\\r\\n").expect("ends its line").replace("\\\"", "\"").replace("\\\\", "\\")
}

fn assert_sent(options: &EncodeOptions, cases: &[(Command, &str)]) {
    for (command, expected) in cases {
        let encoded = encode("a1", command, options).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert_eq!(shown(&encoded), format!("a1 {expected}"), "{command:?}");
    }
}

fn set(ranges: &[(u32, u32)]) -> UidSet {
    let mut set = UidSet::new();
    for &(lo, hi) in ranges {
        set.insert_range(lo, hi);
    }
    set
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn flags(words: &[&str]) -> FlagSet {
    let mut flags = FlagSet::default();
    for word in words {
        flags.insert_wire(word.as_bytes());
    }
    flags
}

fn select(mailbox: &[u8]) -> Command {
    Command::Select { mailbox: mailbox.to_vec(), read_only: false, resync: Resync::None }
}

fn login(user: &str, password: &str) -> Command {
    Command::Login { user: user.into(), password: password.into() }
}

fn fetch(items: Vec<FetchItem>) -> Command {
    let set = NumberSet::Set(set(&[(1, 5), (7, 7)]));
    Command::Fetch { uid: true, set, items, changed_since: None, partial: None }
}

fn search(criteria: Vec<SearchKey>) -> Command {
    Command::Search { uid: true, returns: Vec::new(), criteria }
}

fn header(name: &str, value: &[u8]) -> SearchKey {
    SearchKey::Header { name: name.into(), value: value.to_vec() }
}

fn append(message: &[u8]) -> Command {
    let item = AppendItem { flags: flags(&[]), internal_date: None, message: message.to_vec() };
    Command::Append { mailbox: b"INBOX".to_vec(), messages: vec![item] }
}

fn list(patterns: &[&str]) -> Command {
    Command::List {
        selection: Vec::new(),
        reference: Vec::new(),
        patterns: patterns.iter().map(|pattern| pattern.as_bytes().to_vec()).collect(),
        returns: Vec::new(),
        status: Vec::new(),
    }
}

#[test]
fn commands_without_arguments() {
    assert_sent(
        &PLAIN,
        &[
            (Command::Capability, "CAPABILITY"),
            (Command::Noop, "NOOP"),
            (Command::Logout, "LOGOUT"),
            (Command::StartTls, "STARTTLS"),
            (Command::Namespace, "NAMESPACE"),
            (Command::Compress, "COMPRESS DEFLATE"),
            (Command::Unselect, "UNSELECT"),
            (Command::Close, "CLOSE"),
            (Command::Expunge, "EXPUNGE"),
            (Command::Idle, "IDLE"),
        ],
    );
}

#[test]
fn commands_about_the_session() {
    let sasl = |initial: Option<&[u8]>| Command::Authenticate {
        mechanism: "PLAIN".into(),
        initial: initial.map(<[u8]>::to_vec),
    };
    assert_sent(
        &PLAIN,
        &[
            (sasl(None), "AUTHENTICATE PLAIN"),
            (sasl(Some(b"")), "AUTHENTICATE PLAIN ="),
            (sasl(Some(b"\0tim\0tanstaaftanstaaf")), "AUTHENTICATE PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"),
            (login("ann", "x"), r#"LOGIN "ann" "x""#),
            (login("nil", ""), r#"LOGIN "nil" """#),
            (login("a\\b", "\"(*%"), r#"LOGIN "a\\b" "\"(*%""#),
            (login("ann", "p\u{e4}ss"), r#"LOGIN "ann" {5}\r\n|+|p\xc3\xa4ss"#),
            (login("\u{e4}", "\u{e4}"), r"LOGIN {2}\r\n|+|\xc3\xa4 {2}\r\n|+|\xc3\xa4"),
            (Command::Enable(strings(&["QRESYNC", "UTF8=ACCEPT"])), "ENABLE QRESYNC UTF8=ACCEPT"),
            (Command::Id(Vec::new()), "ID NIL"),
            (
                Command::Id(vec![("name".into(), "x \"y\"".into()), ("os".into(), String::new())]),
                r#"ID ("name" "x \"y\"" "os" "")"#,
            ),
        ],
    );
    assert_sent(
        &UTF8,
        &[
            (login("ann", "p\u{e4}ss"), r#"LOGIN "ann" "p\xc3\xa4ss""#),
            (
                Command::Login { user: b"ann".to_vec(), password: b"\xff".to_vec() },
                r#"LOGIN "ann" {1}\r\n|+|\xff"#,
            ),
        ],
    );
    assert_eq!(encode_sasl_response(b"").bytes, b"\r\n");
    assert_eq!(encode_sasl_response(b"\x01").bytes, b"AQ==\r\n");
}

#[test]
fn commands_about_mailboxes() {
    let examine = Command::Select { mailbox: b"INBOX".to_vec(), read_only: true, resync: Resync::Condstore };
    let resync = |modseq, known| Command::Select {
        mailbox: b"INBOX".to_vec(),
        read_only: false,
        resync: Resync::Qresync { uid_validity: 67_890_007, modseq, known },
    };
    let mailbox = || b"a b".to_vec();
    assert_sent(
        &PLAIN,
        &[
            (select(b"INBOX"), "SELECT INBOX"),
            (examine, "EXAMINE INBOX (CONDSTORE)"),
            (resync(20_050_715, UidSet::new()), "SELECT INBOX (QRESYNC (67890007 20050715))"),
            (
                resync(i64::MAX as u64, set(&[(41, 41), (43, 211)])),
                "SELECT INBOX (QRESYNC (67890007 9223372036854775807 41,43:211))",
            ),
            (Command::Lsub { reference: Vec::new(), pattern: b"*".to_vec() }, r#"LSUB "" "*""#),
            (
                Command::Status { mailbox: mailbox(), items: vec![StatusItem::Messages] },
                r#"STATUS "a b" (MESSAGES)"#,
            ),
            (
                Command::Status {
                    mailbox: b"&AOk-".to_vec(),
                    items: vec![
                        StatusItem::UidNext,
                        StatusItem::UidValidity,
                        StatusItem::Unseen,
                        StatusItem::Deleted,
                        StatusItem::Size,
                        StatusItem::HighestModSeq,
                        StatusItem::MailboxId,
                        StatusItem::AppendLimit,
                    ],
                },
                "STATUS &AOk- (UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ MAILBOXID APPENDLIMIT)",
            ),
            (Command::Create { mailbox: mailbox(), special_use: Vec::new() }, r#"CREATE "a b""#),
            (
                Command::Create { mailbox: mailbox(), special_use: strings(&["\\Sent", "\\Archive"]) },
                r#"CREATE "a b" (USE (\Sent \Archive))"#,
            ),
            (Command::Delete(mailbox()), r#"DELETE "a b""#),
            (Command::Rename { from: mailbox(), to: b"c".to_vec() }, r#"RENAME "a b" c"#),
            (Command::Subscribe(mailbox()), r#"SUBSCRIBE "a b""#),
            (Command::Unsubscribe(mailbox()), r#"UNSUBSCRIBE "a b""#),
            (Command::GetQuotaRoot(mailbox()), r#"GETQUOTAROOT "a b""#),
            (Command::MyRights(mailbox()), r#"MYRIGHTS "a b""#),
        ],
    );
}

#[test]
fn list_in_every_form() {
    let extended = Command::List {
        selection: strings(&["SUBSCRIBED", "RECURSIVEMATCH"]),
        reference: b"~/".to_vec(),
        patterns: vec![b"INBOX".to_vec(), b"Work/%".to_vec()],
        returns: strings(&["CHILDREN", "SPECIAL-USE"]),
        status: vec![StatusItem::Messages, StatusItem::UidNext],
    };
    let status = |returns: &[&str], status| Command::List {
        selection: Vec::new(),
        reference: Vec::new(),
        patterns: vec![b"*".to_vec()],
        returns: strings(returns),
        status,
    };
    assert_sent(
        &PLAIN,
        &[
            (list(&["*"]), r#"LIST "" "*""#),
            (list(&["", "%"]), r#"LIST "" ("" "%")"#),
            (status(&["SPECIAL-USE"], Vec::new()), r#"LIST "" "*" RETURN (SPECIAL-USE)"#),
            (status(&[], vec![StatusItem::Unseen]), r#"LIST "" "*" RETURN (STATUS (UNSEEN))"#),
            (
                extended,
                "LIST (SUBSCRIBED RECURSIVEMATCH) \"~/\" (\"INBOX\" \"Work/%\") \
                 RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UIDNEXT))",
            ),
        ],
    );
}

#[test]
fn fetch_items_and_modifiers() {
    let peek = |section, partial| fetch(vec![FetchItem::Peek { section, partial }]);
    let modified = |changed_since, partial| Command::Fetch {
        uid: true,
        set: NumberSet::From(1),
        items: vec![FetchItem::Flags],
        changed_since,
        partial,
    };
    let since = |vanished| Some(ChangedSince { modseq: 12_345, vanished });
    let simple = vec![
        FetchItem::Uid,
        FetchItem::Flags,
        FetchItem::ModSeq,
        FetchItem::InternalDate,
        FetchItem::Rfc822Size,
        FetchItem::Envelope,
        FetchItem::BodyStructure,
        FetchItem::EmailId,
        FetchItem::ThreadId,
        FetchItem::Preview,
        FetchItem::GmailMessageId,
        FetchItem::GmailThreadId,
        FetchItem::GmailLabels,
    ];
    let names = strings(&["From", "Message-ID", "X(1)"]);
    assert_sent(
        &PLAIN,
        &[
            (
                fetch(simple),
                "UID FETCH 1:5,7 (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE \
                 EMAILID THREADID PREVIEW X-GM-MSGID X-GM-THRID X-GM-LABELS)",
            ),
            (peek(Section::Full, None), "UID FETCH 1:5,7 (BODY.PEEK[])"),
            (peek(Section::Full, Some((0, 2_048))), "UID FETCH 1:5,7 (BODY.PEEK[]<0.2048>)"),
            (peek(Section::Header, None), "UID FETCH 1:5,7 (BODY.PEEK[HEADER])"),
            (peek(Section::Text, None), "UID FETCH 1:5,7 (BODY.PEEK[TEXT])"),
            (peek(Section::Part(vec![1, 2]), None), "UID FETCH 1:5,7 (BODY.PEEK[1.2])"),
            (peek(Section::Mime(vec![3]), None), "UID FETCH 1:5,7 (BODY.PEEK[3.MIME])"),
            (
                peek(Section::HeaderFields(names), None),
                r#"UID FETCH 1:5,7 (BODY.PEEK[HEADER.FIELDS (From Message-ID "X(1)")])"#,
            ),
            (
                fetch(vec![FetchItem::BinaryPeek { part: vec![1], partial: Some((10, 20)) }]),
                "UID FETCH 1:5,7 (BINARY.PEEK[1]<10.20>)",
            ),
            (
                fetch(vec![FetchItem::BinaryPeek { part: Vec::new(), partial: None }]),
                "UID FETCH 1:5,7 (BINARY.PEEK[])",
            ),
            (modified(since(false), None), "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)"),
            (modified(since(true), None), "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)"),
            (modified(None, Some((-1, -100))), "UID FETCH 1:* (FLAGS) (PARTIAL -1:-100)"),
            (
                modified(since(true), Some((1, 50))),
                "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED PARTIAL 1:50)",
            ),
            (
                Command::Fetch {
                    uid: false,
                    set: NumberSet::From(7),
                    items: vec![FetchItem::Uid],
                    changed_since: None,
                    partial: None,
                },
                "FETCH 7:* (UID)",
            ),
        ],
    );
}

#[test]
fn search_keys() {
    let returning = |words: &[&str]| Command::Search {
        uid: true,
        returns: strings(words),
        criteria: vec![SearchKey::Uid(NumberSet::Set(set(&[(1, 9)])))],
    };
    assert_sent(
        &PLAIN,
        &[
            (search(vec![SearchKey::All]), "UID SEARCH ALL"),
            (
                Command::Search { uid: false, returns: Vec::new(), criteria: vec![SearchKey::Unseen] },
                "SEARCH UNSEEN",
            ),
            (returning(&["MIN", "MAX"]), "UID SEARCH RETURN (MIN MAX) UID 1:9"),
            (returning(&["PARTIAL -1:-500"]), "UID SEARCH RETURN (PARTIAL -1:-500) UID 1:9"),
            (
                search(vec![
                    SearchKey::Uid(NumberSet::From(4)),
                    SearchKey::Not(Box::new(SearchKey::Deleted)),
                    SearchKey::Since { year: 1994, month: 2, day: 1 },
                    SearchKey::Larger(10),
                    SearchKey::Smaller(u64::MAX),
                    SearchKey::ModSeq(620_162_338),
                ]),
                "UID SEARCH UID 4:* NOT DELETED SINCE 1-Feb-1994 LARGER 10 SMALLER 18446744073709551615 \
                 MODSEQ 620162338",
            ),
            (search(vec![header("Message-ID", b"<a\"b@c>")]), r#"UID SEARCH HEADER Message-ID "<a\"b@c>""#),
            (
                search(vec![SearchKey::Not(Box::new(header("Subject", "\u{e4}".as_bytes())))]),
                r"UID SEARCH CHARSET UTF-8 NOT HEADER Subject {2}\r\n|+|\xc3\xa4",
            ),
        ],
    );
    let utf8 = search(vec![header("Subject", "\u{e4}".as_bytes())]);
    assert_sent(&UTF8, &[(utf8, r#"UID SEARCH HEADER Subject "\xc3\xa4""#)]);
}

#[test]
fn store_copy_move_expunge() {
    let store = |action, silent, words: &[&str], unchanged_since| Command::Store {
        set: set(&[(3, 3)]),
        action,
        silent,
        flags: flags(words),
        unchanged_since,
    };
    let trash = b"Trash".to_vec();
    assert_sent(
        &PLAIN,
        &[
            (store(StoreAction::Add, false, &["\\Seen"], None), r"UID STORE 3 +FLAGS (\Seen)"),
            (
                store(StoreAction::Remove, true, &["\\Seen", "$Label1"], Some(9)),
                r"UID STORE 3 (UNCHANGEDSINCE 9) -FLAGS.SILENT (\Seen $Label1)",
            ),
            (
                store(StoreAction::Replace, true, &[], Some(0)),
                "UID STORE 3 (UNCHANGEDSINCE 0) FLAGS.SILENT ()",
            ),
            (Command::Copy { set: set(&[(1, 2)]), mailbox: trash.clone() }, "UID COPY 1:2 Trash"),
            (Command::Move { set: set(&[(1, 2)]), mailbox: trash }, "UID MOVE 1:2 Trash"),
            (Command::UidExpunge(set(&[(1, 2), (9, 9)])), "UID EXPUNGE 1:2,9"),
        ],
    );
}

#[test]
fn append_waits_as_the_server_wants() {
    let item = AppendItem {
        flags: flags(&["\\Seen", "$Label1"]),
        internal_date: Some(837_571_465_000),
        message: b"Hi\r\n".to_vec(),
    };
    let bare = AppendItem { flags: flags(&[]), internal_date: None, message: b"Ho".to_vec() };
    let append_all = |messages| Command::Append { mailbox: b"Sent Mail".to_vec(), messages };
    let full = append_all(vec![item.clone()]);
    let dated = r#"APPEND "Sent Mail" (\Seen $Label1) "17-Jul-1996 02:44:25 +0000" "#;
    assert_sent(&PLAIN, &[(full.clone(), &format!(r"{dated}{{4}}\r\n|+|Hi\r\n"))]);
    assert_sent(&PLUS, &[(full, &format!(r"{dated}{{4+}}\r\nHi\r\n"))]);
    let both = append_all(vec![item, bare]);
    assert_sent(&PLUS, &[(both.clone(), &format!(r"{dated}{{4+}}\r\nHi\r\n {{2+}}\r\nHo"))]);
    assert_sent(&PLAIN, &[(both, &format!(r"{dated}{{4}}\r\n|+|Hi\r\n {{2}}\r\n|+|Ho"))]);
    assert_eq!(encode("a1", &append_all(Vec::new()), &PLUS), Err(EncodeError::Empty { field: "messages" }));
    assert_sent(&BINARY, &[(append(b"a\0b"), r"APPEND INBOX ~{3}\r\n|+|a\x00b")]);
    assert_sent(&EncodeOptions { binary: true, ..PLUS }, &[(append(b"\0"), r"APPEND INBOX ~{1+}\r\n\x00")]);
    assert_sent(&MINUS, &[(append(b""), r"APPEND INBOX {0+}\r\n")]);
    let nul = encode("a1", &append(b"a\0b"), &PLUS);
    assert_eq!(nul, Err(EncodeError::Nul { field: "message" }));
}

#[test]
fn note_47_literals_go_without_waiting_only_where_allowed() {
    for (options, size, waits) in [
        (PLAIN, 10, true),
        (MINUS, 10, false),
        (MINUS, 4_096, false),
        (MINUS, 4_097, true),
        (PLUS, 4_097, false),
        (PLUS, 1_000_000, false),
    ] {
        let encoded = encode("a1", &append(&vec![b'x'; size]), &options).unwrap();
        assert_eq!(encoded.fragments.len(), if waits { 2 } else { 1 }, "{options:?} {size}");
        assert_eq!(encoded.fragments[0].wait, waits, "{options:?} {size}");
        let announced = format!("{{{size}{}}}\r\n", if waits { "" } else { "+" });
        let head = &encoded.fragments[0].bytes[..13 + announced.len() + 3];
        assert!(String::from_utf8_lossy(head).contains(&announced), "{options:?} {size}");
    }
}

#[test]
fn note_36_values_never_end_their_line() {
    let evil = b"x\r\na2 DELETE INBOX";
    let evil_text = "x\r\na2 DELETE INBOX";
    let mut stored = FlagSet::new(Flags::SEEN);
    stored.insert_wire(evil);
    assert_eq!(stored.keywords(), [""; 0], "no such keyword can be made");
    assert_sent(
        &PLAIN,
        &[
            (select(evil), r"SELECT {18}\r\n|+|x\r\na2 DELETE INBOX"),
            (
                Command::Rename { from: b"a\"b".to_vec(), to: b"a\rb".to_vec() },
                r#"RENAME "a\"b" {3}\r\n|+|a\rb"#,
            ),
            (
                search(vec![header("Subject", evil)]),
                r"UID SEARCH HEADER Subject {18}\r\n|+|x\r\na2 DELETE INBOX",
            ),
            (
                search(vec![header(evil_text, b"y")]),
                r#"UID SEARCH HEADER {18}\r\n|+|x\r\na2 DELETE INBOX "y""#,
            ),
            (list(&["a\nb"]), r#"LIST "" {3}\r\n|+|a\nb"#),
            (select(b"a\tb"), r"SELECT {3}\r\n|+|a\tb"),
            (select(b""), r#"SELECT """#),
            (select(b"nil"), r#"SELECT "nil""#),
            (select(b"a]b"), r#"SELECT "a]b""#),
            (select(b"{5}"), r#"SELECT "{5}""#),
            (select(b"\\*"), r#"SELECT "\\*""#),
            (select(b"\xe9"), r"SELECT {1}\r\n|+|\xe9"),
        ],
    );
    let words = || strings(&[evil_text]);
    let not_atoms: &[(Command, &str)] = &[
        (Command::Authenticate { mechanism: evil_text.into(), initial: None }, "mechanism"),
        (Command::Enable(words()), "capability to enable"),
        (Command::Create { mailbox: b"x".to_vec(), special_use: words() }, "special use"),
        (
            Command::Search { uid: true, returns: words(), criteria: vec![SearchKey::All] },
            "search return option",
        ),
        (
            Command::Search { uid: true, returns: strings(&["MIN) ALL ("]), criteria: vec![SearchKey::All] },
            "search return option",
        ),
    ];
    for (command, field) in not_atoms {
        assert_eq!(encode("a1", command, &PLUS), Err(EncodeError::NotAtom { field }), "{command:?}");
    }
}

#[test]
fn note_36_nul_is_refused_by_name() {
    let nul = || b"a\0b".to_vec();
    let cases: &[(Command, &str)] = &[
        (select(&nul()), "mailbox name"),
        (Command::Login { user: nul(), password: b"x".to_vec() }, "user name"),
        (Command::Login { user: b"x".to_vec(), password: nul() }, "password"),
        (Command::Lsub { reference: nul(), pattern: b"*".to_vec() }, "reference name"),
        (list(&["\0"]), "mailbox pattern"),
        (search(vec![header("\0", b"x")]), "header field name"),
        (search(vec![header("x", &nul())]), "search text"),
        (Command::Id(vec![("\0".into(), String::new())]), "identification"),
        (
            fetch(vec![FetchItem::Peek { section: Section::HeaderFields(strings(&["\0"])), partial: None }]),
            "header field name",
        ),
    ];
    for options in [PLAIN, PLUS, UTF8, BINARY] {
        for (command, field) in cases {
            assert_eq!(encode("a1", command, &options), Err(EncodeError::Nul { field }), "{command:?}");
        }
    }
}

#[test]
fn a_keyword_from_a_damaged_store_is_refused() {
    let bytes = postcard::to_allocvec(&(Flags::NONE, vec!["x) \\Deleted"])).unwrap();
    let flags: FlagSet = postcard::from_bytes(&bytes).unwrap();
    let store = Command::Store {
        set: set(&[(1, 1)]),
        action: StoreAction::Add,
        silent: true,
        flags,
        unchanged_since: None,
    };
    assert_eq!(encode("a1", &store, &PLAIN), Err(EncodeError::NotAtom { field: "keyword" }));
}

#[test]
fn what_the_protocol_cannot_say_is_refused() {
    let empty = |field| EncodeError::Empty { field };
    let range = |field| EncodeError::Range { field };
    let resync = |uid_validity, modseq| Command::Select {
        mailbox: b"x".to_vec(),
        read_only: false,
        resync: Resync::Qresync { uid_validity, modseq, known: UidSet::new() },
    };
    let modified = |uid, changed_since, partial| Command::Fetch {
        uid,
        set: NumberSet::From(1),
        items: vec![FetchItem::Flags],
        changed_since,
        partial,
    };
    let since = |modseq, vanished| Some(ChangedSince { modseq, vanished });
    let peek = |section, partial| fetch(vec![FetchItem::Peek { section, partial }]);
    let date = |month, day| search(vec![SearchKey::Since { year: 2020, month, day }]);
    let cases = [
        (Command::UidExpunge(UidSet::new()), empty("messages")),
        (Command::Copy { set: UidSet::new(), mailbox: b"x".to_vec() }, empty("messages")),
        (search(Vec::new()), empty("search criteria")),
        (search(vec![SearchKey::Uid(NumberSet::From(0))]), range("messages")),
        (search(vec![header("x", b"\xff")]), EncodeError::NotUtf8 { field: "search text" }),
        (search(vec![SearchKey::ModSeq(1 << 63)]), range("mod-sequence")),
        (date(0, 1), range("search date")),
        (date(13, 1), range("search date")),
        (date(1, 0), range("search date")),
        (date(1, 32), range("search date")),
        (fetch(Vec::new()), empty("FETCH items")),
        (peek(Section::HeaderFields(Vec::new()), None), empty("header field names")),
        (peek(Section::Part(Vec::new()), None), empty("part number")),
        (peek(Section::Mime(Vec::new()), None), empty("part number")),
        (peek(Section::Part(vec![1, 0]), None), range("part number")),
        (peek(Section::Full, Some((5, 0))), range("partial length")),
        (modified(true, since(0, false), None), range("mod-sequence")),
        (modified(false, since(1, true), None), range("VANISHED modifier")),
        (modified(true, None, Some((0, 5))), range("PARTIAL range")),
        (modified(true, None, Some((-1, 5))), range("PARTIAL range")),
        (modified(true, None, Some((1, 1 << 32))), range("PARTIAL range")),
        (modified(true, None, Some((i64::MIN, -1))), range("PARTIAL range")),
        (resync(0, 1), range("UIDVALIDITY")),
        (resync(1, 0), range("mod-sequence")),
        (Command::Enable(Vec::new()), empty("capability to enable")),
        (Command::Status { mailbox: b"x".to_vec(), items: Vec::new() }, empty("STATUS items")),
        (list(&[]), empty("mailbox pattern")),
        (Command::Id(vec![("x".into(), "y".repeat(1_025))]), range("identification")),
    ];
    for (command, error) in cases {
        assert_eq!(encode("a1", &command, &PLAIN), Err(error), "{command:?}");
    }
    for tag in ["", "a b", "a\r\n", "+", "*", "\u{e4}"] {
        assert_eq!(encode(tag, &Command::Noop, &PLAIN), Err(EncodeError::Tag), "{tag:?}");
    }
}

#[test]
fn lines_are_bounded() {
    let scattered: UidSet = (1..=5_000).map(|n| n * 2).collect();
    let error = encode("a1", &Command::UidExpunge(scattered.clone()), &PLAIN).unwrap_err();
    assert!(matches!(error, EncodeError::TooLong { octets } if octets > 20_000), "{error}");

    let parts = split_set(&scattered, MAX_SET);
    for part in &parts {
        let encoded = encode("a1", &Command::UidExpunge(part.clone()), &PLAIN).unwrap();
        assert!(encoded.fragments[0].bytes.len() <= MAX_LINE);
    }
    let joined = parts.iter().fold(UidSet::new(), |all, part| all.union(part));
    assert_eq!(joined, scattered);

    let long_token =
        Command::Authenticate { mechanism: "OAUTHBEARER".into(), initial: Some(vec![b'x'; 6_000]) };
    assert!(matches!(encode("a1", &long_token, &PLAIN), Err(EncodeError::TooLong { .. })));

    // What is in a literal does not count.
    let long_name = select(&vec![b'x'; 64 << 10]);
    assert_eq!(encode("a1", &long_name, &PLAIN).unwrap().fragments.len(), 2);
}

#[test]
fn secrets_are_marked_and_hidden() {
    let encoded = encode("a1", &login("ann", "s3cret\u{e4}"), &PLAIN).unwrap();
    assert!(encoded.is_secret() && encoded.fragments.iter().all(|fragment| fragment.is_secret()));
    assert!(!format!("{encoded:?}").contains("s3cret"));
    let response = encode_sasl_response(b"s3cret");
    assert!(response.is_secret() && !format!("{response:?}").contains("czN"));
    let sasl = Command::Authenticate { mechanism: "PLAIN".into(), initial: Some(b"s3cret".to_vec()) };
    assert!(encode("a1", &sasl, &PLAIN).unwrap().is_secret());
    assert!(!encode("a1", &select(b"INBOX"), &PLAIN).unwrap().is_secret());
}

/// Reads one astring the way a server does; returns what follows it.
fn read_astring(input: &[u8]) -> (Vec<u8>, &[u8]) {
    match input[0] {
        b'"' => {
            let (mut value, mut at) = (Vec::new(), 1);
            while input[at] != b'"' {
                at += usize::from(input[at] == b'\\');
                assert!(!matches!(input[at], b'\r' | b'\n' | 0));
                value.push(input[at]);
                at += 1;
            }
            (value, &input[at + 1..])
        }
        b'{' => {
            let close = input.iter().position(|&b| b == b'}').unwrap();
            let digits = std::str::from_utf8(&input[1..close]).unwrap().trim_end_matches('+');
            let (start, size) = (close + 3, digits.parse::<usize>().unwrap());
            assert_eq!(&input[close + 1..start], b"\r\n");
            (input[start..start + size].to_vec(), &input[start + size..])
        }
        _ => {
            let end = input.iter().position(|b| b" \r".contains(b)).unwrap();
            (input[..end].to_vec(), &input[end..])
        }
    }
}

fn options() -> impl Strategy<Value = EncodeOptions> {
    let literal =
        prop_oneof![Just(LiteralMode::Synchronizing), Just(LiteralMode::Minus), Just(LiteralMode::Plus)];
    (literal, any::<bool>(), any::<bool>()).prop_map(|(literal, utf8, binary)| EncodeOptions {
        literal,
        utf8,
        binary,
    })
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let awkward = prop_oneof![Just(b'"'), Just(b'\\'), Just(b'\r'), Just(b'\n'), Just(b'{'), any::<u8>()];
    proptest::collection::vec(awkward, 0..40)
}

proptest! {
    #[test]
    fn any_strings_arrive_as_they_are(from in octets(), to in octets(), options in options()) {
        let encoded = encode("a1", &Command::Rename { from: from.clone(), to: to.clone() }, &options);
        if from.contains(&0) || to.contains(&0) {
            prop_assert_eq!(encoded, Err(EncodeError::Nul { field: "mailbox name" }));
            return Ok(());
        }
        let sent: Vec<u8> = encoded.unwrap().fragments.iter().flat_map(|part| part.bytes.clone()).collect();
        let (read_from, rest) = read_astring(sent.strip_prefix(b"a1 RENAME ").unwrap());
        let (read_to, rest) = read_astring(rest.strip_prefix(b" ").unwrap());
        prop_assert_eq!((read_from, read_to, rest), (from, to, b"\r\n".as_slice()));
    }

    #[test]
    fn split_sets_fit_and_join(
        uids in proptest::collection::vec(1u32..=u32::MAX, 0..200), max_len in 0usize..100
    ) {
        let whole: UidSet = uids.into_iter().collect();
        let parts = split_set(&whole, max_len);
        for part in &parts {
            prop_assert!(!part.is_empty());
            prop_assert!(part.to_string().len() <= max_len || part.ranges().len() == 1);
        }
        prop_assert_eq!(parts.iter().fold(UidSet::new(), |all, part| all.union(part)), whole);
    }
}
