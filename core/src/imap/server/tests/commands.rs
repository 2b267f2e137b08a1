//! Commands as they stand in the RFCs, as nobody should send them, and as this crate's client says them.

use proptest::prelude::*;

use super::any;
use crate::imap::command::{
    ChangedSince, DateField, DateOrder, Day, FetchItem, NumberSet, Resync, SearchKey, Section, StoreAction,
};
use crate::imap::encode::{EncodeOptions, LiteralMode, encode};
use crate::imap::server::command::*;
use crate::imap::server::parse::{self, Refused, What, append_head};
use crate::limits::Limits;
use crate::set::UidSet;
use crate::wire::{CommandFramer, CommandPiece, Frame};

fn read(text: &str) -> Result<Command, Refused> {
    parse::command(Frame::new(text.as_bytes()), &Limits::DEFAULT).map(|(tag, command)| {
        assert_eq!(tag, "a");
        command
    })
}

fn parsed(text: &str) -> Command {
    read(&format!("a {text}")).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> What {
    match read(&format!("a {text}")) {
        Ok(command) => panic!("{text}: {command:?}"),
        Err(refused) => {
            assert_eq!(refused.tag.as_deref(), Some("a"));
            refused.error.what
        }
    }
}

fn set(ranges: &[(u32, u32)]) -> UidSet {
    let mut set = UidSet::new();
    for &(low, high) in ranges {
        set.insert_range(low, high);
    }
    set
}

/// One of each form in the RFCs.
const GOOD: &[&str] = &[
    "CAPABILITY",
    "noop",
    "LOGOUT ",
    "STARTTLS",
    "AUTHENTICATE PLAIN",
    "AUTHENTICATE PLAIN =",
    "AUTHENTICATE PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm",
    "LOGIN SMITH SESAME",
    "LOGIN \"a\\\"b\" {3}\r\np\nw",
    "ENABLE CONDSTORE X-GOOD-IDEA",
    "SELECT INBOX",
    "SELECT INBOX (CONDSTORE)",
    "SELECT INBOX (QRESYNC (67890007 20050715194045000))",
    "SELECT INBOX (QRESYNC (67890007 20050715194045000 41:211,214:541))",
    "SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541 (1:19 3:5)))",
    "SELECT INBOX (QRESYNC (67890007 90060115194045000 (1:19 3:5)) CONDSTORE)",
    "EXAMINE blurdybloop",
    "CREATE owatagusiam/blurdybloop",
    "CREATE MySpecial (USE (\\Drafts \\Sent))",
    "DELETE foo",
    "RENAME blurdybloop sarasoop",
    "SUBSCRIBE #news.comp.mail.mime",
    "UNSUBSCRIBE #news.comp.mail.mime",
    "LIST \"\" \"\"",
    "LIST /usr/staff/jones \"\"",
    "LIST ~/Mail/ %",
    "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *",
    "LIST () \"\" (\"INBOX\" \"Drafts\" Sent/%) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))",
    "LIST (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE SUBSCRIBED)",
    "LIST \"\" % RETURN ()",
    "LSUB \"#news.\" \"comp.mail.*\"",
    "NAMESPACE",
    "STATUS blurdybloop (UIDNEXT MESSAGES RECENT SIZE HIGHESTMODSEQ MAILBOXID APPENDLIMIT DELETED)",
    "IDLE",
    "CHECK",
    "CLOSE",
    "UNSELECT",
    "EXPUNGE",
    "UID EXPUNGE 3000:3002",
    "SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
    "SEARCH RETURN () FLAGGED",
    "SEARCH CHARSET UTF-8 TEXT {6}\r\nмат",
    "SEARCH RETURN (SAVE) 1,3:* $ KEYWORD $Junk",
    "SEARCH OR (1:4 UNSEEN) (NOT SUBJECT x) SENTBEFORE \"10-Dec-2020\" LARGER 5 SMALLER 10",
    "SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
    "SEARCH YOUNGER 259200 UID *:5 EMAILID M6d99ac3275bb4e THREADID T1 SAVEDBEFORE 1-Jan-2020",
    "UID SEARCH RETURN (PARTIAL -1:-100) UNDELETED UNKEYWORD $Junk",
    "SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
    "UID SORT RETURN (ALL COUNT) (DISPLAYFROM) US-ASCII 1:*",
    "THREAD REFERENCES UTF-8 SINCE 5-MAR-2000",
    "UID THREAD ORDEREDSUBJECT UTF-8 ALL",
    "FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
    "FETCH 1 ALL",
    "FETCH 1 full",
    "FETCH 1 BODY",
    "FETCH 1 BODY.PEEK[1.2.HEADER.FIELDS.NOT (\"X Y\" {2}\r\nab)]<0.100>",
    "FETCH * (BODY[1.MIME] BODY[TEXT] BODY[] BODY[4.2.2.1] BODY[3.TEXT] RFC822.TEXT RFC822)",
    "FETCH $ (BINARY[] BINARY.PEEK[1.2]<1.2> BINARY.SIZE[3] PREVIEW (LAZY) PREVIEW SAVEDATE)",
    "UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
    "UID FETCH 25900:26600 (UID FLAGS) (PARTIAL -1:-30 CHANGEDSINCE 98305)",
    "STORE 2:4 +FLAGS (\\Deleted)",
    "STORE 2:4 -FLAGS.SILENT \\Deleted $Junk",
    "STORE 7,5,9 (UNCHANGEDSINCE 320162338) FLAGS.SILENT ()",
    "COPY 2:4 MEETING",
    "UID MOVE 42:69 foo",
    "ID NIL",
    "ID (\"name\" \"sodr\" \"version\" NIL)",
    "ID",
    "COMPRESS DEFLATE",
    "GETQUOTA \"\"",
    "GETQUOTAROOT INBOX",
    "SETQUOTA \"!partition/sda4\" (STORAGE 99 MESSAGE 3)",
    "MYRIGHTS INBOX",
    "NOTIFY NONE",
    "NOTIFY SET (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge FlagChange)) (subtree Lists (MessageNew)) (mailboxes (a b) NONE)",
];

#[test]
fn every_form_in_the_rfcs() {
    for text in GOOD {
        parsed(text);
    }
}

#[test]
fn every_cut_is_refused_or_is_a_command_itself() {
    for text in GOOD {
        let whole = format!("a {text}");
        for cut in 0..whole.len() {
            if whole.is_char_boundary(cut) {
                let _ = read(&whole[..cut]);
            }
            // Nor does any other octet in some place do harm.
            for byte in [b'(', b')', b'"', b'{', b' ', 0xff, 0] {
                let mut damaged = whole.clone().into_bytes();
                damaged[cut] = byte;
                let _ = parse::command(Frame::new(&damaged), &Limits::DEFAULT);
            }
        }
    }
}

#[test]
fn what_commands_mean() {
    assert_eq!(
        parsed("STORE 1,7:*,*,4:2 (UNCHANGEDSINCE 5) -flags.silent (\\seen Todo)"),
        Command::Store {
            uid: false,
            set: NumberSet::Union(set(&[(1, 4)]), 7),
            action: StoreAction::Remove,
            silent: true,
            flags: {
                let mut flags = crate::flags::FlagSet::new(crate::flags::Flags::SEEN);
                flags.insert_wire(b"Todo");
                flags
            },
            unchanged_since: Some(5),
        }
        .clone_with_set(set(&[(1, 1), (2, 4)]))
    );
    assert_eq!(
        parsed("FETCH *:9 FAST (CHANGEDSINCE 7)"),
        Command::Fetch {
            uid: false,
            set: NumberSet::From(9),
            items: vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size],
            changed_since: Some(ChangedSince { modseq: 7, vanished: false }),
            partial: None,
        }
    );
    let Command::Fetch { items, .. } = parsed("FETCH 1 body[2.header.fields (a)]<3.4>") else { panic!() };
    let section =
        Section::Within { part: vec![2], section: Box::new(Section::HeaderFields(vec!["a".into()])) };
    assert_eq!(items, [FetchItem::Section { section, partial: Some((3, 4)) }]);
    let Command::Search { criteria, .. } = parsed("SEARCH senton 1-jan-2020 or seen (not new) *") else {
        panic!()
    };
    let day = Day { year: 2020, month: 1, day: 1 };
    assert_eq!(
        criteria,
        [
            SearchKey::Date { field: DateField::Sent, order: DateOrder::On, day },
            SearchKey::Or(
                Box::new(SearchKey::Seen),
                Box::new(SearchKey::And(vec![SearchKey::Not(Box::new(SearchKey::New))]))
            ),
            SearchKey::Seq(NumberSet::From(u32::MAX)),
        ]
    );
    assert_eq!(
        parsed("SELECT x (QRESYNC (1 2 3:4 (1:2 3:4)))"),
        Command::Select {
            mailbox: b"x".to_vec(),
            read_only: false,
            resync: Resync::Qresync { uid_validity: 1, modseq: 2, known: set(&[(3, 4)]) },
        }
    );
    let Command::Search { returns, .. } = parsed("SEARCH RETURN () ALL") else { panic!() };
    assert_eq!(returns, Some(SearchReturn { all: true, ..SearchReturn::default() }));
}

impl Command {
    fn clone_with_set(self, new: UidSet) -> Command {
        match self {
            Command::Store { uid, action, silent, flags, unchanged_since, .. } => {
                Command::Store { uid, set: NumberSet::Union(new, 7), action, silent, flags, unchanged_since }
            }
            other => other,
        }
    }
}

#[test]
fn what_is_refused_and_why() {
    for (text, what) in [
        ("", What::Atom),
        ("FOO", What::Command),
        ("UID NOOP", What::Command),
        ("NOOP x", What::End),
        ("LOGIN a", What::Space),
        ("LOGIN a  b", What::String),
        ("LOGIN a \"b", What::CloseQuote),
        ("LOGIN a \"b\nc\"", What::CloseQuote),
        ("LOGIN a {9}\r\nb", What::Literal),
        ("LOGIN a {1}\r\n\0", What::Literal),
        ("AUTHENTICATE PLAIN %", What::Atom),
        ("AUTHENTICATE PLAIN a", What::Base64),
        ("ENABLE", What::Space),
        ("SELECT a (QRESYNC (0 1))", What::Number),
        ("SELECT a (QRESYNC (1 0))", What::Number),
        ("SELECT a (QRESYNC (1 1 *))", What::SequenceSet),
        ("SELECT a (FOO)", What::Parameter),
        ("LIST (RECURSIVEMATCH) \"\" *", What::Parameter),
        ("LIST (FOO) \"\" *", What::Parameter),
        ("LIST \"\" * RETURN (FOO)", What::Parameter),
        ("STATUS a ()", What::Atom),
        ("STATUS a (FOO)", What::Parameter),
        ("FETCH 0 FLAGS", What::SequenceSet),
        ("FETCH 1:0 FLAGS", What::SequenceSet),
        ("FETCH 4294967296 FLAGS", What::SequenceSet),
        ("FETCH 1, FLAGS", What::SequenceSet),
        ("FETCH 1 (ALL)", What::Parameter),
        ("FETCH 1 ()", What::Parameter),
        ("FETCH 1 BODY[0]", What::Number),
        ("FETCH 1 BODY[1.]", What::Section),
        ("FETCH 1 BODY[MIME]", What::Section),
        ("FETCH 1 BODY[HEADER.FIELDS ()]", What::String),
        ("FETCH 1 BODY[]<1>", What::Range),
        ("FETCH 1 BODY[]<1.0>", What::Number),
        ("FETCH 1 FLAGS (CHANGEDSINCE 0)", What::Number),
        ("FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", What::Parameter),
        ("UID FETCH 1 FLAGS (VANISHED)", What::Parameter),
        ("FETCH 1 FLAGS (PARTIAL 1:-1)", What::Range),
        ("SEARCH", What::Space),
        ("SEARCH CHARSET KOI8-R ALL", What::Charset),
        ("SEARCH FOO", What::SearchKey),
        ("SEARCH ()", What::SearchKey),
        ("SEARCH OLDER 0", What::Number),
        ("SEARCH SINCE 30-Feb-2020", What::Date),
        ("SEARCH RETURN (FOO) ALL", What::Parameter),
        ("SEARCH RETURN (ALL PARTIAL 1:2) ALL", What::Parameter),
        ("SEARCH SUBJECT {1}\r\n\u{80}", What::Text),
        ("SORT (FOO) UTF-8 ALL", What::Parameter),
        ("THREAD FOO UTF-8 ALL", What::Parameter),
        ("STORE 1 FLAGS (\\Foo)", What::Flag),
        ("STORE 1 FLAGS (\\Recent)", What::Flag),
        ("STORE 1 FLAGS", What::Space),
        ("STORE 1 FOO ()", What::Parameter),
        ("REPLACE 1:2 a {1}\r\nx", What::Number),
        ("APPEND a {1}\r\nx", What::Literal),
        ("NOTIFY SET (selected (Foo))", What::Parameter),
        ("NOTIFY SET (selected MessageNew)", What::OpenParenthesis),
    ] {
        assert_eq!(refused(text), what, "{text}");
    }
    for tag in ["+", "a+b NOOP", "* NOOP", "(a NOOP", "", " NOOP"] {
        let error = read(tag).expect_err("no tag");
        assert!(error.tag.is_none() || tag == "a+b NOOP", "{tag}: {error:?}");
    }
}

#[test]
fn nesting_and_lists_are_bounded() {
    let deep = |n: usize| format!("SEARCH {}SEEN{}", "(".repeat(n), ")".repeat(n));
    parsed(&deep(60));
    assert_eq!(refused(&deep(64)), What::TooDeep);
    assert_eq!(refused(&format!("SEARCH {}", "NOT ".repeat(100_000))), What::TooDeep);
    assert_eq!(refused(&format!("SEARCH {}", "OR ".repeat(100_000))), What::TooDeep);
    assert_eq!(refused(&format!("SEARCH{}", " SEEN".repeat(3_000))), What::TooMany);
    assert_eq!(refused(&format!("FETCH 1 (UID{})", " UID".repeat(3_000))), What::TooMany);
    assert_eq!(refused(&format!("FETCH 1 BODY[{}1]", "1.".repeat(3_000))), What::TooMany);
    assert_eq!(refused(&format!("STORE 1 FLAGS (a{})", " a".repeat(3_000))), What::TooMany);
}

/// Frames and reads what the client sent, consenting to everything.
fn hear(bytes: &[u8]) -> (Command, Vec<u8>, Vec<parse::AppendHead>) {
    let mut framer = CommandFramer::new(&Limits::DEFAULT);
    let (mut data, mut heads) = (Vec::new(), Vec::new());
    let mut input = bytes;
    loop {
        match framer.next(&mut input).expect("it can be framed").expect("it is whole") {
            CommandPiece::Continue | CommandPiece::LiteralEnd => continue,
            CommandPiece::MessageStart { head, streamed, .. } => {
                heads.push(append_head(head, streamed, &Limits::DEFAULT).expect("a head"));
            }
            CommandPiece::LiteralData(octets) => {
                data.extend_from_slice(octets);
                continue;
            }
            CommandPiece::Refused { why, .. } => panic!("{why:?}"),
            CommandPiece::Command(frame) => {
                let (tag, command) = match parse::command(frame, &Limits::DEFAULT) {
                    Ok(read) => read,
                    Err(error) => panic!("{error}: {}", frame.text.escape_ascii()),
                };
                assert_eq!(tag, "T1");
                return (command, data, heads);
            }
        }
        framer.accept();
    }
}

#[test]
fn appends_in_every_form() {
    let (command, data, heads) = hear(
        b"T1 APPEND {3}\r\nbox (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {2}\r\nhi UTF8 (~{3}\r\nyou) ~{0+}\r\n\r\n",
    );
    assert_eq!(data, b"hiyou");
    let Command::Append { mailbox, messages } = command else { panic!() };
    assert_eq!(mailbox, b"box");
    let shown: Vec<_> = messages.iter().map(|m| (m.len, m.literal8, m.internal_date.is_some())).collect();
    assert_eq!(shown, [(2, false, true), (3, true, false), (0, true, false)]);
    assert_eq!(heads.iter().map(|head| head.earlier).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(heads[0].message.internal_date, Some(837_596_665_000));
    let (command, _, heads) = hear(b"T1 UID REPLACE 4 Drafts (\\Draft) {2+}\r\nhi\r\n");
    assert!(matches!(command, Command::Replace { uid: true, .. }));
    assert_eq!(heads[0].replaces, Some((true, NumberSet::Set(set(&[(4, 4)])))));
    let head = |text: &[u8]| append_head(text, &[], &Limits::DEFAULT).map_err(|e| e.error.what);
    assert_eq!(head(b"a APPEND box \"1-Jan-20\" ").err(), Some(What::Date));
    assert_eq!(head(b"a APPEND box(").err(), Some(What::Space));
    assert_eq!(head(b"a FOO box ").err(), Some(What::Command));
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?} {:?}", parsed("LOGIN ann s3cret"), parsed("AUTHENTICATE PLAIN czNjcmV0"));
    assert_eq!(shown, "Login Authenticate");
}

fn options() -> impl Strategy<Value = EncodeOptions> {
    let literal =
        prop_oneof![Just(LiteralMode::Synchronizing), Just(LiteralMode::Minus), Just(LiteralMode::Plus)];
    (literal, any::<bool>()).prop_map(|(literal, utf8)| EncodeOptions { literal, utf8, binary: true })
}

proptest! {
    #[test]
    fn a_server_hears_what_the_client_said((said, expected) in any::command(), options in options()) {
        let encoded = encode("T1", &said, &options).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let bytes: Vec<u8> = encoded.fragments.iter().flat_map(|f| f.bytes.clone()).collect();
        let (heard, data, _) = hear(&bytes);
        prop_assert_eq!(heard, expected);
        if let crate::imap::command::Command::Append { messages, .. } = said {
            let sent: Vec<u8> = messages.into_iter().flat_map(|m| m.message).collect();
            prop_assert_eq!(data, sent);
        }
    }

    #[test]
    fn any_octets_are_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse::command(Frame::new(&octets), &Limits::DEFAULT);
        let _ = append_head(&octets, &[], &Limits::DEFAULT);
        let mut framer = CommandFramer::new(&Limits::DEFAULT);
        let mut input = octets.as_slice();
        while let Ok(Some(piece)) = framer.next(&mut input) {
            if matches!(piece, CommandPiece::MessageStart { .. }) {
                framer.refuse();
            }
        }
    }
}
