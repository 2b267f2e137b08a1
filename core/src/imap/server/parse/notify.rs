//! NOTIFY (RFC 5465 §3, §8).

use super::What;
use super::fetch::fetch_items;
use super::reader::{Reader, Result};
use crate::imap::server::command::{Command, Notify, NotifyEvent, NotifyGroup, NotifyMailboxes};

pub(super) fn notify(r: &mut Reader<'_>) -> Result<Command> {
    if r.eat_word("NONE") {
        return Ok(Command::Notify(None));
    }
    if !r.eat_word("SET") {
        return r.fail(What::Parameter);
    }
    let mut notify = Notify::default();
    r.space()?;
    if r.eat_word("STATUS") {
        notify.status = true;
        r.space()?;
    }
    loop {
        r.count()?;
        r.open()?;
        notify.groups.push(group(r)?);
        r.close()?;
        if r.is_at_end() {
            return Ok(Command::Notify(Some(notify)));
        }
        r.space()?;
    }
}

fn group(r: &mut Reader<'_>) -> Result<NotifyGroup> {
    let mailboxes = match r.keyword()?.as_str() {
        "SELECTED" => NotifyMailboxes::Selected,
        "SELECTED-DELAYED" => NotifyMailboxes::SelectedDelayed,
        "INBOXES" => NotifyMailboxes::Inboxes,
        "PERSONAL" => NotifyMailboxes::Personal,
        "SUBSCRIBED" => NotifyMailboxes::Subscribed,
        "SUBTREE" => NotifyMailboxes::Subtree(mailboxes(r)?),
        "MAILBOXES" => NotifyMailboxes::Mailboxes(mailboxes(r)?),
        _ => return r.fail(What::Parameter),
    };
    r.space()?;
    let mut events = Vec::new();
    if r.eat_word("NONE") {
        return Ok(NotifyGroup { mailboxes, events });
    }
    r.open()?;
    loop {
        r.count()?;
        events.push(event(r)?);
        if r.eat(b')') {
            return Ok(NotifyGroup { mailboxes, events });
        }
        r.space()?;
    }
}

/// One name, or several in parentheses.
fn mailboxes(r: &mut Reader<'_>) -> Result<Vec<Vec<u8>>> {
    r.space()?;
    if !r.eat(b'(') {
        return Ok(vec![r.mailbox()?]);
    }
    let mut names = Vec::new();
    loop {
        r.count()?;
        names.push(r.mailbox()?);
        if r.eat(b')') {
            return Ok(names);
        }
        r.space()?;
    }
}

fn event(r: &mut Reader<'_>) -> Result<NotifyEvent> {
    let start = r.pos;
    Ok(match r.keyword()?.as_str() {
        "MESSAGENEW" => {
            let items = r.rest().starts_with(b" (");
            if items {
                r.space()?;
            }
            NotifyEvent::MessageNew(if items { fetch_items(r)? } else { Vec::new() })
        }
        "MESSAGEEXPUNGE" => NotifyEvent::MessageExpunge,
        "FLAGCHANGE" => NotifyEvent::FlagChange,
        "ANNOTATIONCHANGE" => NotifyEvent::AnnotationChange,
        "MAILBOXNAME" => NotifyEvent::MailboxName,
        "SUBSCRIPTIONCHANGE" => NotifyEvent::SubscriptionChange,
        "MAILBOXMETADATACHANGE" => NotifyEvent::MailboxMetadataChange,
        "SERVERMETADATACHANGE" => NotifyEvent::ServerMetadataChange,
        _ => {
            r.pos = start;
            return r.fail(What::Parameter);
        }
    })
}
