//! Responses written, and read back by the client's parser.

use proptest::prelude::*;

use super::any;
use crate::flags::FlagSet;
use crate::imap::command::{Section, StatusItem};
use crate::imap::fetch::{FetchAttr, SectionData};
use crate::imap::mailbox_name;
use crate::imap::parse;
use crate::imap::response as heard;
use crate::imap::server::response::*;
use crate::limits::Limits;
use crate::set::UidSet;
use crate::wire::{Framer, Piece};

const PLAIN: Style = Style { utf8: false };
const UTF8: Style = Style { utf8: true };

fn written(response: &Response<'_>, style: Style) -> String {
    let mut out = Vec::new();
    encode(response, style, &mut out);
    String::from_utf8(out).expect("it is text").replace("\r\n", "|")
}

/// Checks that the octets are one response for a client, and shows it.
fn hear(bytes: &[u8], check: impl FnOnce(heard::Response<'_>)) {
    let mut framer = Framer::new(&Limits::DEFAULT, usize::MAX);
    let mut input = bytes;
    match framer.next(&mut input).expect("it can be framed") {
        Some(Piece::Response(frame)) => {
            check(parse::response(frame).unwrap_or_else(|e| panic!("{e}: {}", frame.text.escape_ascii())));
        }
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
    assert!(input.is_empty(), "more than one response: {}", bytes.escape_ascii());
}

fn said(response: &Response<'_>, style: Style) -> Vec<u8> {
    let mut out = Vec::new();
    encode(response, style, &mut out);
    out
}

#[test]
fn one_of_each() {
    let set = UidSet::from_range(4, 7);
    let mut flags = FlagSet::default();
    flags.insert_wire(b"\\Seen");
    flags.insert_wire(b"Todo");
    let status = |tag, kind, code, text| Response::Status { tag, kind, code, text };
    for (response, expected) in [
        (Response::Continue("go"), "+ go|"),
        (Response::Challenge(b"user"), "+ dXNlcg==|"),
        (Response::Challenge(b""), "+ |"),
        (status(Some("a1"), StatusKind::Ok, None, "done"), "a1 OK done|"),
        (
            status(None, StatusKind::Bye, Some(Code::Plain(PlainCode::Unavailable)), "late"),
            "* BYE [UNAVAILABLE] late|",
        ),
        (status(Some("a"), StatusKind::No, None, "[x] y\r\nb OK"), "a NO (x] y??b OK|"),
        (status(Some("a"), StatusKind::Bad, None, ""), "a BAD done|"),
        (
            status(
                Some("a"),
                StatusKind::Ok,
                Some(Code::CopyUid { uid_validity: 3, source: &set, target: &set }),
                "x",
            ),
            "a OK [COPYUID 3 4:7 4:7] x|",
        ),
        (
            status(None, StatusKind::Ok, Some(Code::PermanentFlags { flags: &flags, keywords: true }), "x"),
            "* OK [PERMANENTFLAGS (\\Seen Todo \\*)] x|",
        ),
        (Response::Capability(&["IMAP4rev2", "AUTH=PLAIN"]), "* CAPABILITY IMAP4rev2 AUTH=PLAIN|"),
        (Response::Flags(&flags), "* FLAGS (\\Seen Todo)|"),
        (
            Response::List(ListEntry {
                attributes: &["\\HasNoChildren", "\\Sent"],
                delimiter: Some('/'),
                mailbox: "Gesendet/é",
                child_info: &["SUBSCRIBED"],
                old_name: Some("Alt"),
            }),
            "* LIST (\\HasNoChildren \\Sent) \"/\" Gesendet/&AOk- (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (Alt))|",
        ),
        (
            Response::MailboxStatus {
                mailbox: "a b",
                items: &[
                    (StatusItem::Messages, StatusValue::Number(3)),
                    (StatusItem::MailboxId, StatusValue::Id("F1")),
                    (StatusItem::AppendLimit, StatusValue::Nil),
                ],
            },
            "* STATUS \"a b\" (MESSAGES 3 MAILBOXID (F1) APPENDLIMIT NIL)|",
        ),
        (Response::Search { numbers: &[], modseq: Some(3) }, "* SEARCH|"),
        (
            Response::Search { numbers: &[2, 5], modseq: Some(917_162_500) },
            "* SEARCH 2 5 (MODSEQ 917162500)|",
        ),
        (Response::Sort { numbers: &[5, 2], modseq: None }, "* SORT 5 2|"),
        (
            Response::Esearch(Esearch {
                tag: "A285",
                uid: true,
                min: Some(7),
                max: Some(3800),
                all: Some(&set),
                count: Some(9),
                modseq: Some(5),
                partial: Some(((-1, -100), &[9, 8, 3, 4, 5])),
                all_sorted: None,
            }),
            "* ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800 COUNT 9 ALL 4:7 PARTIAL (-1:-100 9,8,3:5) MODSEQ 5|",
        ),
        (Response::Esearch(Esearch { tag: "A", ..Esearch::default() }), "* ESEARCH (TAG \"A\")|"),
        (Response::Vanished { earlier: true, uids: &set }, "* VANISHED (EARLIER) 4:7|"),
        (Response::Expunge(4), "* 4 EXPUNGE|"),
        (
            Response::Namespace { personal: Some(("", Some('/'))), other_users: None, shared: None },
            "* NAMESPACE ((\"\" \"/\")) NIL NIL|",
        ),
        (Response::Id(&[("name", "x\"y")]), "* ID (\"name\" \"x\\\"y\")|"),
        (Response::Quota { root: "", resources: &[("STORAGE", 10, 512)] }, "* QUOTA \"\" (STORAGE 10 512)|"),
        (Response::QuotaRoot { mailbox: "INBOX", roots: &[""] }, "* QUOTAROOT INBOX \"\"|"),
        (Response::Thread("(1)(2 3)"), "* THREAD (1)(2 3)|"),
        (Response::Thread(""), "* THREAD|"),
    ] {
        assert_eq!(written(&response, PLAIN), expected);
    }
    assert_eq!(
        written(&Response::Lsub { attributes: &[], delimiter: None, mailbox: "é&" }, UTF8),
        "* LSUB () NIL \"é&\"|"
    );
    assert_eq!(
        written(&Response::Lsub { attributes: &[], delimiter: None, mailbox: "nil" }, PLAIN),
        "* LSUB () NIL \"nil\"|"
    );
}

#[test]
fn fetch_items() {
    let mut out = Vec::new();
    let mut fetch = FetchWriter::begin(3, PLAIN, &mut out);
    let fields = Section::HeaderFields(vec!["DATE".into(), "X Y".into()]);
    let within = Section::Within { part: vec![1, 2], section: Box::new(Section::Text) };
    for value in [
        FetchValue::Uid(9),
        FetchValue::Flags(&FlagSet::default()),
        FetchValue::ModSeq(12),
        FetchValue::InternalDate(0),
        FetchValue::Rfc822Size(7),
        FetchValue::EmailId("M1"),
        FetchValue::ThreadId(None),
        FetchValue::Preview(Some("hé")),
        FetchValue::SaveDate(None),
        FetchValue::Section { section: &fields, origin: Some(4), octets: SectionOctets::Nil },
        FetchValue::Section { section: &within, origin: None, octets: SectionOctets::Here(b"\r\n") },
        FetchValue::BinarySize { part: &[1], size: 5 },
        FetchValue::Rfc822 { name: "RFC822.TEXT", octets: SectionOctets::Here(b"x") },
        FetchValue::Binary { part: &[], origin: None, octets: SectionOctets::Follow(2, true) },
    ] {
        fetch.put(&value, &mut out);
    }
    out.extend_from_slice(b"\0\0");
    fetch.end(&mut out);
    let text = out.escape_ascii().to_string();
    assert_eq!(
        text,
        "* 3 FETCH (UID 9 FLAGS () MODSEQ (12) INTERNALDATE \\\"01-Jan-1970 00:00:00 +0000\\\" RFC822.SIZE 7 \
         EMAILID (M1) THREADID NIL PREVIEW {3}\\r\\nh\\xc3\\xa9 SAVEDATE NIL BODY[HEADER.FIELDS (DATE \\\"X Y\\\")]<4> NIL \
         BODY[1.2.TEXT] {2}\\r\\n\\r\\n BINARY.SIZE[1] 5 RFC822.TEXT \\\"x\\\" BINARY[] ~{2}\\r\\n\\x00\\x00)\\r\\n"
    );
    hear(&out, |response| {
        let heard::Response::Data(heard::Data::Fetch(fetch)) = response else { panic!("{response:?}") };
        assert!(!fetch.attrs.iter().any(|a| matches!(a, FetchAttr::Malformed { .. })));
        assert_eq!(fetch.attrs.iter().count(), 14);
    });
}

proptest! {
    #[test]
    fn a_client_hears_what_was_said(
        (name, text, numbers, utf8) in (any::text(), any::text(), any::uids(), any::<bool>()),
        (flags, word, modseq) in (any::flags(), any::word(), 1..=i64::MAX as u64),
    ) {
        let style = Style { utf8 };
        let words = [word.as_str(), "\\Sent"];
        hear(&said(&Response::Status { tag: Some("t"), kind: StatusKind::No, code: None, text: &text }, style), |r| {
            assert!(matches!(r, heard::Response::Status(heard::Status { code: None, .. })), "{r:?}");
        });
        let entry = ListEntry {
            attributes: &words, delimiter: Some('\\'), mailbox: &name, child_info: &[], old_name: None,
        };
        hear(&said(&Response::List(entry), style), |r| {
            let heard::Response::Data(heard::Data::List(entry)) = r else { panic!("{r:?}") };
            assert_eq!(entry.mailbox.bytes(), mailbox_name::encode(&name, utf8));
            assert_eq!(entry.delimiter, Some(b'\\'));
            assert!(entry.attributes.contains("\\sent"));
        });
        let code = Code::AppendUid { uid_validity: 7, uids: &numbers };
        hear(&said(&Response::Status { tag: None, kind: StatusKind::Ok, code: Some(code), text: &text }, style), |r| {
            let heard::Response::Status(status) = r else { panic!("{r:?}") };
            let Some(heard::Code::AppendUid { uids, .. }) = status.code else { panic!("{status:?}") };
            assert!(uids.ranges().eq(numbers.ranges()));
        });
        let sorted: Vec<u32> = numbers.iter().rev().collect();
        let found = Esearch {
            tag: &name, all: Some(&numbers), partial: Some(((1, 9), &sorted)), modseq: Some(modseq),
            ..Esearch::default()
        };
        hear(&said(&Response::Esearch(found), style), |r| {
            let heard::Response::Data(heard::Data::Esearch(found)) = r else { panic!("{r:?}") };
            assert!(found.all.is_some_and(|all| all.ranges().eq(numbers.ranges())));
            assert_eq!(found.tag.map(|tag| tag.bytes().into_owned()), Some(name.clone().into_bytes()));
            assert_eq!(found.modseq, Some(modseq));
            let partial: Vec<u32> = found.partial.and_then(|(_, set)| set).map_or_else(Vec::new, |set| {
                set.ranges().flat_map(|(low, high)| low..=high).collect()
            });
            assert_eq!(partial.len(), sorted.len());
        });
        hear(&said(&Response::Id(&[(&name, &text)]), style), |r| {
            let heard::Response::Data(heard::Data::Id(pairs)) = r else { panic!("{r:?}") };
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.bytes().into_owned(), v.map(|v| v.bytes().into_owned()))).collect();
            assert_eq!(pairs, [(name.clone().into_bytes(), Some(text.clone().into_bytes()))]);
        });
        hear(&said(&Response::Quota { root: &name, resources: &[("STORAGE", modseq, 5)] }, style), |r| {
            let heard::Response::Data(heard::Data::Quota(quota)) = r else { panic!("{r:?}") };
            assert_eq!(quota.root.bytes(), name.as_bytes());
            assert_eq!(quota.resources().map(|r| r.usage).collect::<Vec<_>>(), [modseq]);
        });
        hear(&said(&Response::Flags(&flags), style), |r| {
            let heard::Response::Data(heard::Data::Flags(list)) = r else { panic!("{r:?}") };
            assert_eq!(list.iter().count(), flags.wire_words().count());
        });
    }

    #[test]
    fn a_client_hears_the_octets_of_sections(
        octets in proptest::collection::vec(any::<u8>(), 0..60),
        section in any::section(),
        origin in proptest::option::of(any::<u32>()),
        preview in any::text(),
        utf8 in any::<bool>(),
    ) {
        let mut out = Vec::new();
        let mut fetch = FetchWriter::begin(1, Style { utf8 }, &mut out);
        fetch.put(&FetchValue::Preview(Some(&preview)), &mut out);
        fetch.put(&FetchValue::Section { section: &section, origin, octets: SectionOctets::Here(&octets) }, &mut out);
        fetch.put(&FetchValue::Uid(5), &mut out);
        fetch.end(&mut out);
        hear(&out, |r| {
            let heard::Response::Data(heard::Data::Fetch(fetch)) = r else { panic!("{r:?}") };
            let attrs: Vec<_> = fetch.attrs.iter().collect();
            let [FetchAttr::Preview(Some(text)), FetchAttr::Section { origin: from, data: SectionData::Inline(data), .. }, FetchAttr::Uid(5)] = attrs[..] else {
                panic!("{attrs:?}")
            };
            assert_eq!((text.bytes().as_ref(), data.bytes().as_ref(), from), (preview.as_bytes(), octets.as_slice(), origin));
        });
    }
}
