//! Messages that went from the server: hidden at once, forgotten later.

use redb::ReadableTable;

use crate::error::Result;
use crate::flags::FlagSet;
use crate::ids::MailboxId;
use crate::set::UidSet;
use crate::store::intents::Goal;
use crate::store::placements::Placement;
use crate::store::records::{OrphanRecord, View};
use crate::store::writer::Writer;
use crate::store::{arrivals, keys, orphans, record, view};

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
            if let Some(placement) = w.placement(mailbox, uid)? {
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

/// What becomes of a message that went from its place.
enum Fate {
    /// It stands elsewhere, or is under way.
    Elsewhere,
    /// With these flags, as a person saw them.
    Gone(FlagSet),
}

fn hide(w: &mut Writer<'_>, mailbox: MailboxId, row: Placement, suspicious: bool) -> Result<()> {
    let id = row.message;
    let account = w.mailbox(mailbox)?.account;
    let Some(message) = w.message(id)? else { return view::drop_row(w, mailbox, row.uid).map(drop) };
    let here = (message.mailbox, message.uid) == (mailbox, row.uid);
    // What was left behind under `\Deleted` by a move or a deletion stands nowhere else: the message itself does.
    let left_behind = message.view == View::Removed && w.intents(id)?.place.is_none();
    // What goes with all the rest has not moved.
    let twin =
        if here && !suspicious && !left_behind { orphans::moved_elsewhere(w, id, &message)? } else { None };
    let fate = view::alter(w, id, |w, record, intents| {
        let flags = w.flag_set(row.flags, row.keywords)?;
        view::drop_row(w, mailbox, row.uid)?;
        if !here {
            if let Some(mark) = intents.place.as_mut().and_then(|p| p.mark.as_mut()) {
                mark.arrived = None;
            }
            return Ok(Fate::Elsewhere);
        }
        let (goal, mark) = (intents.goal(), intents.mark());
        match (goal, mark, twin) {
            _ if suspicious => {}
            (Some(Goal::Move { .. }), Some(mark), _) if mark.arrived.is_some() => {
                let place = (mark.target, mark.arrived.unwrap_or(0));
                arrivals::move_in(w, account, id, record, intents, place)?;
                return Ok(Fate::Elsewhere);
            }
            (Some(Goal::Move { to }), _, _)
                if arrivals::is_local(w, to)?
                    && w.content(record.content)?.is_some_and(|c| c.body.is_some()) =>
            {
                arrivals::move_in_locally(w, account, id, record, intents, to, &flags)?;
                return Ok(Fate::Elsewhere);
            }
            (Some(Goal::Move { .. }), Some(mark), _) => {
                // On its way: it is to be met in the target.
                record.mailbox = mark.target;
                record.uid = 0;
                if record.view == View::In(mark.target) {
                    record.view = View::Here;
                }
                return Ok(Fate::Elsewhere);
            }
            (Some(Goal::Delete), _, _) => {
                if let Some(intent) = intents.place.take() {
                    w.operation_done(intent.op)?;
                }
                if let Some(flags) = intents.flags.take() {
                    w.forget_operation(flags.op)?;
                }
            }
            (_, _, Some((twin, place))) => {
                let theirs = w.placement(place.mailbox, place.uid)?;
                arrivals::absorb(w, id, twin)?;
                if let Some(theirs) = theirs {
                    let flags = w.flag_set(theirs.flags, theirs.keywords)?;
                    view::put_row(w, place.mailbox, place.uid, &flags, id, theirs.modseq)?;
                }
                record.internal_date = place.internal_date;
                record.claimed_size = place.claimed_size;
                record.size = place.size;
                arrivals::stands_at(w, account, id, record, intents, (place.mailbox, place.uid))?;
                return Ok(Fate::Elsewhere);
            }
            _ => {}
        }
        let seen = intents.over(&flags);
        if !suspicious && intents.place.is_none() {
            // What was wanted of it is done: a copy that turns up later is another's.
            record.view = View::Here;
        }
        record.gone_ms = Some(w.now_ms);
        record.uid = 0;
        Ok(Fate::Gone(seen))
    })?;
    if let Some(Fate::Gone(flags)) = fate {
        let orphan = record::encode(&OrphanRecord { gone_ms: w.now_ms, flags, suspicious });
        w.tables.orphans.insert(keys::pair(u64::from(mailbox.0), id.0).as_slice(), orphan.as_slice())?;
    }
    Ok(())
}
