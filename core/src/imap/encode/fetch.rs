//! FETCH (RFC 9051 §6.4.5) and its modifiers.

use super::line::Line;
use super::{EncodeError, Encoding, mod_sequence, put_numbers};
use crate::imap::command::{ChangedSince, FetchItem, NumberSet, Section};

pub(super) fn put_fetch(
    line: &mut Line,
    uid: bool,
    set: &NumberSet,
    items: &[FetchItem],
    changed_since: Option<ChangedSince>,
    partial: Option<(i64, i64)>,
) -> Encoding {
    if items.is_empty() {
        return Err(EncodeError::Empty { field: "FETCH items" });
    }
    line.raw(if uid { "UID FETCH " } else { "FETCH " });
    put_numbers(line, set)?;
    for (at, item) in items.iter().enumerate() {
        line.raw(if at == 0 { " (" } else { " " });
        put_fetch_item(line, item)?;
    }
    line.raw(")");

    let mut modifiers = Vec::new();
    if let Some(ChangedSince { modseq, vanished }) = changed_since {
        modifiers.push(format!("CHANGEDSINCE {}", mod_sequence(modseq, 1)?));
        if vanished {
            // RFC 7162 §3.2.6: only for UID FETCH.
            if !uid {
                return Err(EncodeError::Range { field: "VANISHED modifier" });
            }
            modifiers.push("VANISHED".to_owned());
        }
    }
    if let Some((from, to)) = partial {
        // RFC 9394 §4: both count from the oldest, or both, below 0, from the newest.
        let counts = |n: i64| n != 0 && n.unsigned_abs() <= u64::from(u32::MAX);
        if !counts(from) || !counts(to) || (from < 0) != (to < 0) {
            return Err(EncodeError::Range { field: "PARTIAL range" });
        }
        modifiers.push(format!("PARTIAL {from}:{to}"));
    }
    if !modifiers.is_empty() {
        line.raw(&format!(" ({})", modifiers.join(" ")));
    }
    Ok(())
}

fn put_fetch_item(line: &mut Line, item: &FetchItem) -> Encoding {
    match item {
        FetchItem::Uid => line.raw("UID"),
        FetchItem::Flags => line.raw("FLAGS"),
        FetchItem::ModSeq => line.raw("MODSEQ"),
        FetchItem::InternalDate => line.raw("INTERNALDATE"),
        FetchItem::Rfc822Size => line.raw("RFC822.SIZE"),
        FetchItem::Envelope => line.raw("ENVELOPE"),
        FetchItem::BodyStructure => line.raw("BODYSTRUCTURE"),
        FetchItem::EmailId => line.raw("EMAILID"),
        FetchItem::ThreadId => line.raw("THREADID"),
        FetchItem::Preview => line.raw("PREVIEW"),
        FetchItem::PreviewLazy => line.raw("PREVIEW (LAZY)"),
        FetchItem::SaveDate => line.raw("SAVEDATE"),
        FetchItem::Body => line.raw("BODY"),
        FetchItem::Rfc822 => line.raw("RFC822"),
        FetchItem::Rfc822Header => line.raw("RFC822.HEADER"),
        FetchItem::Rfc822Text => line.raw("RFC822.TEXT"),
        FetchItem::GmailMessageId => line.raw("X-GM-MSGID"),
        FetchItem::GmailThreadId => line.raw("X-GM-THRID"),
        FetchItem::GmailLabels => line.raw("X-GM-LABELS"),
        FetchItem::Peek { section, partial } => put_body(line, "BODY.PEEK[", section, *partial)?,
        FetchItem::Section { section, partial } => put_body(line, "BODY[", section, *partial)?,
        FetchItem::BinaryPeek { part, partial } => put_binary(line, "BINARY.PEEK[", part, *partial)?,
        FetchItem::Binary { part, partial } => put_binary(line, "BINARY[", part, *partial)?,
        FetchItem::BinarySize { part } => put_binary(line, "BINARY.SIZE[", part, None)?,
    }
    Ok(())
}

fn put_body(line: &mut Line, word: &str, section: &Section, partial: Option<(u32, u32)>) -> Encoding {
    line.raw(word);
    put_section(line, section)?;
    line.raw("]");
    put_partial(line, partial)
}

fn put_binary(line: &mut Line, word: &str, part: &[u32], partial: Option<(u32, u32)>) -> Encoding {
    line.raw(word);
    put_part(line, part)?;
    line.raw("]");
    put_partial(line, partial)
}

fn put_section(line: &mut Line, section: &Section) -> Encoding {
    match section {
        Section::Full => {}
        Section::Header => line.raw("HEADER"),
        Section::HeaderFields(names) => put_names(line, "HEADER.FIELDS (", names)?,
        Section::HeaderFieldsNot(names) => put_names(line, "HEADER.FIELDS.NOT (", names)?,
        Section::Text => line.raw("TEXT"),
        Section::Part(part) | Section::Mime(part) | Section::Within { part, .. } if part.is_empty() => {
            return Err(EncodeError::Empty { field: "part number" });
        }
        Section::Part(part) => put_part(line, part)?,
        Section::Mime(part) => {
            put_part(line, part)?;
            line.raw(".MIME");
        }
        Section::Within { part, section } => {
            put_part(line, part)?;
            line.raw(".");
            match &**section {
                Section::Header | Section::HeaderFields(_) | Section::HeaderFieldsNot(_) | Section::Text => {
                    put_section(line, section)?;
                }
                _ => return Err(EncodeError::Range { field: "section of an inner message" }),
            }
        }
    }
    Ok(())
}

fn put_names(line: &mut Line, word: &str, names: &[String]) -> Encoding {
    if names.is_empty() {
        return Err(EncodeError::Empty { field: "header field names" });
    }
    for (at, name) in names.iter().enumerate() {
        line.raw(if at == 0 { word } else { " " });
        line.astring("header field name", name.as_bytes())?;
    }
    line.raw(")");
    Ok(())
}

fn put_part(line: &mut Line, part: &[u32]) -> Encoding {
    for (at, &number) in part.iter().enumerate() {
        if number == 0 {
            return Err(EncodeError::Range { field: "part number" });
        }
        line.raw(if at == 0 { "" } else { "." });
        line.raw(&number.to_string());
    }
    Ok(())
}

fn put_partial(line: &mut Line, partial: Option<(u32, u32)>) -> Encoding {
    match partial {
        None => {}
        Some((_, 0)) => return Err(EncodeError::Range { field: "partial length" }),
        Some((origin, length)) => line.raw(&format!("<{origin}.{length}>")),
    }
    Ok(())
}
