//! What a client wants to be told without asking, and of which mailboxes (NOTIFY, RFC 5465).

use std::collections::BTreeMap;

use super::answer::{Answer, AnswerCode};
use super::backend::Status;
use super::names;
use crate::ids::MailboxId;
use crate::imap::command::FetchItem;
use crate::imap::response::{PlainCode, StatusKind};
use crate::imap::server::command::{Notify, NotifyEvent, NotifyGroup, NotifyMailboxes};

/// The events that are told of, as BADEVENT lists them.
pub(super) const EVENTS: &[&str] =
    &["MessageNew", "MessageExpunge", "FlagChange", "MailboxName", "SubscriptionChange"];

/// What a client has asked to be told.
#[derive(Debug, Default)]
pub(super) enum Wanted {
    /// It never said: news of the open mailbox, when a command lets them be told.
    #[default]
    Unasked,
    /// Nothing, by its own wish or because it was too much.
    Nothing,
    Some(Box<Watch>),
}

/// What NOTIFY SET has asked for, and what the client knows already.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) selected: OfSelected,
    groups: Vec<Group>,
    /// The numbers that were told last of each mailbox that is watched.
    pub(super) told: BTreeMap<MailboxId, Status>,
    /// The mailboxes and subscriptions that the client was told of, or could have listed.
    pub(super) names: BTreeMap<String, Name>,
    /// Names that this client has changed itself, and whether that went for all below them: it need not be told.
    own: Vec<(String, bool)>,
    /// The backend's revision at the last look, and what was selected then.
    pub(super) looked: Option<(u64, Option<MailboxId>)>,
}

/// Message events of the selected mailbox (RFC 5465 §6.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfSelected {
    /// MessageNew and MessageExpunge, which come together.
    pub(super) messages: bool,
    pub(super) flags: bool,
    /// Expunges are told at any time, and not only where a command lets them.
    pub(super) at_once: bool,
    /// What to tell of new messages.
    pub(super) items: Vec<FetchItem>,
}

/// A name in the list of mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: Option<MailboxId>,
    pub(super) subscribed: bool,
}

/// Events that some mailboxes are watched for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) new: bool,
    pub(super) expunge: bool,
    pub(super) flags: bool,
    pub(super) names: bool,
    pub(super) subscriptions: bool,
}

#[derive(Debug)]
struct Group {
    which: Which,
    events: Events,
}

#[derive(Debug)]
enum Which {
    /// PERSONAL; and INBOXES, since any mailbox may be one that mail is delivered to (RFC 5465 §6.3).
    All,
    Subscribed,
    /// These and what is below them.
    Subtree(Vec<String>),
    Mailboxes(Vec<String>),
}

impl Events {
    /// Whether there are numbers to tell.
    pub(super) fn of_messages(self) -> bool {
        self.new || self.expunge || self.flags
    }

    fn or(self, other: Events) -> Events {
        Events {
            new: self.new || other.new,
            expunge: self.expunge || other.expunge,
            flags: self.flags || other.flags,
            names: self.names || other.names,
            subscriptions: self.subscriptions || other.subscriptions,
        }
    }

    /// Whether a change of numbers is one of these events. A flag alone changes no count.
    pub(super) fn are_between(self, before: &Status, now: &Status) -> bool {
        let counts = |s: &Status| (s.uid_validity, s.uid_next, s.messages);
        counts(before) != counts(now) || self.flags && before.highest_modseq != now.highest_modseq
    }
}

impl Wanted {
    /// What is wanted of the selected mailbox where nothing forces it.
    pub(super) fn of_selected(&self) -> OfSelected {
        match self {
            Wanted::Unasked => OfSelected { messages: true, flags: true, ..OfSelected::default() },
            Wanted::Nothing => OfSelected::default(),
            Wanted::Some(watch) => watch.selected.clone(),
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        !matches!(self, Wanted::Unasked)
    }

    /// The client did this itself.
    pub(super) fn note_own(&mut self, name: &str, with_below: bool) {
        if let Wanted::Some(watch) = self {
            watch.own.push((name.to_owned(), with_below));
        }
    }
}

impl Watch {
    /// Reads what NOTIFY SET asks for.
    ///
    /// # Errors
    /// BAD for what RFC 5465 forbids, NO for events that are not known here (§3.1) and for names that cannot be.
    pub(super) fn new(notify: &Notify, utf8: bool, longest_name: usize) -> Result<Watch, Answer> {
        let mut watch = Watch::default();
        let mut has_selected = false;
        for NotifyGroup { mailboxes, events } in &notify.groups {
            let names = |wire: &[Vec<u8>]| -> Result<Vec<String>, Answer> {
                wire.iter().map(|name| names::read(name, utf8, longest_name)).collect()
            };
            let which = match mailboxes {
                NotifyMailboxes::Selected | NotifyMailboxes::SelectedDelayed => {
                    if std::mem::replace(&mut has_selected, true) {
                        return Err(Answer::bad("the selected mailbox is named twice"));
                    }
                    watch.selected = of_selected(events, *mailboxes == NotifyMailboxes::Selected)?;
                    continue;
                }
                NotifyMailboxes::Inboxes | NotifyMailboxes::Personal => Which::All,
                NotifyMailboxes::Subscribed => Which::Subscribed,
                NotifyMailboxes::Subtree(wire) => Which::Subtree(names(wire)?),
                NotifyMailboxes::Mailboxes(wire) => Which::Mailboxes(names(wire)?),
            };
            let events = of_others(events)?;
            if events != Events::default() {
                watch.groups.push(Group { which, events });
            }
        }
        Ok(watch)
    }

    /// Whether anything is watched but the selected mailbox.
    pub(super) fn has_others(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The events that are told of a mailbox with this name, unless it is the selected one.
    pub(super) fn events(&self, name: &str, subscribed: bool, delimiter: char) -> Events {
        let fits = |which: &Which| match which {
            Which::All => true,
            Which::Subscribed => subscribed,
            Which::Mailboxes(names) => names.iter().any(|known| known == name),
            Which::Subtree(names) => {
                names.iter().any(|top| top.is_empty() || top == name || is_below(name, top, delimiter))
            }
        };
        let fitting = self.groups.iter().filter(|group| fits(&group.which));
        fitting.fold(Events::default(), |all, group| all.or(group.events))
    }

    pub(super) fn is_own(&self, name: &str, delimiter: char) -> bool {
        let fits =
            |(own, with_below): &(String, bool)| own == name || *with_below && is_below(name, own, delimiter);
        self.own.iter().any(fits)
    }

    pub(super) fn forget_own(&mut self) {
        self.own.clear();
    }
}

fn is_below(name: &str, top: &str, delimiter: char) -> bool {
    name.strip_prefix(top).is_some_and(|rest| rest.starts_with(delimiter))
}

fn of_selected(events: &[NotifyEvent], at_once: bool) -> Result<OfSelected, Answer> {
    let told = supported(events)?;
    if told.names || told.subscriptions {
        return Err(Answer::bad("of the selected mailbox only messages are told"));
    }
    // RFC 5465 §5: the one without the other would leave the client with numbers that are not so.
    if told.new != told.expunge || told.flags && !told.new {
        return Err(Answer::bad("MessageNew and MessageExpunge belong together, and FlagChange to both"));
    }
    let items = events.iter().find_map(|event| match event {
        NotifyEvent::MessageNew(items) => Some(items.clone()),
        _ => None,
    });
    let items = items.unwrap_or_default();
    let gmail = |item: &FetchItem| {
        matches!(item, FetchItem::GmailLabels | FetchItem::GmailMessageId | FetchItem::GmailThreadId)
    };
    if items.iter().any(gmail) {
        return Err(Answer::bad("that is Gmail's"));
    }
    Ok(OfSelected { messages: told.new, flags: told.flags, at_once, items })
}

/// Of mailboxes that are not selected each event is told for itself, though RFC 5465 §5 would have a client name them together: their
/// numbers are whole whatever they are told for, and imaptest asks servers for it.
fn of_others(events: &[NotifyEvent]) -> Result<Events, Answer> {
    let fetches = |event: &NotifyEvent| matches!(event, NotifyEvent::MessageNew(items) if !items.is_empty());
    if events.iter().any(fetches) {
        return Err(Answer::bad("messages are fetched of the selected mailbox only"));
    }
    supported(events)
}

fn supported(events: &[NotifyEvent]) -> Result<Events, Answer> {
    let mut told = Events::default();
    for event in events {
        match event {
            NotifyEvent::MessageNew(_) => told.new = true,
            NotifyEvent::MessageExpunge => told.expunge = true,
            NotifyEvent::FlagChange => told.flags = true,
            NotifyEvent::MailboxName => told.names = true,
            NotifyEvent::SubscriptionChange => told.subscriptions = true,
            NotifyEvent::AnnotationChange
            | NotifyEvent::MailboxMetadataChange
            | NotifyEvent::ServerMetadataChange => {
                let no = Answer { kind: StatusKind::No, ..Answer::ok("that event is not told of here") };
                return Err(no.with(AnswerCode::BadEvent));
            }
        }
    }
    Ok(told)
}

/// There is more to watch than may be.
pub(super) fn too_much() -> Answer {
    Answer::no(PlainCode::Limit, "that is more than can be watched").with(AnswerCode::NotificationOverflow)
}
