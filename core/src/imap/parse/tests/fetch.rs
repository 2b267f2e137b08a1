//! FETCH attributes, envelopes and structures.

use super::super::*;
use super::{data, samples};
use crate::imap::body::{Addresses, BodyStructure, Envelope, PartKind};
use crate::imap::fetch::{FetchAttr, SectionData};
use crate::limits::Limits;
use crate::wire::StreamedLiteral;

fn attrs(text: &str) -> Vec<FetchAttr<'_>> {
    match data(text) {
        Data::Fetch(fetch) => fetch.attrs.iter().collect(),
        other => panic!("{text}: {other:?}"),
    }
}

fn envelope(text: &str) -> Envelope<'_> {
    let found = attrs(text).into_iter().find_map(|attr| match attr {
        FetchAttr::Envelope(envelope) => Some(envelope),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{text}: {:?}", attrs(text)))
}

fn structure(text: &str) -> BodyStructure<'_> {
    let found = attrs(text).into_iter().find_map(|attr| match attr {
        FetchAttr::BodyStructure(body) => Some(body),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{text}: {:?}", attrs(text)))
}

fn addresses(list: Addresses<'_>) -> Vec<String> {
    let word =
        |text: Option<crate::imap::text::Text<'_>>| text.map_or("-".into(), |t| t.lossy().into_owned());
    list.iter().map(|a| format!("{} {}@{}", word(a.name), word(a.mailbox), word(a.host))).collect()
}

/// `path type/subtype size kind` of each part.
fn outline(body: &BodyStructure<'_>, limits: &Limits) -> Vec<String> {
    let word =
        |text: Option<crate::imap::text::Text<'_>>| text.map_or("-".into(), |t| t.lossy().to_lowercase());
    let line = |p: crate::imap::body::Part<'_>| {
        format!("{} {}/{} {} {:?}", p.path, word(p.media_type), word(p.subtype), p.size, p.kind)
    };
    body.parts(limits).map(line).collect()
}

#[test]
fn attributes_of_every_kind() {
    let found = attrs(samples::ENVELOPE);
    assert!(matches!(found[0], FetchAttr::Flags(flags) if flags.contains("\\SEEN")));
    assert!(matches!(found[1], FetchAttr::InternalDate(Some(837_596_665_000))));
    assert!(matches!(found[2], FetchAttr::Rfc822Size(4286)));
    assert!(matches!(found[3..], [FetchAttr::Envelope(_), FetchAttr::BodyStructure(_)]));
    let found = attrs(
        "* 1 FETCH (uid 9 BODY[]<512> \"a\\\"c\" BODY[HEADER.FIELDS (\"a]\" B)] NIL BINARY.SIZE[1.2] 17 \
         BINARY[1] ~{3}\r\na b RFC822.TEXT NIL RFC822.HEADER {1}\r\nx)",
    );
    assert!(matches!(found[0], FetchAttr::Uid(9)));
    let FetchAttr::Section { section: b"", origin: Some(512), binary: false, data } = found[1] else {
        panic!()
    };
    assert!(matches!(data, SectionData::Inline(text) if *text.bytes() == *b"a\"c"));
    assert!(matches!(
        found[2],
        FetchAttr::Section { section: b"HEADER.FIELDS (\"a]\" B)", data: SectionData::Nil, .. }
    ));
    assert!(matches!(found[3], FetchAttr::BinarySize { section: b"1.2", size: 17 }));
    let FetchAttr::Section { binary: true, data: SectionData::Inline(text), .. } = found[4] else { panic!() };
    assert_eq!(text.raw, b"a b");
    assert!(matches!(found[5], FetchAttr::Section { section: b"TEXT", data: SectionData::Nil, .. }));
    assert!(matches!(found[6], FetchAttr::Section { section: b"HEADER", data: SectionData::Inline(_), .. }));
    let found = attrs(
        "* 4 FETCH (EMAILID (M6) THREADID (T4) THREADID NIL PREVIEW NIL SAVEDATE NIL X-GM-THRID 1278455344230334865 \
         X-GM-MSGID 12 X-GM-LABELS (\\Inbox \"a)b\") X-NEW (a (b \")\")) NEW[x] y MODSEQ (7) )",
    );
    assert!(matches!(found[0], FetchAttr::EmailId(b"M6")));
    assert!(matches!(found[1..3], [FetchAttr::ThreadId(Some(b"T4")), FetchAttr::ThreadId(None)]));
    assert!(matches!(found[3..5], [FetchAttr::Preview(None), FetchAttr::SaveDate(None)]));
    assert!(matches!(found[5], FetchAttr::GmailThreadId(1_278_455_344_230_334_865)));
    assert!(matches!(
        found[6..8],
        [FetchAttr::GmailMessageId(12), FetchAttr::GmailLabels(b"\\Inbox \"a)b\"")]
    ));
    assert!(matches!(
        found[8..10],
        [FetchAttr::Unknown { name: b"X-NEW" }, FetchAttr::Unknown { name: b"NEW" }]
    ));
    assert!(matches!(found[10..], [FetchAttr::ModSeq(7)]));
}

#[test]
fn envelopes() {
    let e = envelope(samples::ENVELOPE);
    assert_eq!(e.subject.unwrap().raw, b"IMAP4rev2 WG mtg summary and minutes");
    assert_eq!(addresses(e.from), ["Terry Gray gray@cac.washington.edu"]);
    assert_eq!(addresses(e.reply_to), addresses(e.from));
    assert_eq!(addresses(e.cc), ["- minutes@CNRI.Reston.VA.US", "John Klensin KLENSIN@MIT.EDU"]);
    assert!(e.bcc.is_empty() && e.in_reply_to.is_none());
    assert_eq!(e.message_id.unwrap().raw, b"<B27397-0100000@cac.washington.edu>");
}

#[test]
fn envelopes_that_servers_bend() {
    let e = envelope(
        "* 1 FETCH (ENVELOPE ( NIL {2}\r\n)( ( (NIL NIL \"a\" \"b\") (\"n\"  NIL \"c\" NIL ) ) () \"\" \
         (({3}\r\nNIL NIL u h)(NIL nil \"a\" \"b\")(NIL NIL \"grp\" NIL)(NIL NIL NIL NIL)(\"short\"))))",
    );
    assert_eq!(e.subject.unwrap().raw, b")(");
    assert_eq!(addresses(e.from), ["- a@b", "n c@-"]);
    assert!(e.sender.is_empty() && e.reply_to.is_empty() && e.cc.is_empty() && e.message_id.is_none());
    assert_eq!(addresses(e.to), ["NIL u@h", "- a@b", "- grp@-", "- -@-", "short -@-"]);
    let more = envelope("* 1 FETCH (ENVELOPE (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL (\"x\" (y)) z))");
    assert_eq!(more.subject.unwrap().raw, b"s");
}

#[test]
fn part_numbers_of_section_6_4_5_1() {
    let limits = Limits::DEFAULT;
    assert_eq!(outline(&structure(samples::TEXT), &limits), ["1 text/plain 2279 Leaf"]);
    assert_eq!(
        outline(&structure(samples::MIXED), &limits),
        [
            "1.1 text/plain 10 Leaf",
            "1.2 text/html 20 Leaf",
            "1 multipart/alternative 0 Multipart",
            "2 application/pdf 30 Leaf",
            " multipart/mixed 0 Multipart",
        ]
    );
    assert_eq!(
        outline(&structure(samples::FORWARDED), &limits),
        [
            "1 text/plain 1 Leaf",
            "2.1 text/plain 5 Leaf",
            "2 message/rfc822 50 Message",
            "3.1 text/plain 6 Leaf",
            "3.2 image/gif 7 Leaf",
            "3 multipart/related 0 Multipart",
            "3 message/rfc822 60 Message",
            " multipart/mixed 0 Multipart",
        ]
    );
    let alone = "* 1 FETCH (BODY (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
                 (\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 1) 3))";
    assert_eq!(outline(&structure(alone), &limits), ["1.1 text/plain 5 Leaf", "1 message/rfc822 9 Message"]);
}

#[test]
fn fields_of_parts() {
    let mixed = structure(samples::MIXED);
    let parts: Vec<_> = mixed.parts(&Limits::DEFAULT).collect();
    assert_eq!(parts.iter().map(|p| p.depth).collect::<Vec<_>>(), [2, 2, 1, 1, 0]);
    assert!(parts[1].is_type("TEXT", "HTML") && parts[4].is_multipart());
    assert_eq!(parts[1].content_id.unwrap().raw, b"<h@x>");
    assert_eq!(parts[1].description.unwrap().raw, b"desc");
    assert_eq!((parts[1].encoding.unwrap().raw, parts[1].lines), (&b"base64"[..], Some(2)));
    assert!(parts[3].disposition.unwrap().is_attachment());
    assert_eq!(parts[3].filename().unwrap().lossy(), "f \"1\".pdf");
    assert_eq!(parts[4].params.get("BOUNDARY").unwrap().raw, b"c");
    assert_eq!(parts[3].path.numbers(), [2]);
    let forwarded = structure(samples::FORWARDED);
    let inner = forwarded.parts(&Limits::DEFAULT).nth(2).unwrap();
    assert_eq!(inner.envelope().unwrap().subject.unwrap().raw, b"inner");
    assert_eq!((inner.lines, inner.filename().unwrap().raw), (Some(3), &b"a.eml"[..]));
}

#[test]
fn structures_that_servers_bend() {
    for (body, expected) in [
        ("(\"text\" \"plain\" () NIL NIL NIL NIL)", "1 text/plain 0 Leaf"),
        ("(NIL NIL NIL NIL NIL NIL 5)", "1 -/- 5 Leaf"),
        ("(\"text\" \"plain\")", "1 text/plain 0 Leaf"),
        ("( \"text\"  \"plain\" \"\" NIL  NIL \"7bit\" 9.5e+02  4 )", "1 text/plain 950 Leaf"),
        ("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 7 NIL (\"inline\" NIL))", "1 text/plain 7 Leaf"),
        ("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 7 (\"inline\"))", "1 text/plain 7 Leaf"),
        ("(\"text\" \"plain\" NIL NIL NIL \"7bit\" -1 \"attachment\")", "1 text/plain 0 Leaf"),
        ("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 7 2)", "1 message/rfc822 7 Leaf"),
        (
            "(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 7 2 NIL NIL NIL NIL)",
            "1 message/delivery-status 7 Leaf",
        ),
        ("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 7 (NIL) NIL 3)", "1 message/rfc822 7 Leaf"),
        ("(\"a\" \"b\" (\"odd\" \"1\" \"name\") () \"\" \"7bit\" 7 NIL ())", "1 a/b 7 Leaf"),
        ("(text plain (charset utf-8) NIL NIL 7bit 8 1)", "1 text/plain 8 Leaf"),
    ] {
        let line = format!("* 1 FETCH (BODYSTRUCTURE {body} UID 3)");
        assert_eq!(outline(&structure(&line), &Limits::DEFAULT), [expected], "{body}");
        assert!(matches!(attrs(&line)[1..], [FetchAttr::Uid(3)]));
    }
    let line = "* 1 FETCH (BODY ((\"a\" \"b\" NIL NIL NIL NIL 1) (\"a\" \"c\" NIL NIL NIL NIL 2)))";
    assert_eq!(
        outline(&structure(line), &Limits::DEFAULT),
        ["1 a/b 1 Leaf", "2 a/c 2 Leaf", " multipart/- 0 Multipart"]
    );
}

#[test]
fn note_17_numbers_that_are_none() {
    assert!(matches!(attrs("* 1 FETCH (MODSEQ (-1) UID 2)")[..], [FetchAttr::ModSeq(0), FetchAttr::Uid(2)]));
    assert!(matches!(attrs("* 1 FETCH (MODSEQ (9.3e+06))")[..], [FetchAttr::ModSeq(0)]));
    assert!(matches!(attrs("* 1 FETCH (MODSEQ -1)")[..], [FetchAttr::ModSeq(0)]));
    assert!(matches!(attrs("* 1 FETCH (RFC822.SIZE 9.3736e+06)")[..], [FetchAttr::Rfc822Size(9_373_600)]));
    let found = attrs("* 1 FETCH (RFC822.SIZE -5 UID 2)");
    assert!(matches!(found[..], [FetchAttr::Malformed { name: b"RFC822.SIZE" }, FetchAttr::Uid(2)]));
}

#[test]
fn note_19_malformed_bodystructure_keeps_the_uid() {
    for body in [
        "BODYSTRUCTURE ((((\"text\" 5 5 5))))",
        "BODYSTRUCTURE NIL",
        "BODYSTRUCTURE ()x",
        "BODYSTRUCTURE (\"text\" \"plain\" (NIL (\"x\" \")\")) 3 (4))",
        "BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" x 1) \"mixed\"",
        "BODYSTRUCTURE (\"text\" \"plain\" ({4}\r\n))))",
        "BODYSTRUCTURE (\"text\" \"plain\" (\"name\" \"a\\\"b UID 666 \"",
    ] {
        let line = format!("* 1 FETCH (FLAGS (\\Seen) {body} UID 77)");
        let found = attrs(&line);
        assert!(matches!(found[0], FetchAttr::Flags(_)));
        assert!(matches!(found[1], FetchAttr::Malformed { name: b"BODYSTRUCTURE" }), "{body}: {found:?}");
        assert!(matches!(found[found.len() - 1], FetchAttr::Uid(77)), "{body}: {found:?}");
        assert_eq!(found.len(), 3, "{body}: {found:?}");
    }
}

#[test]
fn note_19_malformed_envelope_keeps_the_uid() {
    for envelope in [
        "ENVELOPE NIL",
        "ENVELOPE (NIL NIL \"x\")",
        "ENVELOPE (NIL (1 2) NIL)",
        "ENVELOPE (\"d\" \"a \"quoted\" b\" NIL)x",
        "ENVELOPE (NIL NIL ((NIL NIL (\"a\") \"b\")))",
    ] {
        let line = format!("* 1 FETCH ({envelope} UID 77 MODSEQ (3))");
        let found = attrs(&line);
        assert!(
            matches!(
                found[..],
                [FetchAttr::Malformed { name: b"ENVELOPE" }, FetchAttr::Uid(77), FetchAttr::ModSeq(3)]
            ),
            "{envelope}: {found:?}"
        );
    }
}

#[test]
fn note_19_a_string_never_names_the_uid() {
    let found = attrs("* 1 FETCH (ENVELOPE (NIL \" UID 666 \" NIL {9}\r\n UID 667  FLAGS ())");
    assert!(!found.iter().any(|attr| matches!(attr, FetchAttr::Uid(_))), "{found:?}");
    // A string that never ends may hold anything.
    let found = attrs("* 1 FETCH (ENVELOPE (NIL \"cut UID 668 FLAGS ())");
    assert!(matches!(found[..], [FetchAttr::Malformed { .. }]), "{found:?}");
    // Nor does anything once the UID is known.
    let found = attrs("* 1 FETCH (UID 5 ENVELOPE (NIL UID 6 )");
    assert!(matches!(found[..], [FetchAttr::Uid(5), FetchAttr::Malformed { .. }]), "{found:?}");
}

#[test]
fn note_50_uid_zero_and_overflow_are_malformed() {
    for uid in ["0", "4294967296", "-1", "x", "5x", "99999999999999999999999"] {
        let line = format!("* 1 FETCH (UID {uid} FLAGS ())");
        let found = attrs(&line);
        assert!(
            matches!(found[..], [FetchAttr::Malformed { name: b"UID" }, FetchAttr::Flags(_)]),
            "{uid}: {found:?}"
        );
    }
}

#[test]
fn note_41_repeated_uids_are_given_as_they_come() {
    assert!(matches!(attrs("* 1 FETCH (UID 5 UID 4)")[..], [FetchAttr::Uid(5), FetchAttr::Uid(4)]));
}

#[test]
fn note_44_dates_that_do_not_parse_are_kept_as_none() {
    for date in ["\"x\"", "NIL", "\"99-Jan-2024 00:00:00 +0000\""] {
        let line = format!("* 1 FETCH (INTERNALDATE {date} UID 1)");
        assert!(matches!(attrs(&line)[..], [FetchAttr::InternalDate(None), FetchAttr::Uid(1)]), "{date}");
    }
}

#[test]
fn streamed_literals_are_found_in_the_side_table() {
    let text = "* 7 FETCH (UID 9 BODY[1] {100}\r\n BODY[2] ~{200}\r\n FLAGS (a) ENVELOPE (x] {5}\r\n) X 1)";
    let at = |needle: &str| text.find(needle).unwrap();
    let streamed = [
        StreamedLiteral { at: at("{100"), len: 100 },
        StreamedLiteral { at: at("{200"), len: 200 },
        StreamedLiteral { at: at("{5"), len: 5 },
    ];
    let frame = Frame { text: text.as_bytes(), streamed: &streamed };
    let Ok(Response::Data(Data::Fetch(fetch))) = response(frame) else { panic!() };
    let found: Vec<_> = fetch.attrs.iter().collect();
    for (attr, (index, len)) in found[1..3].iter().zip([(0, 100), (1, 200)]) {
        let FetchAttr::Section { data: SectionData::Streamed { len: l, index: i }, .. } = attr else {
            panic!()
        };
        assert_eq!((*i, *l), (index, len));
    }
    assert!(matches!(
        found[3..],
        [FetchAttr::Flags(_), FetchAttr::Malformed { name: b"ENVELOPE" }, FetchAttr::Unknown { .. }]
    ));
}

#[test]
fn heads_of_streamed_sections() {
    let head = |text: &'static str, streamed| section_head(text.as_bytes(), streamed);
    let found = head("* 7 FETCH (FLAGS (\\Seen) UID 9 BODY[1.2]<512> ", &[]).unwrap();
    assert_eq!(
        found,
        SectionHead { seq: 7, uid: Some(9), section: b"1.2", origin: Some(512), binary: false }
    );
    let found = head("* 7 fetch (BINARY[1] ~", &[]).unwrap();
    assert_eq!((found.uid, found.section, found.binary), (None, &b"1"[..], true));
    assert_eq!(head("* 7 FETCH (RFC822.TEXT ", &[]).unwrap().section, b"TEXT");
    let two = "* 7 FETCH (BODY[1] {9}\r\n UID 4 BODY[2] ";
    let streamed: &[StreamedLiteral] = &[StreamedLiteral { at: 19, len: 9 }];
    let found = head(two, streamed).unwrap();
    assert_eq!((found.uid, found.section), (Some(4), &b"2"[..]));
    for bad in
        ["", "* 0 FETCH (BODY[] ", "* 1 LIST (BODY[] ", "* 1 FETCH (", "* 1 FETCH (X ", "* 1 FETCH (BODY[ "]
    {
        assert!(head(bad, &[]).is_err(), "{bad}");
    }
}

fn nested(depth: usize) -> String {
    let leaf = "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)";
    format!("* 1 FETCH (BODYSTRUCTURE {}{leaf}{} UID 77)", "(".repeat(depth), " \"mixed\")".repeat(depth))
}

#[test]
fn note_49_nesting_of_64_is_accepted_and_more_is_degraded() {
    let line = nested(64);
    let body = structure(&line);
    let mut parts = body.parts(&Limits::DEFAULT);
    let deepest = parts.next().unwrap();
    assert_eq!((deepest.depth, deepest.path.numbers().len(), deepest.kind), (64, 64, PartKind::Leaf));
    assert_eq!(parts.by_ref().count(), 64);
    assert!(!parts.is_cut());
    let line = nested(65);
    let body = structure(&line);
    let mut parts = body.parts(&Limits::DEFAULT);
    assert_eq!(parts.next().unwrap().kind, PartKind::TooDeep);
    assert_eq!(parts.by_ref().count(), 64);
    assert!(parts.is_cut());
    let messages = format!(
        "* 1 FETCH (BODY {}(\"a\" \"b\" NIL NIL NIL NIL 1){} UID 77)",
        "(\"message\" \"rfc822\" NIL NIL NIL NIL 9 (NIL) ".repeat(64),
        " 4)".repeat(64)
    );
    let body = structure(&messages);
    assert_eq!(body.parts(&Limits::DEFAULT).next().unwrap().path.to_string(), ["1"; 65].join("."));
}

#[test]
fn note_32_nesting_of_100_000_costs_no_stack() {
    let line = nested(100_000);
    let found = attrs(&line);
    assert!(matches!(found[..], [FetchAttr::BodyStructure(_), FetchAttr::Uid(77)]));
    let mut limits = Limits::DEFAULT;
    limits.nesting = usize::MAX;
    assert_eq!(structure(&line).parts(&limits).count(), 65);
    let open = format!("* 1 FETCH (BODYSTRUCTURE {} UID 77)", "(".repeat(100_000));
    assert!(matches!(attrs(&open)[..], [FetchAttr::Malformed { .. }, FetchAttr::Uid(77)]));
    let list = format!("* 1 FETCH (X {}{} UID 77)", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(attrs(&list)[..], [FetchAttr::Unknown { .. }, FetchAttr::Uid(77)]));
}

#[test]
fn note_42_100_000_parts_are_bounded() {
    let leaf = "(\"a\" \"b\" NIL NIL NIL NIL 1)";
    let line = format!("* 1 FETCH (BODYSTRUCTURE ({} \"mixed\") UID 77)", leaf.repeat(100_000));
    let body = structure(&line);
    let mut parts = body.parts(&Limits::DEFAULT);
    assert_eq!(parts.by_ref().count(), 1_000);
    assert!(parts.is_cut());
    let mut limits = Limits::DEFAULT;
    limits.parts = usize::MAX;
    assert_eq!(body.parts(&limits).last().unwrap().path.to_string(), "65000");
}
