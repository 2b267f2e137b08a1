//! Response codes (RFC 9051 §7.1, RFC 5530).

use super::cursor::{Cursor, Result, is};
use super::error::Expected;
use crate::imap::response::{Code, PlainCode};
use crate::imap::text::Words;

/// The code at the cursor, if there is one. A bracket that never closes is no code but text.
pub(super) fn code<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Code<'a>>> {
    if cursor.peek() != Some(b'[') {
        return Ok(None);
    }
    let Some(end) = closing_bracket(cursor.rest()) else { return Ok(None) };
    let start = cursor.pos + 1;
    let end = cursor.pos + end;
    // The code is read from a cursor of its own that cannot run into the text, but counts from the
    // same place for its errors.
    let mut inside = Cursor::new(&cursor.text[..end]);
    inside.pos = start;
    let code = read(&mut inside)?;
    cursor.pos = end + 1;
    Ok(Some(code))
}

/// The offset of the bracket that ends a code. Brackets in quoted strings do not count.
fn closing_bracket(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            _ => {}
        }
    }
    // A quote that never closes is no quote.
    if quoted { memchr::memchr(b']', text) } else { None }
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Code<'a>> {
    let name = cursor.word();
    cursor.spaces();
    let argument = cursor.rest();
    let other = Code::Other { name, argument };
    if argument.is_empty() {
        return Ok(plain(name).unwrap_or(other));
    }
    let code = if is(name, b"UIDNEXT") {
        // 0 is no UID to come: the server does not know.
        match cursor.number32()? {
            0 => other,
            uid => Code::UidNext(uid),
        }
    } else if is(name, b"UIDVALIDITY") {
        match cursor.number32()? {
            0 => other,
            value => Code::UidValidity(value),
        }
    } else if is(name, b"HIGHESTMODSEQ") {
        Code::HighestModSeq(cursor.mod_sequence()?)
    } else if is(name, b"UNSEEN") {
        Code::Unseen(cursor.number32()?)
    } else if is(name, b"PERMANENTFLAGS") {
        Code::PermanentFlags(cursor.flag_list()?)
    } else if is(name, b"CAPABILITY") {
        return Ok(Code::Capability(Words { raw: argument }));
    } else if is(name, b"APPENDUID") {
        append_uid(cursor)?
    } else if is(name, b"COPYUID") {
        return copy_uid(cursor, other);
    } else if is(name, b"MODIFIED") {
        Code::Modified(cursor.sequence_set()?)
    } else if is(name, b"BADCHARSET") {
        let start = cursor.pos;
        cursor.skip_value()?;
        let list = cursor.since(start);
        let inside = list.strip_prefix(b"(").and_then(|l| l.strip_suffix(b")"));
        Code::BadCharset(Words { raw: inside.unwrap_or(list) })
    } else if is(name, b"MAILBOXID") {
        cursor.expect(b'(', Expected::OpenParenthesis)?;
        let id = cursor.atom()?;
        cursor.expect(b')', Expected::CloseParenthesis)?;
        Code::MailboxId(id)
    } else if is(name, b"REFERRAL") {
        return Ok(Code::Referral(argument));
    } else {
        // Codes that take no argument keep their meaning where a server adds one.
        return Ok(plain(name).unwrap_or(other));
    };
    cursor.end()?;
    Ok(code)
}

fn append_uid<'a>(cursor: &mut Cursor<'a>) -> Result<Code<'a>> {
    let uid_validity = cursor.message_number()?;
    cursor.space()?;
    Ok(Code::AppendUid { uid_validity, uids: cursor.sequence_set()? })
}

/// Where nothing was copied some servers send the code with empty sets: it says nothing then.
fn copy_uid<'a>(cursor: &mut Cursor<'a>, nothing: Code<'a>) -> Result<Code<'a>> {
    let uid_validity = cursor.message_number()?;
    cursor.spaces();
    if cursor.rest().iter().all(|b| matches!(b, b' ' | b'"')) {
        return Ok(nothing);
    }
    let source = cursor.sequence_set()?;
    cursor.space()?;
    let target = cursor.sequence_set()?;
    cursor.end()?;
    Ok(Code::CopyUid { uid_validity, source, target })
}

fn plain(name: &[u8]) -> Option<Code<'static>> {
    CODES.iter().find(|(known, _)| is(name, known)).map(|(_, code)| *code)
}

/// The registered word of a code without an argument.
pub(crate) fn plain_word(code: PlainCode) -> &'static str {
    let known = |(_, known): &&(&[u8], Code<'static>)| matches!(known, Code::Plain(plain) if *plain == code);
    CODES.iter().find(known).and_then(|(word, _)| std::str::from_utf8(word).ok()).unwrap_or("SERVERBUG")
}

const CODES: &[(&[u8], Code<'static>)] = {
    use PlainCode::*;
    &[
        (b"ALERT", Code::Alert),
        (b"PARSE", Code::Parse),
        (b"READ-ONLY", Code::ReadOnly),
        (b"READ-WRITE", Code::ReadWrite),
        (b"TRYCREATE", Code::TryCreate),
        (b"UIDNOTSTICKY", Code::UidNotSticky),
        (b"NOMODSEQ", Code::NoModSeq),
        (b"CLOSED", Code::Closed),
        (b"COMPRESSIONACTIVE", Code::CompressionActive),
        (b"NOTIFICATIONOVERFLOW", Code::NotificationOverflow),
        (b"BADCHARSET", Code::BadCharset(Words { raw: b"" })),
        (b"UNAVAILABLE", Code::Plain(Unavailable)),
        (b"AUTHENTICATIONFAILED", Code::Plain(AuthenticationFailed)),
        (b"AUTHORIZATIONFAILED", Code::Plain(AuthorizationFailed)),
        (b"EXPIRED", Code::Plain(Expired)),
        (b"PRIVACYREQUIRED", Code::Plain(PrivacyRequired)),
        (b"CONTACTADMIN", Code::Plain(ContactAdmin)),
        (b"NOPERM", Code::Plain(NoPerm)),
        (b"INUSE", Code::Plain(InUse)),
        (b"EXPUNGEISSUED", Code::Plain(ExpungeIssued)),
        (b"CORRUPTION", Code::Plain(Corruption)),
        (b"SERVERBUG", Code::Plain(ServerBug)),
        (b"CLIENTBUG", Code::Plain(ClientBug)),
        (b"CANNOT", Code::Plain(Cannot)),
        (b"LIMIT", Code::Plain(Limit)),
        (b"OVERQUOTA", Code::Plain(OverQuota)),
        (b"ALREADYEXISTS", Code::Plain(AlreadyExists)),
        (b"NONEXISTENT", Code::Plain(Nonexistent)),
        (b"NOTSAVED", Code::Plain(NotSaved)),
        (b"HASCHILDREN", Code::Plain(HasChildren)),
        (b"UNKNOWN-CTE", Code::Plain(UnknownCte)),
        (b"TOOBIG", Code::Plain(TooBig)),
        (b"USEATTR", Code::Plain(UseAttr)),
        (b"BADURL", Code::Plain(BadUrl)),
        (b"TOOMANY", Code::Plain(TooMany)),
    ]
};
