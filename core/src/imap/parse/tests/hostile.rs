//! Nothing that arrives may panic, loop or allocate without end.

use super::super::envelope::{odd_envelope, plain_envelope};
use super::super::structure::{Parts, odd_structure, plain_structure};
use super::super::*;
use super::samples;
use crate::imap::fetch::FetchAttr;
use crate::imap::response::Code;
use crate::limits::Limits;
use crate::wire::{Framer, Piece};

/// Walks all there is to walk.
fn walk(text: &[u8]) {
    let Ok(response) = response(Frame::new(text)) else { return };
    match response {
        Response::Data(Data::Fetch(fetch)) => fetch.attrs.iter().for_each(walk_attr),
        Response::Data(Data::Search(found) | Data::Sort(found)) => assert!(found.iter().all(|n| n > 0)),
        Response::Data(Data::Vanished { uids, .. }) => {
            assert!(uids.ranges().all(|(lo, hi)| 0 < lo && lo <= hi))
        }
        Response::Data(Data::Id(id)) => drop(id.iter().count()),
        Response::Data(Data::Quota(quota)) => drop(quota.resources().count()),
        Response::Data(Data::List(entry)) => drop((entry.attributes.iter().count(), entry.mailbox.lossy())),
        Response::Data(Data::Esearch(e)) => {
            let sets = e.all.into_iter().chain(e.partial.and_then(|(_, set)| set));
            sets.for_each(|set| assert!(set.ranges().count() > 0));
        }
        Response::Status(Status { code: Some(Code::CopyUid { source, target, .. }), .. }) => {
            assert!(source.ranges().chain(target.ranges()).count() >= 2);
        }
        _ => {}
    }
}

fn walk_attr(attr: FetchAttr<'_>) {
    match attr {
        FetchAttr::Envelope(e) => {
            for list in [e.from, e.sender, e.reply_to, e.to, e.cc, e.bcc] {
                for address in list {
                    drop(address.name.map(|n| n.lossy()));
                }
            }
        }
        FetchAttr::BodyStructure(body) => {
            for part in body.parts(&Limits::DEFAULT) {
                drop((part.filename().map(|f| f.bytes()), part.params.iter().count(), part.envelope()));
            }
        }
        _ => {}
    }
}

/// The same numbers at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Changes a sample in one place: an octet, a piece left out, doubled, or put in.
fn mutate(text: &mut Vec<u8>, numbers: &mut Numbers) {
    const PIECES: &[&[u8]] = &[
        b"(",
        b")",
        b"\"",
        b"\\",
        b" ",
        b"NIL",
        b"{3}\r\n",
        b"{99}\r\n",
        b"~{0}\r\n",
        b"[",
        b"]",
        b"<1>",
        b"0",
        b"4294967296",
        b",",
        b":",
        b"*",
        b" UID 5 ",
        b"\r\n",
        b"\0",
        b"\xff",
        b"((((",
        b"))))",
        b"BODY[",
        b"-1",
        b"1e9",
        b"{",
    ];
    let at = numbers.below(text.len() + 1);
    let len = numbers.below(12).min(text.len() - at);
    match numbers.below(4) {
        0 => drop(text.splice(at..at, PIECES[numbers.below(PIECES.len())].iter().copied())),
        1 => drop(text.drain(at..at + len)),
        2 => drop(text.splice(at..at, text[at..at + len].to_vec())),
        _ if at < text.len() => text[at] = numbers.below(256) as u8,
        _ => text.truncate(at / 2),
    }
}

#[test]
fn mutated_samples_never_panic() {
    let mut numbers = Numbers(0x6d61_696c_6b65_6570);
    for round in 0..200_000 {
        let mut text = samples::RFC[round % samples::RFC.len()].as_bytes().to_vec();
        for _ in 0..1 + numbers.below(4) {
            mutate(&mut text, &mut numbers);
        }
        walk(&text);
        if round % 8 == 0 {
            text.extend_from_slice(b"\r\n");
            frame_and_walk(&text, 1 + numbers.below(40));
        }
    }
}

/// What the quick readers take, the patient ones take too, in the same way.
#[test]
fn quick_readers_agree_with_patient_ones() {
    let mut numbers = Numbers(0x7061_7469_656e_6365);
    let mut taken = 0;
    for round in 0..100_000 {
        let mut text = samples::RFC[round % samples::RFC.len()].as_bytes().to_vec();
        for _ in 0..numbers.below(3) {
            mutate(&mut text, &mut numbers);
        }
        for at in (0..text.len()).filter(|&at| text[at] == b'(') {
            if let Some((quick, end)) = plain_envelope(&text, at) {
                let mut cursor = Cursor::at(&text, at);
                let patient = odd_envelope(&mut cursor).unwrap();
                assert_eq!((cursor.pos, format!("{patient:?}")), (end, format!("{quick:?}")));
                taken += 1;
            }
            if let Some(end) = plain_structure(&text, at) {
                let mut cursor = Cursor::at(&text, at);
                let body = odd_structure(&mut cursor).unwrap();
                assert_eq!(cursor.pos, end);
                let quick = body.parts(&Limits::DEFAULT).map(|part| format!("{part:?}"));
                let patient = Parts::new(Cursor::new(&text[at..end]), 64, 1_000).patiently();
                assert!(quick.eq(patient.map(|part| format!("{part:?}"))));
                taken += 1;
            }
        }
    }
    assert!(taken > 10_000, "{taken}");
}

/// Through the framer, so that side tables come into play.
fn frame_and_walk(text: &[u8], chunk: usize) {
    let mut framer = Framer::new(&Limits::DEFAULT, 2);
    for mut input in text.chunks(chunk) {
        loop {
            match framer.next(&mut input) {
                Ok(Some(Piece::Response(frame))) => {
                    if let Ok(Response::Data(Data::Fetch(fetch))) = response(frame) {
                        fetch.attrs.iter().for_each(walk_attr);
                    }
                }
                Ok(Some(Piece::LiteralStart { head, streamed, .. })) => drop(section_head(head, streamed)),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

#[test]
fn every_prefix_of_every_sample_is_an_answer_or_an_error() {
    for sample in samples::RFC {
        for cut in 0..sample.len() {
            walk(&sample.as_bytes()[..cut]);
        }
    }
}

#[test]
fn note_51_a_set_of_many_ranges_takes_linear_time() {
    let mut line = "* VANISHED 1".to_owned();
    for n in 1..200_000_u32 {
        line.push_str(&format!(",{}:{}", n * 7, n * 7 + n % 5));
    }
    walk(line.as_bytes());
    line.push(',');
    assert_eq!(response(Frame::new(line.as_bytes())).unwrap_err().expected, Expected::VanishedUids);
}

#[test]
fn many_malformed_attributes_take_linear_time() {
    let line = format!("* 1 FETCH ({})", "UID x (\" ".repeat(100_000));
    walk(line.as_bytes());
    let line = format!("* 1 FETCH ({})", "ENVELOPE ((( ".repeat(100_000));
    walk(line.as_bytes());
    let line = format!("* 1 FETCH ({})", "BODY[ ".repeat(100_000));
    walk(line.as_bytes());
}
