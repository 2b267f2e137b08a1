//! The framer under every cut, and at each of its bounds.

use super::*;
use crate::limits::Limits;

/// What came out, with the borders of literal data joined.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Response(Vec<u8>, Vec<StreamedLiteral>),
    Start(Vec<u8>, u64),
    Data(Vec<u8>),
    End,
    Error(FrameError),
}

fn drain(framer: &mut Framer, mut input: &[u8], seen: &mut Vec<Seen>) {
    loop {
        match framer.next(&mut input) {
            Ok(None) => {
                assert!(input.is_empty(), "all is taken before more is asked for");
                return;
            }
            Ok(Some(Piece::Response(frame))) => {
                seen.push(Seen::Response(frame.text.to_vec(), frame.streamed.to_vec()));
            }
            Ok(Some(Piece::LiteralStart { head, len, .. })) => seen.push(Seen::Start(head.to_vec(), len)),
            Ok(Some(Piece::LiteralData(data))) => match seen.last_mut() {
                Some(Seen::Data(joined)) => joined.extend_from_slice(data),
                _ => seen.push(Seen::Data(data.to_vec())),
            },
            Ok(Some(Piece::LiteralEnd)) => seen.push(Seen::End),
            Err(error) => {
                seen.push(Seen::Error(error));
                return;
            }
        }
    }
}

fn small() -> Limits {
    let mut limits = Limits::DEFAULT;
    limits.response = 200;
    limits.inline_literal = 50;
    limits.literals = 4;
    limits.message = 100;
    limits
}

fn frames(input: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    drain(&mut Framer::new(&small(), 10), input, &mut seen);
    seen
}

fn response(text: &str) -> Seen {
    Seen::Response(text.as_bytes().to_vec(), Vec::new())
}

const SAMPLES: &[&str] = &[
    "* OK ready\r\n",
    "* OK ready\n* BYE\r\n",
    "+ \r\n+\r\n\r\n",
    "* LIST () \"/\" {5}\r\nab\r\nc\r\na1 OK done\r\n",
    "* LIST () \"/\" ~{3+}\r\n{9}\r\n",
    "* 1 FETCH (BODY[] {10}\r\n0123456789 UID 4)\r\na OK\r\n",
    "* 1 FETCH (UID 4 BODY[TEXT]<20> {12}\r\n* 9 EXISTS\r\n BINARY[1] ~{11}\r\na1 OK {99}\r\n)\r\n+ x\r\n",
    "* 1 FETCH (BODY[1] {2}\r\n{}BODY[2] {0}\r\n RFC822 {10}\r\n\r\n\r\n\r\n\r\n\r\n rfc822.text {10}\r\nabcdefghij)\r\n",
    "* 1 FETCH (X {3}\r\n\r\n\r)\r\n",
    "* OK see note {5}\r\n* NO {-1}\r\na7 BAD {3}\r\n+ {7}\r\n* [ALERT] x {4}\r\n* 2 EXISTS\r\n",
    "* X {foo}\r\n* Y {1a}\r\n* Z }\r\n",
];

#[test]
fn samples_frame_as_meant() {
    assert_eq!(frames(b"* OK ready\n* BYE\r\n"), [response("* OK ready"), response("* BYE")]);
    assert_eq!(frames(b"+ \r\n+\r\n\r\n"), [response("+ "), response("+"), response("")]);
    assert_eq!(
        frames(SAMPLES[3].as_bytes()),
        [response("* LIST () \"/\" {5}\r\nab\r\nc"), response("a1 OK done")]
    );
    let at = "* 1 FETCH (BODY[] ".len();
    assert_eq!(
        frames(SAMPLES[5].as_bytes()),
        [
            Seen::Start(b"* 1 FETCH (BODY[] ".to_vec(), 10),
            Seen::Data(b"0123456789".to_vec()),
            Seen::End,
            Seen::Response(
                b"* 1 FETCH (BODY[] {10}\r\n UID 4)".to_vec(),
                vec![StreamedLiteral { at, len: 10 }]
            ),
            response("a OK"),
        ]
    );
}

#[test]
fn every_cut_gives_the_same_pieces() {
    for sample in SAMPLES {
        let whole = frames(sample.as_bytes());
        assert!(!whole.iter().any(|s| matches!(s, Seen::Error(_))), "{sample:?}: {whole:?}");
        for cut in 0..=sample.len() {
            let (first, second) = sample.as_bytes().split_at(cut);
            let mut framer = Framer::new(&small(), 10);
            let mut seen = Vec::new();
            drain(&mut framer, first, &mut seen);
            drain(&mut framer, second, &mut seen);
            assert_eq!(seen, whole, "{sample:?} cut at {cut}");
            assert!(framer.is_between_responses());
        }
    }
}

#[test]
fn one_octet_at_a_time_gives_the_same_pieces() {
    let all = SAMPLES.concat();
    let whole = frames(all.as_bytes());
    let mut framer = Framer::new(&small(), 10);
    let mut seen = Vec::new();
    for byte in all.as_bytes() {
        drain(&mut framer, std::slice::from_ref(byte), &mut seen);
    }
    assert_eq!(seen, whole);
}

#[test]
fn an_incomplete_prefix_gives_no_response() {
    for sample in SAMPLES {
        let whole = frames(sample.as_bytes());
        for cut in 0..sample.len() {
            let mut framer = Framer::new(&small(), 10);
            let mut seen = Vec::new();
            drain(&mut framer, &sample.as_bytes()[..cut], &mut seen);
            assert!(seen.len() < whole.len() || !framer.is_between_responses(), "{sample:?} cut at {cut}");
            for (got, meant) in seen.iter().zip(&whole) {
                match (got, meant) {
                    (Seen::Data(part), Seen::Data(all)) => assert!(all.starts_with(part)),
                    _ => assert_eq!(got, meant),
                }
            }
        }
    }
}

#[test]
fn whole_responses_are_slices_of_the_input() {
    let input = b"* 1 FETCH (X {3}\r\nabc)\r\n".as_slice();
    let mut rest = input;
    let mut framer = Framer::new(&Limits::DEFAULT, 10);
    let Ok(Some(Piece::Response(frame))) = framer.next(&mut rest) else { panic!() };
    assert_eq!(frame.text.as_ptr(), input.as_ptr());
}

#[test]
fn streamed_data_are_slices_of_the_input() {
    let mut framer = Framer::new(&Limits::DEFAULT, 4);
    let mut input = b"* 1 FETCH (BODY[] {9}\r\n".as_slice();
    assert!(matches!(framer.next(&mut input), Ok(Some(Piece::LiteralStart { len: 9, .. }))));
    assert!(matches!(framer.next(&mut input), Ok(None)));
    let chunk = b"12345".as_slice();
    let mut input = chunk;
    let Ok(Some(Piece::LiteralData(data))) = framer.next(&mut input) else { panic!() };
    assert_eq!((data.as_ptr(), data.len()), (chunk.as_ptr(), 5));
}

#[test]
fn only_body_sections_are_streamed() {
    for head in [
        "* 1 FETCH (BODY[] ",
        "* 1 FETCH (BODY[1.2.MIME] ",
        "* 1 fetch (UID 3 BODY[]<0> ",
        "* 1 FETCH (BINARY[1] ~",
        "* 1 FETCH (RFC822 ",
        "* 1 FETCH (UID 2 rfc822.header ",
        "* 12 FETCH(RFC822.TEXT ",
    ] {
        let seen = frames(format!("{head}{{10}}\r\n").as_bytes());
        assert_eq!(seen, [Seen::Start(head.as_bytes().to_vec(), 10)], "{head}");
    }
    for head in [
        "* LIST () \"/\" x[] ",
        "* 1 FETCH (ENVELOPE (",
        "* 1 FETCH (BODY[]",
        "* 1 FETCH (XRFC822 ",
        "* a FETCH (BODY[] ",
        "* 1 FETCH (BODY[]<> ",
        "* 1 FETCH (BODY[<1> ",
    ] {
        assert_eq!(frames(format!("{head}{{10}}\r\n").as_bytes()), [], "{head}");
    }
}

#[test]
fn note_31_absurd_literals_are_errors_before_any_allocation() {
    let too_long = |len| FrameError::LiteralTooLong { len, limit: 50 };
    for (number, error) in [
        ("4294967296000", too_long(4_294_967_296_000)),
        ("-1", FrameError::BadLiteral),
        ("", FrameError::BadLiteral),
        ("+", FrameError::BadLiteral),
        ("1.5", FrameError::BadLiteral),
        ("5++", FrameError::BadLiteral),
        ("18446744073709551616", too_long(u64::MAX)),
        ("18446744073709551615", too_long(u64::MAX)),
        ("51", too_long(51)),
    ] {
        let line = format!("* LIST () \"/\" {{{number}}}\r\n");
        assert_eq!(frames(line.as_bytes()), [Seen::Error(error)], "{number}");
    }
    let message = "* 1 FETCH (BODY[] {101}\r\n";
    assert_eq!(
        frames(message.as_bytes()),
        [Seen::Error(FrameError::MessageTooLong { len: 101, limit: 100 })]
    );
    let mut framer = Framer::new(&Limits::DEFAULT, usize::MAX);
    let mut input = b"* 1 FETCH (X {1048576}\r\nab".as_slice();
    assert!(matches!(framer.next(&mut input), Ok(None)));
    assert!(framer.buffered() < 100);
}

#[test]
fn note_39_an_endless_line_ends_at_the_bound() {
    let mut framer = Framer::new(&small(), 10);
    let mut fed = 0;
    let error = loop {
        let mut input = b"* OK xxxxxxxxxxxxxxxxx".as_slice();
        match framer.next(&mut input) {
            Ok(None) => fed += 22,
            Ok(Some(piece)) => panic!("{piece:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, FrameError::ResponseTooLong { limit: 200 });
    assert!(fed <= 200);
    // The place in the stream is lost: it stays so.
    assert_eq!(framer.next(&mut b"* OK\r\n".as_slice()).unwrap_err(), error);
    assert_eq!(frames(&[b'x'; 200].as_slice().iter().copied().chain(*b"\r\n").collect::<Vec<_>>()).len(), 1);
    let over: Vec<u8> = [b'x'; 201].iter().copied().chain(*b"\r\n").collect();
    assert_eq!(frames(&over), [Seen::Error(error)]);
}

#[test]
fn note_48_small_literals_count_against_one_response() {
    let literal = "{1}\r\nx";
    let five = format!("* X {} {} {} {} {}", literal, literal, literal, literal, literal);
    assert_eq!(frames(five.as_bytes()), [Seen::Error(FrameError::TooManyLiterals { limit: 4 })]);
    let four_large = format!("* X {0}{0}{0}{0}\r\n", format_args!("{{50}}\r\n{}", "y".repeat(50)));
    assert_eq!(frames(four_large.as_bytes()), [Seen::Error(FrameError::ResponseTooLong { limit: 200 })]);
}

#[test]
fn note_48_literals_resume_in_linear_time() {
    let mut limits = Limits::DEFAULT;
    limits.inline_literal = 4 << 20;
    let mut framer = Framer::new(&limits, usize::MAX);
    let mut text = b"* X {4000000}\r\n".to_vec();
    text.resize(text.len() + 4_000_000, b'\n');
    text.extend_from_slice(b"\r\n");
    let mut seen = Vec::new();
    for byte in &text {
        drain(&mut framer, std::slice::from_ref(byte), &mut seen);
    }
    assert_eq!(seen.len(), 1);
    // What a large response needed is given back at the next.
    drain(&mut framer, b"* 1 EXISTS", &mut seen);
    assert!(framer.buffer_capacity() <= 64 << 10);
}

#[test]
fn note_66_lines_inside_literals_are_data() {
    let seen = frames(b"* 1 FETCH (X {20}\r\n+ go\r\na1 OK\r\n* BYE\r\n)\r\na1 OK\r\n");
    assert_eq!(seen, [response("* 1 FETCH (X {20}\r\n+ go\r\na1 OK\r\n* BYE\r\n)"), response("a1 OK")]);
}
