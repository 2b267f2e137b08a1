//! The framer of commands under every cut, and at each of its bounds.

use super::*;
use crate::limits::Limits;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Continue,
    Command(String, Vec<StreamedLiteral>),
    Start(String, u64, bool),
    Data(String),
    End,
    Refused(String, Refusal),
    Error(FrameError),
}

fn small() -> Limits {
    let mut limits = Limits::DEFAULT;
    limits.command = 100;
    limits.inline_literal = 50;
    limits.literals = 4;
    limits.message = 1_000;
    limits
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Drains; a message is refused where its length is 666.
fn drain(framer: &mut CommandFramer, mut input: &[u8], seen: &mut Vec<Seen>) {
    loop {
        let mut wanted = None;
        match framer.next(&mut input) {
            Ok(None) => {
                assert!(input.is_empty(), "all is taken before more is asked for");
                return;
            }
            Ok(Some(piece)) => match piece {
                CommandPiece::Continue => seen.push(Seen::Continue),
                CommandPiece::Command(frame) => {
                    seen.push(Seen::Command(text(frame.text), frame.streamed.to_vec()));
                }
                CommandPiece::MessageStart { head, len, synchronizing, .. } => {
                    wanted = Some(len != 666);
                    seen.push(Seen::Start(text(head), len, synchronizing));
                }
                CommandPiece::LiteralData(data) => match seen.last_mut() {
                    Some(Seen::Data(joined)) => joined.push_str(&text(data)),
                    _ => seen.push(Seen::Data(text(data))),
                },
                CommandPiece::LiteralEnd => seen.push(Seen::End),
                CommandPiece::Refused { tag, why } => seen.push(Seen::Refused(text(tag), why)),
            },
            Err(error) => {
                seen.push(Seen::Error(error));
                return;
            }
        }
        match wanted {
            Some(true) => framer.accept(),
            Some(false) => framer.refuse(),
            None => {}
        }
    }
}

fn frames(input: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    drain(&mut CommandFramer::new(&small()), input, &mut seen);
    for cut in 0..=input.len() {
        let mut framer = CommandFramer::new(&small());
        let mut again = Vec::new();
        drain(&mut framer, &input[..cut], &mut again);
        if !matches!(again.last(), Some(Seen::Error(_))) {
            drain(&mut framer, &input[cut..], &mut again);
        }
        assert_eq!(again, seen, "cut at {cut} of {}", text(input));
    }
    let mut framer = CommandFramer::new(&small());
    let mut again = Vec::new();
    for byte in input.chunks(1) {
        if !matches!(again.last(), Some(Seen::Error(_))) {
            drain(&mut framer, byte, &mut again);
        }
    }
    assert_eq!(again, seen, "octet by octet: {}", text(input));
    seen
}

fn command(text: &str) -> Seen {
    Seen::Command(text.to_owned(), Vec::new())
}

#[test]
fn lines_and_literals() {
    assert_eq!(frames(b"a NOOP\r\nb NOOP\n"), [command("a NOOP"), command("b NOOP")]);
    assert_eq!(
        frames(b"a LOGIN {3}\r\nann {4+}\r\np\r\nw\r\nb NOOP\r\n"),
        [Seen::Continue, command("a LOGIN {3}\r\nann {4+}\r\np\r\nw"), command("b NOOP")]
    );
    assert_eq!(frames(b"a LOGIN x {foo}\r\n"), [command("a LOGIN x {foo}")]);
    assert_eq!(frames(b"\r\n"), [command("")]);
    assert_eq!(frames(b"a LOGIN {0}\r\n\r\n"), [Seen::Continue, command("a LOGIN {0}\r\n")]);
}

#[test]
fn messages_are_handed_on() {
    let streamed = |at, len| StreamedLiteral { at, len };
    assert_eq!(
        frames(b"a APPEND box (\\Seen) {5}\r\nHello\r\nb NOOP\r\n"),
        [
            Seen::Start("a APPEND box (\\Seen) ".into(), 5, true),
            Seen::Data("Hello".into()),
            Seen::End,
            Seen::Command("a APPEND box (\\Seen) {5}\r\n".into(), vec![streamed(21, 5)]),
            command("b NOOP"),
        ]
    );
    // The mailbox is a literal that stays, the messages are not; many messages (RFC 3502).
    assert_eq!(
        frames(b"a append {3+}\r\nbox {2+}\r\nhi ~{0}\r\n\r\n"),
        [
            Seen::Start("a append {3+}\r\nbox ".into(), 2, false),
            Seen::Data("hi".into()),
            Seen::End,
            Seen::Start("a append {3+}\r\nbox {2+}\r\n ~".into(), 0, true),
            Seen::End,
            Seen::Command(
                "a append {3+}\r\nbox {2+}\r\n ~{0}\r\n".into(),
                vec![streamed(19, 2), streamed(27, 0)]
            ),
        ]
    );
    assert!(matches!(&frames(b"a UID REPLACE 4 box {2}\r\nhi\r\n")[0], Seen::Start(_, 2, true)));
    assert!(matches!(&frames(b"a REPLACE 4 {3+}\r\nbox {2}\r\nhi\r\n")[0], Seen::Start(_, 2, true)));
    assert!(matches!(&frames(b"a SEARCH TEXT {2+}\r\nhi\r\n")[0], Seen::Command(..)));
}

#[test]
fn refused_messages_are_left_behind() {
    assert_eq!(
        frames(b"a APPEND box {666}\r\nb NOOP\r\n"),
        [Seen::Start("a APPEND box ".into(), 666, true), command("b NOOP")]
    );
    let mut input = b"a APPEND box {666+}\r\n".to_vec();
    input.extend(b"x{9+}\r\n".repeat(95));
    input.push(b'x');
    input.extend_from_slice(b" {4+}\r\n\r\nxx {3}\r\nb NOOP\r\n");
    assert_eq!(frames(&input), [Seen::Start("a APPEND box ".into(), 666, false), command("b NOOP")]);
}

#[test]
fn bounds_leave_the_command_behind() {
    let long = format!("a NOOP {}\r\nb NOOP\r\n", "x".repeat(200));
    assert_eq!(frames(long.as_bytes()), [Seen::Refused("a".into(), Refusal::TooLong), command("b NOOP")]);
    let with_literal = format!("a1 X {} {{3+}}\r\nab\n y\r\nb NOOP\r\n", "x".repeat(200));
    assert_eq!(
        frames(with_literal.as_bytes()),
        [Seen::Refused("a1".into(), Refusal::TooLong), command("b NOOP")]
    );
    assert_eq!(
        frames(b"a LOGIN {51}\r\nb NOOP\r\n"),
        [Seen::Refused("a".into(), Refusal::LiteralTooLong), command("b NOOP")]
    );
    let mut input = b"a LOGIN {51+}\r\n".to_vec();
    input.extend(b"y".repeat(51));
    input.extend_from_slice(b" pw\r\nb NOOP\r\n");
    assert_eq!(frames(&input), [Seen::Refused("a".into(), Refusal::LiteralTooLong), command("b NOOP")]);
    assert_eq!(
        frames(b"a X {1+}\r\na {1+}\r\na {1+}\r\na {1+}\r\na {1+}\r\na z\r\nb NOOP\r\n"),
        [Seen::Refused("a".into(), Refusal::TooManyLiterals), command("b NOOP")]
    );
    for bad in ["{-1}", "{}", "{1.5}", "{99999999999999999999}"] {
        let input = format!("a LOGIN {bad}\r\nb NOOP\r\n");
        let seen = frames(input.as_bytes());
        assert!(matches!(&seen[0], Seen::Refused(tag, _) if tag == "a"), "{seen:?}");
        assert_eq!(seen[1..], [command("b NOOP")], "{bad}");
    }
}

#[test]
fn what_never_ends_is_not_passed_over() {
    for input in ["a APPEND box {1001+}\r\n", "a LOGIN {99999999999999999999+}\r\n", "a LOGIN {1001+}\r\n"] {
        assert!(matches!(frames(input.as_bytes())[..], [Seen::Error(_)]), "{input}");
    }
    // One that waits is refused by whoever knows why.
    assert!(matches!(frames(b"a APPEND box {1001}\r\n")[0], Seen::Start(_, 1001, true)));
}

#[test]
fn lines_that_are_no_commands() {
    let mut framer = CommandFramer::new(&small());
    let mut input: &[u8] = b"DO";
    assert_eq!(framer.next_line(&mut input), Ok(None));
    let mut input: &[u8] = b"NE\r\nb NOOP\r\n";
    assert_eq!(framer.next_line(&mut input), Ok(Some(&b"DONE"[..])));
    assert_eq!(framer.next_line(&mut input), Ok(Some(&b"b NOOP"[..])));
    assert!(framer.is_between_commands());
    let long = b"x".repeat(200);
    assert!(framer.next_line(&mut long.as_slice()).is_err());
    assert!(framer.next(&mut &b""[..]).is_err());
}
