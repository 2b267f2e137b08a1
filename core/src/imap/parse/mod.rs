//! From one frame to one typed response (RFC 9051 §7, §9; RFC 3501 and the extensions in use).
//!
//! Nothing is allocated and nothing recurses. What servers are known to get wrong is taken as meant
//! where the meaning is certain; where it is not, the error says what was expected and where.
//!
//! Extensions read: CONDSTORE and QRESYNC (RFC 7162), ESEARCH (4731), PARTIAL (9394), SORT (5256),
//! LIST-EXTENDED (5258), LIST-STATUS (5819), STATUS=SIZE (8438), APPENDLIMIT (7889), OBJECTID (8474),
//! UIDPLUS (4315), QUOTA (9208), ENABLE (5161), ID (2971), NAMESPACE (2342), MYRIGHTS (4314),
//! BINARY (3516), PREVIEW (8970), SAVEDATE (8514), UTF8=ACCEPT (6855), and Gmail's X-GM-EXT-1.

mod alike;
mod code;
pub(crate) mod cursor;
mod data;
pub(crate) mod envelope;
mod error;
pub(crate) mod fetch;
pub(crate) mod number;
pub(crate) mod quoted;
pub(crate) mod structure;
#[cfg(test)]
mod tests;
pub(crate) mod walk;

use crate::imap::response::{Data, Response, Status, StatusKind};
use crate::wire::Frame;

pub(crate) use code::plain_word;
pub use error::{Expected, ParseError};
pub use fetch::{SectionHead, section_head};

use cursor::{Cursor, Result, is};

/// Parses one response.
///
/// FETCH attributes are read when they are walked; see [`FetchAttrs`](crate::imap::fetch::FetchAttrs).
/// An empty line is [`Data::Unknown`].
///
/// # Errors
/// [`ParseError`], where the response is none that a server may send.
#[inline]
pub fn response<'a>(frame: Frame<'a>) -> std::result::Result<Response<'a>, ParseError> {
    // Most of what a server ever says; made in place, since responses as a whole are large.
    if let Some(fetch) = data::plain_fetch(frame) {
        return Ok(Response::Data(Data::Fetch(fetch)));
    }
    any(frame)
}

fn any<'a>(frame: Frame<'a>) -> Result<Response<'a>> {
    match frame.text {
        [] => Ok(Response::Data(Data::Unknown(b""))),
        [b'+', rest @ ..] => Ok(Response::Continuation(rest.strip_prefix(b" ").unwrap_or(rest))),
        [b'*', ..] => untagged(frame),
        text => tagged(text).map_err(|error| ParseError { tagged: true, ..error }),
    }
}

fn untagged<'a>(frame: Frame<'a>) -> Result<Response<'a>> {
    let mut cursor = Cursor::with_streamed(frame.text, frame.streamed, 0);
    cursor.pos = 1;
    cursor.space()?;
    match cursor.peek() {
        Some(b'0'..=b'9') => data::numbered(cursor).map(Response::Data),
        // Exchange forgets the word before a code: what it means is a notice.
        Some(b'[') => status_text(None, StatusKind::Ok, cursor).map(Response::Status),
        _ => {
            let start = cursor.pos;
            let word = cursor.word();
            match status_kind(word) {
                Some(kind) => status_text(None, kind, cursor).map(Response::Status),
                None => data::named(cursor, word, start).map(Response::Data),
            }
        }
    }
}

fn tagged(text: &[u8]) -> Result<Response<'_>> {
    let mut cursor = Cursor::new(text);
    let tag = cursor.word();
    let is_tag =
        |b: &u8| b.is_ascii_graphic() && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b'+');
    if tag.is_empty() || !tag.iter().all(is_tag) {
        cursor.pos = 0;
        return cursor.fail(Expected::Start);
    }
    cursor.space()?;
    let start = cursor.pos;
    match status_kind(cursor.word()) {
        Some(kind @ (StatusKind::Ok | StatusKind::No | StatusKind::Bad)) => {
            status_text(Some(tag), kind, cursor).map(Response::Status)
        }
        _ => {
            cursor.pos = start;
            cursor.fail(Expected::Status)
        }
    }
}

fn status_kind(word: &[u8]) -> Option<StatusKind> {
    Some(match word.len() {
        2 if is(word, b"OK") => StatusKind::Ok,
        2 if is(word, b"NO") => StatusKind::No,
        3 if is(word, b"BAD") => StatusKind::Bad,
        3 if is(word, b"BYE") => StatusKind::Bye,
        7 if is(word, b"PREAUTH") => StatusKind::Preauth,
        _ => return None,
    })
}

/// What follows the status word: an optional code, and text.
fn status_text<'a>(tag: Option<&'a [u8]>, kind: StatusKind, mut cursor: Cursor<'a>) -> Result<Status<'a>> {
    cursor.spaces();
    let code = code::code(&mut cursor)?;
    cursor.spaces();
    Ok(Status { tag, kind, code, text: cursor.rest() })
}
