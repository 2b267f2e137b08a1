//! Parses the same generated responses with three crates, in turn, and prints a table.
//!
//! Runs are interleaved (one of each, again and again) so that a machine that slows down slows all of
//! them, and the best run of each counts. Whatever was parsed is walked, and what the walk counted must
//! agree between the crates. Allocations are counted by the global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

struct Counting;
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a walk counted, to be the same for all.
#[derive(Default, Debug, PartialEq, Eq, Clone, Copy)]
struct Seen {
    lines: u64,
    flags: u64,
    addresses: u64,
    parts: u64,
    /// A sum over all UIDs, sizes and numbers.
    sum: u64,
}

type Parser = fn(&[u8]) -> Seen;

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(15);
    // One crate alone, and the cases whose names contain a word, for a profiler.
    let only = std::env::args().nth(2);
    let case = std::env::args().nth(3);
    let parsers: [(&str, Parser); 3] =
        [("mailkeep", with_mailkeep), ("imap-codec", with_codec), ("imap-proto", with_proto)];
    let cases: [(&str, String); 4] = [
        ("FETCH envelope + structure", envelopes(20_000)),
        ("FETCH flags + MODSEQ", flags(100_000)),
        ("SEARCH of 100,000", search(100_000)),
        ("VANISHED set of 40,000", vanished(40_000)),
    ];
    println!(
        "{:<28} {:<11} {:>8} {:>8} {:>14} {:>14}",
        "case", "parser", "MB/s", "ratio", "alloc/line", "ns/line"
    );
    for (name, text) in &cases {
        if case.as_ref().is_some_and(|case| !name.contains(case.as_str())) {
            continue;
        }
        let bytes = text.as_bytes();
        let mut best = [f64::MAX; 3];
        let mut allocations = [0; 3];
        let mut seen = [Seen::default(); 3];
        for _ in 0..rounds {
            for (at, (name, parse)) in parsers.iter().enumerate() {
                if only.as_ref().is_some_and(|only| only != name) {
                    continue;
                }
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                let start = Instant::now();
                seen[at] = parse(black_box(bytes));
                best[at] = best[at].min(start.elapsed().as_secs_f64());
                allocations[at] = ALLOCATIONS.load(Ordering::Relaxed) - before;
            }
        }
        for (at, (parser, _)) in parsers.iter().enumerate() {
            if only.as_ref().is_some_and(|only| only != parser) {
                continue;
            }
            assert_eq!(seen[at], seen[0], "{parser} saw something else in {name}");
            let lines = seen[at].lines as f64;
            println!(
                "{name:<28} {parser:<11} {:>8.0} {:>8.2} {:>14.2} {:>14.0}",
                bytes.len() as f64 / best[at] / 1e6,
                best[at] / best[0],
                allocations[at] as f64 / lines,
                best[at] * 1e9 / lines
            );
        }
    }
}

fn with_mailkeep(bytes: &[u8]) -> Seen {
    use mailkeep::imap::fetch::FetchAttr;
    use mailkeep::imap::parse;
    use mailkeep::imap::response::{Data, Response};
    use mailkeep::limits::Limits;
    use mailkeep::wire::{Framer, Piece};

    let limits = Limits::DEFAULT;
    let mut framer = Framer::new(&limits, 64 << 10);
    let mut input = bytes;
    let mut seen = Seen::default();
    while let Some(piece) = framer.next(&mut input).unwrap() {
        let Piece::Response(frame) = piece else { panic!("nothing is streamed here") };
        seen.lines += 1;
        match parse::response(frame).unwrap() {
            Response::Data(Data::Fetch(fetch)) => {
                for attr in fetch.attrs {
                    match attr {
                        FetchAttr::Uid(uid) => seen.sum += u64::from(uid),
                        FetchAttr::ModSeq(modseq) => seen.sum += modseq,
                        FetchAttr::Rfc822Size(size) => seen.sum += size,
                        FetchAttr::Flags(flags) => seen.flags += flags.iter().map(black_box).count() as u64,
                        FetchAttr::InternalDate(date) => drop(black_box(date.unwrap())),
                        FetchAttr::Envelope(envelope) => {
                            black_box((envelope.date, envelope.subject, envelope.message_id));
                            let e = &envelope;
                            for list in [e.from, e.sender, e.reply_to, e.to, e.cc, e.bcc] {
                                for a in list {
                                    seen.addresses += 1;
                                    for s in [a.name, a.route, a.mailbox, a.host] {
                                        seen.sum += s.map_or(0, |s| s.bytes().len() as u64);
                                    }
                                }
                            }
                        }
                        FetchAttr::BodyStructure(body) => {
                            for part in body.parts(&limits) {
                                seen.parts += 1;
                                seen.sum += part.size;
                                black_box(&part);
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            Response::Data(Data::Search(found)) => seen.sum += found.iter().map(u64::from).sum::<u64>(),
            Response::Data(Data::Vanished { uids, .. }) => {
                seen.sum += uids.ranges().map(|(lo, hi)| u64::from(lo) + u64::from(hi)).sum::<u64>();
            }
            other => panic!("{other:?}"),
        }
    }
    seen
}

fn with_codec(bytes: &[u8]) -> Seen {
    use imap_codec::ResponseCodec;
    use imap_codec::decode::Decoder;
    use imap_codec::imap_types::body::BodyStructure;
    use imap_codec::imap_types::fetch::MessageDataItem;
    use imap_codec::imap_types::response::{Data, Response};
    use imap_codec::imap_types::sequence::{SeqOrUid, Sequence};

    fn walk(body: &BodyStructure<'_>, seen: &mut Seen) {
        seen.parts += 1;
        match body {
            BodyStructure::Single { body, .. } => seen.sum += u64::from(body.basic.size),
            BodyStructure::Multi { bodies, .. } => bodies.as_ref().iter().for_each(|b| walk(b, seen)),
        }
    }
    let value = |n: &SeqOrUid| match n {
        SeqOrUid::Value(n) => u64::from(n.get()),
        SeqOrUid::Asterisk => panic!("no asterisk is sent"),
    };
    let codec = ResponseCodec::default();
    let mut rest = bytes;
    let mut seen = Seen::default();
    while !rest.is_empty() {
        let (behind, response) = codec.decode(rest).expect("valid responses");
        rest = behind;
        seen.lines += 1;
        match response {
            Response::Data(Data::Fetch { items, .. }) => {
                for item in items.as_ref() {
                    match item {
                        MessageDataItem::Uid(uid) => seen.sum += u64::from(uid.get()),
                        MessageDataItem::ModSeq(modseq) => seen.sum += modseq.get(),
                        MessageDataItem::Rfc822Size(size) => seen.sum += u64::from(*size),
                        MessageDataItem::Flags(flags) => {
                            seen.flags += flags.iter().map(black_box).count() as u64
                        }
                        MessageDataItem::InternalDate(date) => drop(black_box(date)),
                        MessageDataItem::Envelope(e) => {
                            for list in [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc] {
                                for a in list {
                                    seen.addresses += 1;
                                    for s in [&a.name.0, &a.adl.0, &a.mailbox.0, &a.host.0] {
                                        seen.sum += s.as_ref().map_or(0, |s| s.as_ref().len() as u64);
                                    }
                                }
                            }
                        }
                        MessageDataItem::BodyStructure(body) => walk(body, &mut seen),
                        other => panic!("{other:?}"),
                    }
                }
            }
            Response::Data(Data::Search(numbers, _)) => {
                seen.sum += numbers.iter().map(|n| u64::from(n.get())).sum::<u64>();
            }
            Response::Data(Data::Vanished { known_uids, .. }) => {
                for sequence in known_uids.0.as_ref() {
                    seen.sum += match sequence {
                        Sequence::Single(n) => 2 * value(n),
                        Sequence::Range(a, b) => value(a) + value(b),
                    };
                }
            }
            other => panic!("{other:?}"),
        }
    }
    seen
}

fn with_proto(bytes: &[u8]) -> Seen {
    use imap_proto::{AttributeValue, BodyStructure, MailboxDatum, Response};

    fn walk(body: &BodyStructure<'_>, seen: &mut Seen) {
        seen.parts += 1;
        match body {
            BodyStructure::Basic { other, .. } | BodyStructure::Text { other, .. } => {
                seen.sum += u64::from(other.octets);
            }
            BodyStructure::Message { other, body, .. } => {
                seen.sum += u64::from(other.octets);
                walk(body, seen);
            }
            BodyStructure::Multipart { bodies, .. } => bodies.iter().for_each(|b| walk(b, seen)),
        }
    }
    let mut rest = bytes;
    let mut seen = Seen::default();
    while !rest.is_empty() {
        let (behind, response) = Response::parse(rest).expect("valid responses");
        rest = behind;
        seen.lines += 1;
        match response {
            Response::Fetch(_, attrs) => {
                for attr in &attrs {
                    match attr {
                        AttributeValue::Uid(uid) => seen.sum += u64::from(*uid),
                        AttributeValue::ModSeq(modseq) => seen.sum += modseq,
                        AttributeValue::Rfc822Size(size) => seen.sum += u64::from(*size),
                        AttributeValue::Flags(flags) => {
                            seen.flags += flags.iter().map(black_box).count() as u64
                        }
                        AttributeValue::InternalDate(date) => drop(black_box(date)),
                        AttributeValue::Envelope(e) => {
                            for list in [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc] {
                                for a in list.iter().flatten() {
                                    seen.addresses += 1;
                                    for s in [&a.name, &a.adl, &a.mailbox, &a.host] {
                                        seen.sum += s.as_ref().map_or(0, |s| s.len() as u64);
                                    }
                                }
                            }
                        }
                        AttributeValue::BodyStructure(body) => walk(body, &mut seen),
                        other => panic!("{other:?}"),
                    }
                }
            }
            Response::MailboxData(MailboxDatum::Search(numbers)) => {
                seen.sum += numbers.iter().map(|&n| u64::from(n)).sum::<u64>();
            }
            Response::Vanished { uids, .. } => {
                seen.sum += uids.iter().map(|r| u64::from(*r.start()) + u64::from(*r.end())).sum::<u64>();
            }
            other => panic!("{other:?}"),
        }
    }
    seen
}

/// A small generator of the same numbers at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

const NAMES: [&str; 8] = [
    "Anna Meyer",
    "J. Random Hacker",
    "李雷",
    "Support Team",
    "Maria de la Cruz",
    "Bob",
    "Newsletter",
    "K. O'Neil",
];
const HOSTS: [&str; 5] =
    ["example.org", "mail.example.com", "lists.example.net", "x.org", "corp.example.co.uk"];
const SUBJECTS: [&str; 6] = [
    "Re: [project] patches for the parser",
    "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_aus_M=C3=BCnchen?=",
    "Invoice 2024-00731",
    "Your order has been shipped and will arrive on Thursday",
    "lunch?",
    "Meeting notes, and a \\\"quoted\\\" word",
];

fn address(numbers: &mut Numbers) -> String {
    let name = match numbers.below(4) {
        0 => "NIL".to_owned(),
        _ => format!("\"{}\"", numbers.pick(&NAMES)).replace("李雷", "=?UTF-8?B?5p2O6Zu3?="),
    };
    format!("({name} NIL \"user{}\" \"{}\")", numbers.below(100_000), numbers.pick(&HOSTS))
}

fn list(numbers: &mut Numbers, min: u64, max: u64) -> String {
    let count = min + numbers.below(max - min + 1);
    if count == 0 {
        return "NIL".to_owned();
    }
    format!("({})", (0..count).map(|_| address(numbers)).collect::<String>())
}

fn text_part(numbers: &mut Numbers, subtype: &str) -> String {
    let size = numbers.below(40_000);
    let encoding = numbers.pick(&["quoted-printable", "7bit", "8bit", "base64"]);
    format!(
        "(\"text\" \"{subtype}\" (\"charset\" \"utf-8\") NIL NIL \"{encoding}\" {size} {} NIL NIL NIL NIL)",
        size / 40
    )
}

fn structure(numbers: &mut Numbers) -> String {
    let alternative = |numbers: &mut Numbers| {
        format!(
            "({}{} \"alternative\" (\"boundary\" \"----=_Part_{}\") NIL NIL NIL)",
            text_part(numbers, "plain"),
            text_part(numbers, "html"),
            numbers.below(1 << 30)
        )
    };
    let report = numbers.below(1000);
    match numbers.below(3) {
        0 => text_part(numbers, "plain"),
        1 => alternative(numbers),
        _ => format!(
            "({}(\"application\" \"pdf\" (\"name\" \"report-{report}.pdf\") \"<part{}@example.org>\" NIL \"base64\" {} NIL \
             (\"attachment\" (\"filename\" \"report-{report}.pdf\" \"size\" \"81920\")) NIL NIL) \"mixed\" \
             (\"boundary\" \"=-{}\") NIL NIL NIL)",
            alternative(numbers),
            numbers.below(1000),
            numbers.below(3_000_000),
            numbers.below(1 << 30),
        ),
    }
}

fn envelopes(count: u64) -> String {
    let mut numbers = Numbers(1);
    let mut out = String::new();
    for n in 1..=count {
        let from = list(&mut numbers, 1, 1);
        let reply_to = if numbers.below(4) == 0 { list(&mut numbers, 1, 1) } else { from.clone() };
        let in_reply_to = match numbers.below(2) {
            0 => "NIL".to_owned(),
            _ => format!("\"<{}.abcdef@{}>\"", numbers.below(1 << 30), numbers.pick(&HOSTS)),
        };
        write!(
            out,
            "* {n} FETCH (UID {} RFC822.SIZE {} INTERNALDATE \"{:>2}-Mar-2024 {:02}:12:44 +0100\" FLAGS (\\Seen) \
             ENVELOPE (\"Tue, {} Mar 2024 10:12:44 +0100\" \"{}\" {from} {from} {reply_to} {} {} NIL {in_reply_to} \
             \"<{}.12345.xyz@{}>\") BODYSTRUCTURE {})\r\n",
            n * 3,
            numbers.below(200_000),
            1 + numbers.below(28),
            numbers.below(24),
            1 + numbers.below(28),
            numbers.pick(&SUBJECTS),
            list(&mut numbers, 1, 4),
            list(&mut numbers, 0, 3),
            numbers.below(1 << 40),
            numbers.pick(&HOSTS),
            structure(&mut numbers),
        )
        .unwrap();
    }
    out
}

fn flags(count: u64) -> String {
    let mut numbers = Numbers(2);
    let mut out = String::new();
    for n in 1..=count {
        let flags =
            numbers.pick(&["\\Seen", "", "\\Seen \\Answered", "\\Seen \\Flagged $Forwarded", "\\Recent"]);
        writeln!(
            out,
            "* {n} FETCH (UID {} FLAGS ({flags}) MODSEQ ({}))\r",
            n * 3,
            1_000_000 + numbers.below(1 << 30)
        )
        .unwrap();
    }
    out
}

fn search(count: u64) -> String {
    let mut numbers = Numbers(3);
    let mut uid = 0;
    let mut out = "* SEARCH".to_owned();
    for _ in 0..count {
        uid += 1 + numbers.below(9);
        write!(out, " {uid}").unwrap();
    }
    out + "\r\n"
}

fn vanished(count: u64) -> String {
    let mut numbers = Numbers(4);
    let mut uid = 0;
    let mut out = "* VANISHED (EARLIER) ".to_owned();
    for n in 0..count {
        uid += 2 + numbers.below(9);
        let comma = if n > 0 { "," } else { "" };
        write!(out, "{comma}{uid}").unwrap();
        if numbers.below(2) == 0 {
            uid += 1 + numbers.below(30);
            write!(out, ":{uid}").unwrap();
        }
    }
    out + "\r\n"
}
