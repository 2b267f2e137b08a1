//! What a client sends, up to the typed command: wherever it is cut, it is read as the same.

use mailkeep::imap::server::parse;
use mailkeep::limits::Limits;
use mailkeep::wire::{CommandFramer, CommandPiece};

/// Reads octets as commands, whole and in pieces.
pub fn run(octets: &[u8]) {
    let whole = read(octets, usize::MAX);
    for piece in [1, 3] {
        assert_eq!(read(octets, piece), whole, "in pieces of {piece}");
    }
}

/// All that is read of octets that come `piece` at a time.
fn read(octets: &[u8], piece: usize) -> Vec<String> {
    let mut limits = Limits::DEFAULT;
    (limits.command, limits.inline_literal, limits.command_items) = (4_096, 1_024, 50);
    let mut framer = CommandFramer::new(&limits);
    let (mut said, mut streamed) = (Vec::new(), 0);
    let mut held: Vec<u8> = Vec::new();
    for piece in octets.chunks(piece.min(octets.len()).max(1)) {
        held.extend_from_slice(piece);
        let mut input = held.as_slice();
        loop {
            let text = match framer.next(&mut input) {
                Ok(None) => break,
                Ok(Some(CommandPiece::LiteralData(data))) => {
                    streamed += data.len();
                    continue;
                }
                Ok(Some(CommandPiece::MessageStart { head, streamed, len, synchronizing })) => {
                    let text =
                        format!("{:?} {len} {synchronizing}", parse::append_head(head, streamed, &limits));
                    // Both ways to go on are to be seen.
                    if len % 2 == 0 {
                        framer.accept()
                    } else {
                        framer.refuse()
                    }
                    text
                }
                Ok(Some(CommandPiece::LiteralEnd)) => format!("{} octets", std::mem::take(&mut streamed)),
                Ok(Some(CommandPiece::Command(frame))) => format!("{:?}", parse::command(frame, &limits)),
                Ok(Some(other)) => format!("{other:?}"),
                Err(error) => {
                    said.push(error.to_string());
                    return said;
                }
            };
            said.push(text);
        }
        let left = input.len();
        held.drain(..held.len() - left);
    }
    said
}
