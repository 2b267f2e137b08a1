//! LIST in its forms, and the items of STATUS (RFC 9051 §6.3.9, §6.3.11, RFC 5258, RFC 5819).

use super::What;
use super::reader::{Reader, Result};
use crate::imap::command::StatusItem;
use crate::imap::server::command::{Command, List};

pub(super) fn list(r: &mut Reader<'_>) -> Result<Command> {
    let mut list = List::default();
    if r.eat(b'(') {
        list.extended = true;
        selection(r, &mut list)?;
        r.space()?;
    }
    list.reference = r.mailbox()?;
    r.space()?;
    if r.eat(b'(') {
        list.extended = true;
        loop {
            r.count()?;
            list.patterns.push(r.pattern()?);
            if r.eat(b')') {
                break;
            }
            r.space()?;
        }
    } else {
        list.patterns.push(r.pattern()?);
    }
    if !r.is_at_end() {
        r.space()?;
        if !r.eat_word("RETURN") {
            return r.fail(What::Parameter);
        }
        r.space()?;
        list.extended = true;
        returns(r, &mut list)?;
    }
    Ok(Command::List(list))
}

fn selection(r: &mut Reader<'_>, list: &mut List) -> Result<()> {
    let start = r.pos;
    while !r.eat(b')') {
        r.count()?;
        if r.pos > start {
            r.space()?;
        }
        match r.keyword()?.as_str() {
            "SUBSCRIBED" => list.only_subscribed = true,
            "SPECIAL-USE" => list.only_special_use = true,
            "REMOTE" => list.remote = true,
            "RECURSIVEMATCH" => list.recursive_match = true,
            _ => return r.fail(What::Parameter),
        }
    }
    // RFC 5258 §3: there must be something to recurse for.
    if list.recursive_match && !list.only_subscribed && !list.only_special_use {
        return r.fail(What::Parameter);
    }
    Ok(())
}

fn returns(r: &mut Reader<'_>, list: &mut List) -> Result<()> {
    r.open()?;
    let start = r.pos;
    while !r.eat(b')') {
        r.count()?;
        if r.pos > start {
            r.space()?;
        }
        match r.keyword()?.as_str() {
            "SUBSCRIBED" => list.return_subscribed = true,
            "CHILDREN" => list.return_children = true,
            "SPECIAL-USE" => list.return_special_use = true,
            "STATUS" => {
                r.space()?;
                list.status = status_items(r)?;
            }
            _ => return r.fail(What::Parameter),
        }
    }
    Ok(())
}

/// `(MESSAGES UIDNEXT …)`
pub(super) fn status_items(r: &mut Reader<'_>) -> Result<Vec<StatusItem>> {
    r.open()?;
    let mut items = Vec::new();
    loop {
        r.count()?;
        let item = match r.keyword()?.as_str() {
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            "DELETED" => StatusItem::Deleted,
            "SIZE" => StatusItem::Size,
            "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
            "MAILBOXID" => StatusItem::MailboxId,
            "APPENDLIMIT" => StatusItem::AppendLimit,
            "DELETED-STORAGE" => StatusItem::DeletedStorage,
            _ => return r.fail(What::Parameter),
        };
        items.push(item);
        if r.eat(b')') {
            return Ok(items);
        }
        r.space()?;
    }
}
