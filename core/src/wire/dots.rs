//! Lines, and text that ends at a lone dot (RFC 1939 §3).

use memchr::memchr;
use memchr::memmem::Finder;

use super::FrameError;
use crate::limits::Limits;

/// An internal buffer larger than this is given back after the line that needed it.
const KEEP_BUFFER: usize = 4 << 10;

/// Cuts a byte stream into lines and dot-terminated text.
///
/// Which of the two comes next is the protocol's to say: [`DotFramer::begin_lines`] and
/// [`DotFramer::begin_text`], called behind the line that announces it. Input may be cut at any byte; the
/// pieces are the same but for the borders of [`DotPiece::Text`]. Time is linear in the input, and memory is bounded by the
/// longest line: text is handed out as slices of the input.
///
/// A stream whose lines end in CRLF has text whose lines do: a bare LF inside is data, and a dot behind it
/// too. Only where the lines themselves end in bare LF does LF end the lines of a text.
#[derive(Debug)]
pub struct DotFramer {
    longest: usize,
    largest: u64,
    /// A line that did not come whole in one input.
    buffer: Vec<u8>,
    /// `buffer` was given out and can go.
    given: bool,
    /// The stream's lines end in LF without CR.
    bare: bool,
    state: State,
    after_crlf: Finder<'static>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// In a line that stands alone.
    Line,
    /// In a line of a list that ends at a dot.
    Listed,
    /// In text that is handed out; so many octets have been.
    Text(u64, Place),
    /// In a line over the bound, which is passed over up to its end.
    Skip,
    /// The place in the stream is lost for good.
    Failed(FrameError),
}

/// Where in a text the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line.
    Begin,
    /// Behind a dot that began a line.
    Dot,
    /// Behind that and a CR.
    DotCr,
    /// In a line; whether behind a CR.
    Inside { cr: bool },
}

/// What the framer gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DotPiece<'a> {
    /// A line without its end; of a list, without its stuffed dot.
    Line(&'a [u8]),
    /// Octets of a text, dots unstuffed.
    Text(&'a [u8]),
    /// The dot: the list or text is complete.
    End,
}

impl DotFramer {
    /// A framer for one connection. Lines are bounded by [`Limits::line`], texts by [`Limits::message`].
    pub fn new(limits: &Limits) -> DotFramer {
        DotFramer {
            longest: limits.line,
            largest: limits.message,
            buffer: Vec::new(),
            given: false,
            bare: false,
            state: State::Line,
            after_crlf: Finder::new(b"\r\n."),
        }
    }

    /// What follows are lines up to one that is a lone dot.
    pub fn begin_lines(&mut self) {
        self.state = State::Listed;
    }

    /// What follows is text up to a line that is a lone dot.
    pub fn begin_text(&mut self) {
        self.state = State::Text(0, Place::Begin);
    }

    /// Leaves a line behind that passed [`Limits::line`]: its octets are dropped as they come, and the framer
    /// goes on behind it. For a server, which can answer for the line; a client has lost its place.
    pub fn skip_line(&mut self) {
        self.buffer = Vec::new();
        self.given = false;
        self.state = State::Skip;
    }

    /// Takes bytes off the front of `input`. `None` when all was taken and more is needed.
    ///
    /// # Errors
    /// A bound was passed. Every later call gives the same error, unless [`DotFramer::skip_line`] is called.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Option<DotPiece<'s>>, FrameError> {
        if std::mem::take(&mut self.given) {
            self.buffer.clear();
            self.buffer.shrink_to(KEEP_BUFFER);
        }
        match self.state {
            State::Failed(error) => Err(error),
            State::Skip => match memchr(b'\n', input) {
                Some(end) => {
                    *input = &input[end + 1..];
                    self.state = State::Line;
                    self.next(input)
                }
                None => {
                    *input = &[];
                    Ok(None)
                }
            },
            State::Text(..) => self.text(input).inspect_err(|&error| self.state = State::Failed(error)),
            State::Line | State::Listed => match self.take_line(input) {
                Err(error) => {
                    self.state = State::Failed(error);
                    Err(error)
                }
                Ok(None) => Ok(None),
                Ok(Some(line)) => Ok(Some(self.line_piece(line))),
            },
        }
    }

    /// Whether the bytes taken so far end where TLS may start.
    pub fn is_between_lines(&self) -> bool {
        matches!(self.state, State::Line) && (self.given || self.buffer.is_empty())
    }

    fn take_line<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Found<'i>>, FrameError> {
        let too_long = FrameError::ResponseTooLong { limit: self.longest };
        let end = memchr(b'\n', input);
        let taken = end.map_or(input.len(), |end| end + 1);
        // The line end does not count.
        if self.buffer.len() + taken > self.longest.saturating_add(2) {
            return Err(too_long);
        }
        let (head, rest) = input.split_at(taken);
        *input = rest;
        if end.is_none() || !self.buffer.is_empty() {
            self.buffer.extend_from_slice(head);
        }
        match end {
            None => Ok(None),
            Some(_) if self.buffer.is_empty() => Ok(Some(Found::Input(head))),
            Some(_) => Ok(Some(Found::Buffer)),
        }
    }

    fn line_piece<'s, 'i: 's>(&'s mut self, found: Found<'i>) -> DotPiece<'s> {
        let line: &'s [u8] = match found {
            Found::Input(line) => line,
            Found::Buffer => {
                self.given = true;
                &self.buffer
            }
        };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (line, bare) = line.strip_suffix(b"\r").map_or((line, true), |line| (line, false));
        match self.state {
            State::Listed if line == b"." => {
                self.state = State::Line;
                DotPiece::End
            }
            State::Listed => DotPiece::Line(line.strip_prefix(b".").unwrap_or(line)),
            _ => {
                self.bare = bare;
                DotPiece::Line(line)
            }
        }
    }

    fn text<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<DotPiece<'i>>, FrameError> {
        loop {
            let State::Text(given, place) = self.state else { return Ok(None) };
            let Some(&first) = input.first() else { return Ok(None) };
            let next = match (place, first) {
                (Place::Begin, b'.') => Place::Dot,
                (Place::Begin, _) => {
                    self.state = State::Text(given, Place::Inside { cr: false });
                    continue;
                }
                (Place::Dot, b'\r') => Place::DotCr,
                (Place::Dot, b'\n') if self.bare => return Ok(Some(self.end_text(input))),
                // The dot was stuffed; what stands behind it is the line.
                (Place::Dot, _) => {
                    self.state = State::Text(given, Place::Inside { cr: false });
                    continue;
                }
                (Place::DotCr, b'\n') => return Ok(Some(self.end_text(input))),
                (Place::DotCr, _) => {
                    return self.give(b"\r", given, Place::Inside { cr: true }).map(Some);
                }
                (Place::Inside { cr }, _) => {
                    let (length, place) = self.line_end(input, cr);
                    let (head, rest) = input.split_at(length);
                    *input = rest;
                    return self.give(head, given, place).map(Some);
                }
            };
            *input = &input[1..];
            self.state = State::Text(given, next);
        }
    }

    /// How many octets are plain text, and where the octet behind them stands.
    fn line_end(&self, input: &[u8], cr: bool) -> (usize, Place) {
        if self.bare {
            return match memchr(b'\n', input) {
                Some(end) => (end + 1, Place::Begin),
                None => (input.len(), Place::Inside { cr: false }),
            };
        }
        if cr && input[0] == b'\n' {
            return (1, Place::Begin);
        }
        match self.after_crlf.find(input) {
            Some(at) => (at + 2, Place::Begin),
            None if input.ends_with(b"\r\n") => (input.len(), Place::Begin),
            None => (input.len(), Place::Inside { cr: input.ends_with(b"\r") }),
        }
    }

    fn give<'i>(&mut self, text: &'i [u8], given: u64, place: Place) -> Result<DotPiece<'i>, FrameError> {
        let given = given + text.len() as u64;
        if given > self.largest {
            return Err(FrameError::MessageTooLong { len: given, limit: self.largest });
        }
        self.state = State::Text(given, place);
        Ok(DotPiece::Text(text))
    }

    fn end_text<'i>(&mut self, input: &mut &'i [u8]) -> DotPiece<'i> {
        *input = &input[1..];
        self.state = State::Line;
        DotPiece::End
    }
}

enum Found<'i> {
    /// The line stands whole in the input.
    Input(&'i [u8]),
    /// It was gathered in the buffer.
    Buffer,
}

#[cfg(test)]
mod tests {
    use super::{DotFramer, DotPiece};
    use crate::limits::Limits;
    use crate::wire::FrameError;

    /// What came of a status line and a text behind it, given in pieces of `size`.
    fn text(stream: &[u8], size: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut framer = DotFramer::new(&Limits::DEFAULT);
        let (mut text, mut rest) = (Vec::new(), Vec::new());
        let (mut begun, mut ended) = (false, false);
        for piece in stream.chunks(size) {
            let mut input = piece;
            while let Some(piece) = framer.next(&mut input).unwrap() {
                match piece {
                    DotPiece::Line(line) if begun => rest.extend_from_slice(line),
                    DotPiece::Line(_) => {
                        begun = true;
                        framer.begin_text();
                    }
                    DotPiece::Text(data) => text.extend_from_slice(data),
                    DotPiece::End => ended = true,
                }
            }
        }
        ended.then_some((text, rest))
    }

    #[test]
    fn note_28_dots_wherever_the_reads_are_cut() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"+OK\r\n.\r\n", b""),
            (b"+OK\r\na\r\n.\r\n", b"a\r\n"),
            (b"+OK\r\n..\r\n.\r\n", b".\r\n"),
            (b"+OK\r\n...\r\n.\r\n", b"..\r\n"),
            (b"+OK\r\n\r\n.\r\n", b"\r\n"),
            (b"+OK\r\n..\r\n..\r\n.\r\n", b".\r\n.\r\n"),
            // A dot that should have been stuffed and was not.
            (b"+OK\r\n.a\r\n.\r\n", b"a\r\n"),
            (b"+OK\r\n.\ra\r\n.\r\n", b"\ra\r\n"),
            (b"+OK\r\n.\r\r\n.\r\n", b"\r\r\n"),
            // In a stream with CRLF, a bare LF ends no line.
            (b"+OK\r\na\n.\nb\n.\r\nc\r\n.\r\n", b"a\n.\nb\n.\r\nc\r\n"),
            (b"+OK\r\n.\n\r\n.\r\n", b"\n\r\n"),
            (b"+OK\r\na\r\r\n.\r\n", b"a\r\r\n"),
            (b"+OK\r\n\r.\r\n.\r\n", b"\r.\r\n"),
            // In one without, it ends every line.
            (b"+OK\na\n..b\n.\n", b"a\n.b\n"),
            (b"+OK\na\r\n.\r\n", b"a\r\n"),
        ];
        for &(stream, expected) in cases {
            let stream = [stream, b"+OK next\r\n"].concat();
            for size in 1..=stream.len() {
                let (text, rest) = text(&stream, size).unwrap_or_else(|| panic!("{stream:?} has no end"));
                assert_eq!(text, expected, "{:?} in pieces of {size}", String::from_utf8_lossy(&stream));
                assert_eq!(rest, b"+OK next", "{:?} in pieces of {size}", String::from_utf8_lossy(&stream));
            }
        }
    }

    #[test]
    fn note_28_every_text_comes_back_as_it_was_stuffed() {
        // Every string of six octets over the ones that matter.
        const OCTETS: [u8; 4] = *b".\r\na";
        for n in 0..4usize.pow(6) {
            let body: Vec<u8> = (0..6).map(|i| OCTETS[n >> (2 * i) & 3]).collect();
            let mut stuffed = b"+OK\r\n".to_vec();
            let mut begins = true;
            for (at, octet) in body.iter().enumerate() {
                if begins && *octet == b'.' {
                    stuffed.push(b'.');
                }
                stuffed.push(*octet);
                begins = *octet == b'\n' && at > 0 && body[at - 1] == b'\r';
            }
            let mut expected = body.clone();
            if !begins {
                stuffed.extend_from_slice(b"\r\n");
                expected.extend_from_slice(b"\r\n");
            }
            stuffed.extend_from_slice(b".\r\n");
            for size in [1, 2, 3, 100] {
                assert_eq!(text(&stuffed, size).map(|t| t.0), Some(expected.clone()), "{body:?} by {size}");
            }
        }
    }

    #[test]
    fn lists_line_by_line() {
        let stream = b"+OK\r\n1 100\r\n..2\r\n\r\n.\r\n+OK\r\n";
        for size in 1..stream.len() {
            let mut framer = DotFramer::new(&Limits::DEFAULT);
            let mut lines: Vec<Option<Vec<u8>>> = Vec::new();
            for piece in stream.chunks(size) {
                let mut input = piece;
                while let Some(piece) = framer.next(&mut input).unwrap() {
                    lines.push(match piece {
                        DotPiece::Line(line) => Some(line.to_vec()),
                        _ => None,
                    });
                    if lines.len() == 1 {
                        framer.begin_lines();
                    }
                }
            }
            let line = |text: &str| Some(text.as_bytes().to_vec());
            assert_eq!(lines, [line("+OK"), line("1 100"), line(".2"), line(""), None, line("+OK")]);
            assert!(framer.is_between_lines());
        }
    }

    #[test]
    fn note_39_an_endless_line_is_bounded() {
        let limits = Limits { line: 100, ..Limits::DEFAULT };
        let mut framer = DotFramer::new(&limits);
        let mut fed = 0;
        let error = loop {
            let mut input: &[u8] = b"++++++++++";
            fed += 10;
            match framer.next(&mut input) {
                Ok(_) => assert!(fed <= 110),
                Err(error) => break error,
            }
        };
        assert_eq!(error, FrameError::ResponseTooLong { limit: 100 });
        assert_eq!(framer.next(&mut &b"\r\n"[..]), Err(error));
        let mut framer = DotFramer::new(&limits);
        let long = [vec![b'a'; 100], b"\r\n".to_vec()].concat();
        assert!(matches!(framer.next(&mut &long[..]), Ok(Some(DotPiece::Line(line))) if line.len() == 100));
    }

    #[test]
    fn a_line_that_is_too_long_can_be_left_behind() {
        let limits = Limits { line: 10, ..Limits::DEFAULT };
        let stream = [b"short\r\n".to_vec(), vec![b'x'; 50], b"\r\n.\r\nlast\n".to_vec()].concat();
        for size in 1..=stream.len() {
            let mut framer = DotFramer::new(&limits);
            let mut met: Vec<Option<Vec<u8>>> = Vec::new();
            for piece in stream.chunks(size) {
                let mut input = piece;
                loop {
                    match framer.next(&mut input) {
                        Ok(None) => break,
                        Ok(Some(DotPiece::Line(line))) => met.push(Some(line.to_vec())),
                        Ok(Some(other)) => panic!("{other:?}"),
                        Err(error) => {
                            assert_eq!(error, FrameError::ResponseTooLong { limit: 10 });
                            framer.skip_line();
                            met.push(None);
                        }
                    }
                }
            }
            let line = |text: &str| Some(text.as_bytes().to_vec());
            assert_eq!(met, [line("short"), None, line("."), line("last")], "in pieces of {size}");
        }
    }

    #[test]
    fn note_39_an_endless_message_is_bounded() {
        let limits = Limits { message: 1_000, ..Limits::DEFAULT };
        let mut framer = DotFramer::new(&limits);
        framer.begin_text();
        let block = [b'a'; 64];
        for n in 0.. {
            match framer.next(&mut &block[..]) {
                Ok(_) => assert!(n < 16),
                Err(error) => {
                    assert_eq!(error, FrameError::MessageTooLong { len: 1_024, limit: 1_000 });
                    return;
                }
            }
        }
    }
}
