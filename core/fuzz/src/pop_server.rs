//! A POP3 session, told anything: it answers in lines, wherever what it was told is cut, and removes no mail without QUIT.

use mailkeep::Now;
use mailkeep::flags::FlagSet;
use mailkeep::sasl::server::Verifier;
use mailkeep::serve::backend::{Appended, Backend};
use mailkeep::serve::memory::{MemoryMail, MemoryUsers};
use mailkeep::serve::{PopSession, SessionOptions};

/// Mail of every kind that matters to POP3: lines that begin with a dot, no line end at the end, NUL, a bare LF.
const LETTERS: [&[u8]; 3] =
    [b"Subject: a\r\n\r\n.\r\n..dots\r\nend\r\n", b"Subject: b\r\n\r\nno end", b"Subject: c\n\nbare\n\0\n"];

/// Says octets to a session whose user is signed in where the first octet is odd.
pub fn run(octets: &[u8]) {
    let Some((signed_in, octets)) = octets.split_first() else { return };
    let signed_in = signed_in % 2 == 1;
    let whole = play(octets, signed_in, usize::MAX);
    for piece in [1, 3] {
        assert_eq!(play(octets, signed_in, piece), whole, "in pieces of {piece}");
    }
}

fn play(octets: &[u8], signed_in: bool, piece: usize) -> (Vec<u8>, usize) {
    let users = MemoryUsers::default();
    let mail = users.add("ann", Verifier::new("secret", [9; 16], 1).expect("a password"));
    fill(&mail);
    let mut session = PopSession::new(users.clone(), SessionOptions::new([3; 32], [4; 32], true));
    let mut heard = Vec::new();
    drain(&mut session, &mut heard);
    if signed_in {
        say(&mut session, b"USER ann\r\nPASS secret\r\n", usize::MAX, &mut heard);
        assert!(heard.ends_with(b"\r\n"));
    }
    say(&mut session, octets, piece, &mut heard);
    let left = count(&mail);
    let quits = octets.to_ascii_uppercase().windows(4).any(|word| word == b"QUIT");
    assert!(left == LETTERS.len() || quits, "only QUIT removes mail");
    if !session.is_closed() {
        session.handle_eof(Now::new(10, 10));
    }
    (heard, left)
}

fn fill(mail: &MemoryMail) {
    let inbox = mail.mailboxes().expect("a list")[0].id.expect("INBOX is there");
    for letter in LETTERS {
        let message = Appended { upload: letter.to_vec(), flags: FlagSet::default(), internal_date: 0 };
        mail.append(inbox, vec![message], None).expect("there is room");
    }
}

fn count(mail: &MemoryMail) -> usize {
    let inbox = mail.mailboxes().expect("a list")[0].id.expect("INBOX is there");
    mail.rows(inbox, 1, usize::MAX).expect("rows").len()
}

fn say(session: &mut PopSession<MemoryUsers>, octets: &[u8], piece: usize, heard: &mut Vec<u8>) {
    let mut held: Vec<u8> = Vec::new();
    for piece in octets.chunks(piece.min(octets.len()).max(1)) {
        held.extend_from_slice(piece);
        while !session.is_closed() {
            // Time does not pass: a sign-in that failed is answered when the moment that it costs is over.
            let progress = session.handle_input(Now::new(1, 1), &held).expect("it was drained");
            drain(session, heard);
            held.drain(..progress.consumed);
            if !progress.more {
                break;
            }
        }
    }
}

fn drain(session: &mut PopSession<MemoryUsers>, heard: &mut Vec<u8>) {
    while let Some(octets) = session.poll_transmit() {
        heard.extend_from_slice(&octets);
    }
    while session.poll_event().is_some() {}
    assert!(heard.is_empty() || heard.ends_with(b"\r\n"), "whole lines");
}
