//! What a server sends, up to the typed response and every attribute in it: wherever it is cut, it is read as the same.

use mailkeep::imap::parse;
use mailkeep::imap::response::{Data, Response};
use mailkeep::limits::Limits;
use mailkeep::wire::{Framer, Piece};

/// Reads octets as responses, whole and in pieces.
pub fn run(octets: &[u8]) {
    let whole = read(octets, usize::MAX);
    for piece in [1, 3] {
        assert_eq!(read(octets, piece), whole, "in pieces of {piece}");
    }
}

fn read(octets: &[u8], piece: usize) -> Vec<String> {
    let mut limits = Limits::DEFAULT;
    (limits.response, limits.inline_literal, limits.message) = (8_192, 1_024, 10_000);
    // Some bodies are streamed, and some stay in the response.
    let mut framer = Framer::new(&limits, 8);
    let (mut said, mut streamed) = (Vec::new(), 0);
    let mut held: Vec<u8> = Vec::new();
    for piece in octets.chunks(piece.min(octets.len()).max(1)) {
        held.extend_from_slice(piece);
        let mut input = held.as_slice();
        loop {
            let text = match framer.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Piece::LiteralData(data))) => {
                    streamed += data.len();
                    continue;
                }
                Ok(Some(Piece::LiteralStart { head, streamed, len })) => {
                    format!("{len} {:?}", parse::section_head(head, streamed).is_ok())
                }
                Ok(Some(Piece::LiteralEnd)) => format!("{} octets", std::mem::take(&mut streamed)),
                Ok(Some(Piece::Response(frame))) => described(parse::response(frame)),
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

fn described(response: Result<Response<'_>, parse::ParseError>) -> String {
    match response {
        Ok(Response::Data(Data::Fetch(fetch))) => {
            // Attributes are read when they are walked.
            let attrs: Vec<String> = fetch.attrs.into_iter().map(|attr| format!("{attr:?}")).collect();
            format!("{} {attrs:?}", fetch.seq)
        }
        other => format!("{other:?}"),
    }
}
