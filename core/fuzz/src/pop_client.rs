//! What a POP3 server sends: lines and texts, wherever they are cut.

use mailkeep::limits::Limits;
use mailkeep::pop3::response::{Status, challenge, listed, timestamp, unique_id};
use mailkeep::wire::{DotFramer, DotPiece};

/// The first octet says which answers have more lines than one.
pub fn run(octets: &[u8]) {
    let Some((kinds, octets)) = octets.split_first() else { return };
    let whole = read(octets, *kinds, usize::MAX);
    for piece in [1, 3] {
        assert_eq!(read(octets, *kinds, piece), whole, "in pieces of {piece}");
    }
}

fn read(octets: &[u8], kinds: u8, piece: usize) -> Vec<String> {
    let mut limits = Limits::DEFAULT;
    (limits.line, limits.message) = (512, 4_096);
    let mut framer = DotFramer::new(&limits);
    let (mut said, mut text, mut answers) = (Vec::new(), Vec::new(), 0);
    let mut held: Vec<u8> = Vec::new();
    for piece in octets.chunks(piece.min(octets.len()).max(1)) {
        held.extend_from_slice(piece);
        let mut input = held.as_slice();
        loop {
            match framer.next(&mut input) {
                Ok(None) => break,
                Ok(Some(DotPiece::Text(octets))) => text.extend_from_slice(octets),
                Ok(Some(DotPiece::End)) => said.push(format!("{:?}.", std::mem::take(&mut text))),
                Ok(Some(DotPiece::Line(line))) => {
                    let status = Status::parse(line);
                    said.push(format!("{status:?} {:?} {:?}", listed(line), unique_id(line)));
                    said.push(format!("{:?} {:?}", challenge(line), timestamp(line)));
                    if status.is_some_and(|status| status.ok) {
                        answers += 1;
                        match kinds >> (answers % 4 * 2) & 3 {
                            1 => framer.begin_lines(),
                            2 => framer.begin_text(),
                            _ => {}
                        }
                    }
                }
                Err(error) => {
                    said.push(error.to_string());
                    return said;
                }
            }
        }
        let left = input.len();
        held.drain(..held.len() - left);
    }
    said
}
