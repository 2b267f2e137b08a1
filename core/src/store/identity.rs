//! By what a content is known again, strongest first: the server's own id, the bytes, and last a
//! provisional match of Message-ID, size and date.
//!
//! Every identity is scoped to its account: a hostile server cannot name another account's mail.

use redb::ReadableTable;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::ids::{AccountId, ContentId, MessageId};
use crate::message::{ContentHash, Summary};
use crate::store::keys;
use crate::store::records::ContentRecord;
use crate::store::writer::Writer;

/// The kinds of identity in the index.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Kind {
    /// EMAILID or X-GM-MSGID, with its prefix.
    ServerId = 1,
    /// The canonical hash of the bytes.
    Bytes = 2,
    /// The Message-ID.
    MessageId = 3,
}

fn short(value: &[u8]) -> [u8; 8] {
    let hash = Sha256::digest(value);
    *hash.first_chunk().expect("a SHA-256 has 32 octets")
}

/// A flood of equal Message-IDs must not make every lookup long: past this many none counts as unique.
const MOST_CANDIDATES: usize = 16;

/// A server that calls the same bytes by more names than this has none that tell anything.
pub(crate) const MOST_SERVER_IDS: usize = 64;

/// One server gives one message a final CRLF over one protocol and none over the other.
const SIZE_TOLERANCE: u64 = 2;

/// Contents that may have an identity; each is to be checked.
fn candidates(w: &Writer<'_>, account: AccountId, kind: Kind, hash: [u8; 8]) -> Result<Vec<ContentId>> {
    let from = keys::identity(account, kind as u8, hash, ContentId(0));
    let to = keys::identity(account, kind as u8, hash, ContentId(u64::MAX));
    let mut found: Vec<ContentId> = w
        .new_identities(from, to)
        .take(MOST_CANDIDATES)
        .filter_map(|key| keys::read_u64(key, 13))
        .map(ContentId)
        .collect();
    for entry in w.tables.identities.range(from.as_slice()..=to.as_slice())?.take(MOST_CANDIDATES) {
        found.extend(keys::read_u64(entry?.0.value(), 13).map(ContentId));
    }
    Ok(found)
}

/// Enters every identity that a content has.
///
/// What has a Message-ID is known again by that alone, its bytes too: keys that are hashes lie all over
/// the index, and each costs a page of every commit. Past as many as are looked at it needs its own.
pub(crate) fn enter(w: &mut Writer<'_>, id: ContentId, content: &ContentRecord) -> Result<()> {
    let known = match &content.summary.message_id {
        Some(message_id) => {
            let others = candidates(w, content.account, Kind::MessageId, short(message_id.as_bytes()))?;
            others.len() + 1 < MOST_CANDIDATES
        }
        None => false,
    };
    each(content, |account, kind, hash| {
        if !(known && matches!(kind, Kind::Bytes)) {
            w.enter_identity(keys::identity(account, kind as u8, hash, id));
        }
        Ok(())
    })
}

/// Takes every identity of a content out.
pub(crate) fn forget(w: &mut Writer<'_>, id: ContentId, content: &ContentRecord) -> Result<()> {
    each(content, |account, kind, hash| w.forget_identity(&keys::identity(account, kind as u8, hash, id)))
}

fn each(content: &ContentRecord, mut act: impl FnMut(AccountId, Kind, [u8; 8]) -> Result<()>) -> Result<()> {
    for id in &content.email_ids {
        act(content.account, Kind::ServerId, short(id.as_bytes()))?;
    }
    if let Some(body) = &content.body {
        act(content.account, Kind::Bytes, *body.canonical.first_chunk().expect("32 octets"))?;
    }
    if let Some(id) = &content.summary.message_id {
        act(content.account, Kind::MessageId, short(id.as_bytes()))?;
    }
    Ok(())
}

/// The content with the server's id.
pub(crate) fn by_server_id(w: &Writer<'_>, account: AccountId, id: &str) -> Result<Option<ContentId>> {
    for found in candidates(w, account, Kind::ServerId, short(id.as_bytes()))? {
        if w.content(found)?.is_some_and(|c| c.email_ids.iter().any(|known| known == id)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Enters one more id that the server has for a content.
pub(crate) fn learn_server_id(w: &mut Writer<'_>, content: ContentId, id: &str) -> Result<()> {
    let Some(mut record) = w.content(content)? else { return Ok(()) };
    if record.email_ids.len() >= MOST_SERVER_IDS || record.email_ids.iter().any(|known| known == id) {
        return Ok(());
    }
    w.enter_identity(keys::identity(record.account, Kind::ServerId as u8, short(id.as_bytes()), content));
    record.email_ids.push(id.to_owned());
    w.put_content(content, &record)
}

/// The content with exactly these bytes, in which this Message-ID stands.
pub(crate) fn by_bytes(
    w: &Writer<'_>,
    account: AccountId,
    hash: &ContentHash,
    message_id: Option<&str>,
) -> Result<Option<ContentId>> {
    let mut some = match message_id {
        Some(id) => candidates(w, account, Kind::MessageId, short(id.as_bytes()))?,
        None => Vec::new(),
    };
    if message_id.is_none() || some.len() >= MOST_CANDIDATES {
        let short = *hash.canonical.first_chunk().expect("32 octets");
        some.extend(candidates(w, account, Kind::Bytes, short)?);
    }
    for found in some {
        let body = w.content(found)?.and_then(|c| c.body);
        if body.is_some_and(|b| b.sha256 == hash.raw && b.len == hash.len) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The one content whose Message-ID, date, subject, sender and size all agree; `None` where there
/// is none, or more than one.
pub(crate) fn provisional(
    w: &Writer<'_>,
    account: AccountId,
    summary: &Summary,
    size: u64,
) -> Result<Option<ContentId>> {
    let Some(id) = &summary.message_id else { return Ok(None) };
    let mut only = None;
    let all = candidates(w, account, Kind::MessageId, short(id.as_bytes()))?;
    if all.len() >= MOST_CANDIDATES {
        return Ok(None);
    }
    for found in all {
        let Some(content) = w.content(found)? else { continue };
        let s = &content.summary;
        let same = s.message_id == summary.message_id
            && s.date_ms == summary.date_ms
            && s.subject == summary.subject
            && s.from == summary.from
            && size_of(w, found, &content)?.is_some_and(|s| s.abs_diff(size) <= SIZE_TOLERANCE);
        if same && only.replace(found).is_some() {
            return Ok(None);
        }
    }
    Ok(only)
}

fn size_of(w: &Writer<'_>, id: ContentId, content: &ContentRecord) -> Result<Option<u64>> {
    if let Some(body) = &content.body {
        return Ok(Some(body.len));
    }
    let Some(holder) = holders(w, id)?.first().copied() else { return Ok(None) };
    Ok(w.message(holder)?.map(|m| m.size))
}

/// The messages that have a content, oldest first.
pub(crate) fn holders(w: &Writer<'_>, content: ContentId) -> Result<Vec<MessageId>> {
    let (from, to) = (keys::pair(content.0, 0), keys::pair(content.0, u64::MAX));
    // A server that gives everything one id must not make every entry longer than the last.
    const MOST: usize = 64;
    let mut all = Vec::new();
    for entry in w.tables.holders.range(from.as_slice()..=to.as_slice())?.take(MOST) {
        all.extend(keys::read_u64(entry?.0.value(), 8).map(MessageId));
    }
    Ok(all)
}
