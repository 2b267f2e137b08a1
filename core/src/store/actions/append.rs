//! Messages that come from this device: drafts, sent mail, imports.

use crate::error::{Error, Result};
use crate::flags::FlagSet;
use crate::ids::{MailboxId, MessageId};
use crate::message::Reading;
use crate::model::MailboxKind;
use crate::store::actions::{place, shown, target};
use crate::store::apply::{content_id, fallback_id};
use crate::store::batch::StagedBody;
use crate::store::intents::Goal;
use crate::store::records::{BodyRecord, ContentRecord, MessageRecord, View};
use crate::store::writer::Writer;
use crate::store::{arrivals, identity, packs, view};

/// A message from this device.
pub(crate) struct NewMessage {
    pub(crate) body: StagedBody,
    pub(crate) reading: Reading,
    pub(crate) flags: FlagSet,
    /// INTERNALDATE in milliseconds; whole seconds, as the protocol has it.
    pub(crate) internal_date: i64,
}

/// Puts a message into a mailbox.
pub(crate) fn append(w: &mut Writer<'_>, to: MailboxId, message: NewMessage) -> Result<MessageId> {
    let into = target(w, to)?;
    let account = into.account;
    let NewMessage { mut body, reading, flags, internal_date } = message;
    let hash = body.hash.ok_or(Error::Misuse("a message was appended unprepared"))?;
    let len = body.len();
    let id = fallback_id(w);
    let content = match identity::by_bytes(w, account, &hash, reading.summary.message_id.as_deref())? {
        Some(content) => content,
        None => {
            let content = content_id(w, id)?;
            let (pack, start) = packs::keep(w, &mut body)?;
            let stored = BodyRecord { pack, len, sha256: hash.raw, canonical: hash.canonical, start };
            let record = ContentRecord {
                summary: reading.summary,
                account,
                email_ids: Vec::new(),
                body: Some(stored),
            };
            identity::enter(w, content, &record)?;
            w.put_content(content, &record)?;
            content
        }
    };
    let record = MessageRecord {
        mailbox: to,
        uid: 0,
        view: View::Here,
        content,
        internal_date,
        size: len,
        claimed_size: len,
        provisional: false,
        added_ms: w.now_ms,
        gone_ms: None,
    };
    place::enter(w, account, id, record)?;
    view::alter(w, id, |w, record, intents| {
        record.gone_ms = None;
        if into.kind != MailboxKind::Server {
            return arrivals::move_in_locally(w, account, id, record, intents, to, &flags);
        }
        place::want(w, account, id, intents, Goal::Append, None)?;
        place::take_flags_along(w, intents, flags, FlagSet::default());
        Ok(())
    })?;
    Ok(id)
}

/// Puts a newer version of a draft in the place of an older one. The older goes once the newer is there.
pub(crate) fn replace(w: &mut Writer<'_>, old: MessageId, message: NewMessage) -> Result<MessageId> {
    let (_, mailbox) = shown(w, old)?;
    let new = append(w, mailbox, message)?;
    let op = w.intents(new)?.place.map(|p| p.op);
    place::expunge(w, old, op)?;
    Ok(new)
}

/// Puts what was copied from a message of another account into a mailbox. Where it moves, the message goes once the copy is
/// on its server.
pub(crate) fn carry(
    w: &mut Writer<'_>,
    from: MessageId,
    to: MailboxId,
    copy: NewMessage,
    moves: bool,
) -> Result<MessageId> {
    shown(w, from)?;
    let new = append(w, to, copy)?;
    if moves {
        let op = w.intents(new)?.place.map(|p| p.op);
        place::expunge(w, from, op)?;
    }
    Ok(new)
}
