//! Messages that went from the server: hidden at once, forgotten later.

use redb::ReadableTable;

use crate::error::Result;
use crate::flags::Flags;
use crate::ids::MailboxId;
use crate::model::Change;
use crate::set::UidSet;
use crate::store::placements::Placement;
use crate::store::records::OrphanRecord;
use crate::store::writer::Writer;
use crate::store::{keys, orphans, record};

/// Hides messages that the server no longer has under these UIDs, and says how many were here. Ranges are walked through what
/// is here, never counted out.
pub(crate) fn hide_uids(
    w: &mut Writer<'_>,
    mailbox: MailboxId,
    uids: &UidSet,
    suspicious: bool,
) -> Result<u64> {
    w.store_page()?;
    let mut hidden = 0;
    let mut here = Vec::new();
    for (low, high) in uids.ranges() {
        let (from, to) = (keys::placement(mailbox, low), keys::placement(mailbox, high));
        for entry in w.tables.placements.range(from.as_slice()..=to.as_slice())? {
            let page = keys::read_u32(entry?.0.value(), 4).unwrap_or(0) << 8;
            here.push((page.max(low), (page | 0xff).min(high)));
        }
    }
    for (low, high) in here {
        for uid in low..=high {
            if let Some(placement) = w.remove_placement(mailbox, uid)? {
                hide(w, mailbox, placement, suspicious)?;
                hidden += 1;
            }
        }
    }
    Ok(hidden)
}

/// Hides everything of a mailbox.
pub(crate) fn hide_all(w: &mut Writer<'_>, mailbox: MailboxId, suspicious: bool) -> Result<u64> {
    hide_uids(w, mailbox, &UidSet::from_range(1, u32::MAX), suspicious)
}

fn hide(w: &mut Writer<'_>, mailbox: MailboxId, placement: Placement, suspicious: bool) -> Result<()> {
    let id = placement.message;
    let now = w.now_ms;
    let Some(mut message) = w.message(id)? else { return Ok(()) };
    w.tables.by_date.remove(keys::by_date(mailbox, message.internal_date, id).as_slice())?;
    w.tables.fresh.remove(keys::message(id).as_slice())?;
    let record = w.mailbox(mailbox)?;
    record.total = record.total.saturating_sub(1);
    record.size = record.size.saturating_sub(message.size);
    record.unseen = record.unseen.saturating_sub(u64::from(!placement.flags.contains(Flags::SEEN)));
    w.change(Change::MessageRemoved(mailbox, id));
    // What goes with all the rest has not moved.
    if !suspicious && orphans::moved_elsewhere(w, id, &message)? {
        return Ok(());
    }
    message.gone_ms = Some(now);
    message.uid = 0;
    w.put_message(id, &message)?;
    let orphan = record::encode(&OrphanRecord { gone_ms: now, suspicious });
    w.tables.orphans.insert(keys::pair(u64::from(mailbox.0), id.0).as_slice(), orphan.as_slice())?;
    Ok(())
}
