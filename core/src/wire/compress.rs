//! Raw DEFLATE in both directions for `COMPRESS DEFLATE` (RFC 4978, RFC 1951).
//!
//! Output comes in portions that the caller sizes, so a small piece of input never becomes a large
//! allocation; beyond that two bounds on the ratio tell a bomb from mail. No STARTTLS may follow
//! COMPRESS (RFC 4978 §3).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::limits::Limits;

/// Octets written by one call of the codec.
const STEP: usize = 16 << 10;

/// Output that may be waiting inside the decoder for its input to have been counted: its window and
/// what it has read ahead, several times over.
const SLACK: u64 = 128 << 10;

/// Output of any ratio before the sustained bound asks for input again.
const SUSTAINED_BURST: u64 = 64 << 20;

/// The sustained ratio is this part of the momentary one.
const SUSTAINED_SHARE: u64 = 4;

/// Why what the server sends can no longer be read. The server's fault; the connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// Not DEFLATE.
    #[error("the server's compressed data is damaged")]
    Damaged,
    /// More output for the input than [`Limits::inflate_ratio`] allows, at once or over 64 MiB.
    #[error("the server's compressed data expands beyond the limit")]
    Bomb,
    /// Data behind the end of the stream.
    #[error("the server sent data behind the end of its compressed stream")]
    Ended,
}

/// Decompresses what the server sends.
///
/// Two bounds hold besides the budget of each call. At once, no more than [`Limits::inflate_ratio`]
/// octets may come from one. Over time it is a quarter of that, in excess of which 64 MiB may come; they
/// are earned back by input. Honest mail comes near neither: only a message of tens of megabytes that
/// are all alike does, and such a connection may be tried again without compression.
pub struct Inflater {
    stream: Decompress,
    at_once: Allowance,
    sustained: Allowance,
    pending: bool,
    ended: bool,
    failed: Option<CompressError>,
}

impl Inflater {
    /// For the octets that follow the OK to COMPRESS.
    pub fn new(limits: &Limits) -> Inflater {
        let ratio = limits.inflate_ratio.max(1);
        Inflater {
            stream: Decompress::new(false),
            at_once: Allowance::new(ratio, SLACK),
            sustained: Allowance::new((ratio / SUSTAINED_SHARE).max(1), SUSTAINED_BURST),
            pending: false,
            ended: false,
            failed: None,
        }
    }

    /// Decompresses from the front of `input` onto the end of `out`, at most `budget` octets, and takes
    /// from `input` what it used. Where the budget ends the work, [`Inflater::is_pending`] says so, and
    /// the next call goes on.
    ///
    /// # Errors
    ///
    /// A [`CompressError`], the same one from then on. What was appended before it is sound.
    pub fn inflate(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
        budget: usize,
    ) -> Result<(), CompressError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.run(input, out, budget).inspect_err(|error| {
            self.pending = false;
            self.failed = Some(error.clone());
        })
    }

    /// Whether the last call left output that needs no more input than it was given.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    fn run(&mut self, input: &mut &[u8], out: &mut Vec<u8>, budget: usize) -> Result<(), CompressError> {
        let mut left = budget;
        while left > 0 && (self.pending || !input.is_empty()) {
            if self.ended {
                return Err(CompressError::Ended);
            }
            let room = left.min(STEP);
            let (used, made) = self.step(input, out, room)?;
            *input = &input[used..];
            left -= made;
            // A full step may have left more inside; one that is not full has given all there was.
            self.pending = made == room && !self.ended;
            if used == 0 && made == 0 {
                // No codec stops short of its input; a caller who waits for it to go on must not wait forever.
                if !input.is_empty() {
                    return Err(CompressError::Damaged);
                }
                break;
            }
        }
        self.pending |= !input.is_empty();
        Ok(())
    }

    /// Gives the octets used and made.
    fn step(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        room: usize,
    ) -> Result<(usize, usize), CompressError> {
        let (in_before, out_before, start) = (self.stream.total_in(), self.stream.total_out(), out.len());
        out.resize(start + room, 0);
        let status = self.stream.decompress(input, &mut out[start..], FlushDecompress::None);
        let used = self.stream.total_in() - in_before;
        let made = self.stream.total_out() - out_before;
        out.truncate(start + made as usize);
        match status {
            Ok(Status::StreamEnd) => self.ended = true,
            Ok(Status::Ok | Status::BufError) => {}
            Err(_) => return Err(CompressError::Damaged),
        }
        for allowance in [&mut self.at_once, &mut self.sustained] {
            if !allowance.take(used, made) {
                out.truncate(start);
                return Err(CompressError::Bomb);
            }
        }
        Ok((used as usize, made as usize))
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("pending", &self.pending).field("failed", &self.failed).finish()
    }
}

/// Output that input has earned: each octet in earns `rate` octets out, and no more than `most` are kept.
struct Allowance {
    rate: u64,
    most: u64,
    left: u64,
}

impl Allowance {
    fn new(rate: u64, most: u64) -> Allowance {
        Allowance { rate, most, left: most }
    }

    fn take(&mut self, used: u64, made: u64) -> bool {
        let earned = self.left.saturating_add(used.saturating_mul(self.rate));
        match earned.checked_sub(made) {
            Some(left) => self.left = left.min(self.most),
            None => return false,
        }
        true
    }
}

/// Compresses what the client sends.
pub struct Deflater {
    stream: Compress,
}

impl Deflater {
    /// `level` is 0 (stored) to 9 (smallest); more counts as 9.
    pub fn new(level: u32) -> Deflater {
        Deflater { stream: Compress::new(Compression::new(level.min(9)), false) }
    }

    /// Compresses `data` onto the end of `out`, ending in a flush (RFC 1951 §3.2.4 empty stored block), so
    /// that the server can read all of it. No data gives no output.
    pub fn deflate(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let mut rest = data;
        let mut full = !data.is_empty();
        while full || !rest.is_empty() {
            let (in_before, out_before, start) = (self.stream.total_in(), self.stream.total_out(), out.len());
            out.resize(start + STEP, 0);
            let status = self.stream.compress(rest, &mut out[start..], FlushCompress::Sync);
            let used = (self.stream.total_in() - in_before) as usize;
            let made = (self.stream.total_out() - out_before) as usize;
            debug_assert!(status.is_ok(), "a compressor takes any data");
            out.truncate(start + made);
            rest = &rest[used..];
            full = made == STEP;
            if used == 0 && made == 0 {
                break;
            }
        }
        debug_assert!(rest.is_empty(), "a flush takes all of its input");
    }
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deflater")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CompressError, Deflater, Inflater, SLACK, SUSTAINED_BURST};
    use crate::limits::Limits;

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Deflater::new(6).deflate(data, &mut out);
        out
    }

    fn with_ratio(ratio: u64) -> Inflater {
        Inflater::new(&Limits { inflate_ratio: ratio, ..Limits::DEFAULT })
    }

    /// Inflates to the end in portions of `budget`.
    fn inflate_all(
        inflater: &mut Inflater,
        mut input: &[u8],
        budget: usize,
    ) -> Result<Vec<u8>, CompressError> {
        let mut out = Vec::new();
        loop {
            let before = out.len();
            inflater.inflate(&mut input, &mut out, budget)?;
            assert!(out.len() - before <= budget);
            if !inflater.is_pending() {
                assert!(input.is_empty());
                return Ok(out);
            }
        }
    }

    #[test]
    fn a_flush_ends_what_is_sent() {
        let sent = deflated(b"a1 NOOP\r\n");
        assert!(sent.ends_with(&[0, 0, 0xff, 0xff]));
        assert_eq!(deflated(b""), b"");
        let mut inflater = with_ratio(1_100);
        assert_eq!(inflate_all(&mut inflater, &sent, 1 << 20).unwrap(), b"a1 NOOP\r\n");
    }

    #[test]
    fn one_dictionary_serves_all_commands() {
        let (mut deflater, mut inflater) = (Deflater::new(9), with_ratio(1_100));
        let mut sizes = Vec::new();
        for number in 0..20 {
            let command =
                format!("a{number} UID FETCH 1:* (FLAGS ENVELOPE) (CHANGEDSINCE 12345 VANISHED)\r\n");
            let mut sent = Vec::new();
            deflater.deflate(command.as_bytes(), &mut sent);
            sizes.push(sent.len());
            assert_eq!(inflate_all(&mut inflater, &sent, 7).unwrap(), command.as_bytes());
        }
        assert!(sizes[19] * 2 < sizes[0], "{sizes:?}");
    }

    #[test]
    fn one_octet_at_a_time_in_and_out() {
        let data: Vec<u8> = (0..40_000u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let sent = deflated(&data);
        let (mut inflater, mut out) = (with_ratio(1_100), Vec::new());
        for octet in &sent {
            let mut input = std::slice::from_ref(octet);
            loop {
                inflater.inflate(&mut input, &mut out, 1).unwrap();
                if !inflater.is_pending() {
                    break;
                }
            }
            assert!(input.is_empty());
        }
        assert_eq!(out, data);
    }

    #[test]
    fn input_beyond_the_budget_stays() {
        let data: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let sent = deflated(&data);
        let (mut inflater, mut out, mut input) = (with_ratio(1_100), Vec::new(), sent.as_slice());
        inflater.inflate(&mut input, &mut out, 1_000).unwrap();
        assert!(inflater.is_pending() && out == data[..1_000] && input.len() + 40_000 > sent.len());
        inflater.inflate(&mut input, &mut out, 0).unwrap();
        assert!(inflater.is_pending() && out.len() == 1_000);
        inflater.inflate(&mut input, &mut out, usize::MAX >> 1).unwrap();
        assert!(!inflater.is_pending() && out == data && input.is_empty());
    }

    #[test]
    fn note_38_a_bomb_ends_at_the_momentary_bound() {
        let bomb = deflated(&vec![0; 10 << 20]);
        let mut inflater = with_ratio(100);
        let (mut out, mut input) = (Vec::new(), bomb.as_slice());
        let result = inflater.inflate(&mut input, &mut out, usize::MAX >> 1);
        assert_eq!(result, Err(CompressError::Bomb));
        assert!(out.len() as u64 <= SLACK + 100 * bomb.len() as u64);
        assert_eq!(inflater.inflate(&mut &b""[..], &mut out, 10), Err(CompressError::Bomb));
        assert!(!inflater.is_pending());
    }

    #[test]
    fn note_38_a_bomb_ends_at_the_sustained_bound() {
        let mut inflater = with_ratio(Limits::DEFAULT.inflate_ratio);
        let mut deflater = Deflater::new(9);
        let zeros = vec![0; 1 << 20];
        let mut total = 0;
        let result = loop {
            let mut sent = Vec::new();
            deflater.deflate(&zeros, &mut sent);
            match inflate_all(&mut inflater, &sent, 1 << 16) {
                Ok(out) => total += out.len() as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(result, CompressError::Bomb);
        assert!((SUSTAINED_BURST..2 * SUSTAINED_BURST).contains(&total), "{total}");
    }

    #[test]
    fn honest_mail_earns_its_way() {
        // A large message that compresses a hundredfold passes under the defaults for as long as it likes.
        let (mut deflater, mut inflater) = (Deflater::new(6), with_ratio(Limits::DEFAULT.inflate_ratio));
        let line = b"From: someone@example.org\r\nSubject: the very same thing as yesterday\r\n\r\n";
        let portion = line.repeat(100_000);
        for _ in 0..12 {
            let mut sent = Vec::new();
            deflater.deflate(&portion, &mut sent);
            assert_eq!(inflate_all(&mut inflater, &sent, 1 << 16).unwrap().len(), portion.len());
        }
    }

    #[test]
    fn damage_and_data_behind_the_end() {
        let mut inflater = with_ratio(1_100);
        assert_eq!(inflate_all(&mut inflater, &[0xff; 10], 100), Err(CompressError::Damaged));
        assert_eq!(inflate_all(&mut inflater, b"\0", 100), Err(CompressError::Damaged));
        // A zlib header is not raw DEFLATE.
        assert_eq!(
            inflate_all(&mut with_ratio(1_100), b"\x78\x9c\x4b\x04\x00", 100),
            Err(CompressError::Damaged)
        );
        // A final stored block of one octet.
        let last = b"\x01\x01\0\xfe\xffa";
        let mut inflater = with_ratio(1_100);
        assert_eq!(inflate_all(&mut inflater, last, 100).unwrap(), b"a");
        assert_eq!(inflate_all(&mut inflater, b"b", 100), Err(CompressError::Ended));
    }

    proptest! {
        #[test]
        fn what_is_deflated_is_inflated(
            pieces in proptest::collection::vec(proptest::collection::vec(0u8..9, 0..3_000), 0..6),
            level in 0u32..12, budget in 1usize..5_000, cut in 1usize..400,
        ) {
            let (mut deflater, mut sent) = (Deflater::new(level), Vec::new());
            for piece in &pieces {
                deflater.deflate(piece, &mut sent);
            }
            let (mut inflater, mut out) = (with_ratio(1_100), Vec::new());
            for chunk in sent.chunks(cut) {
                out.extend(inflate_all(&mut inflater, chunk, budget).unwrap());
            }
            prop_assert_eq!(out, pieces.concat());
        }

        #[test]
        fn garbage_never_passes_the_budget(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), budget in 1usize..500,
        ) {
            let _ = inflate_all(&mut with_ratio(1_100), &bytes, budget);
        }
    }
}
