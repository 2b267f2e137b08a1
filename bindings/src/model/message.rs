//! Messages, pages and changes.

use crate::bytes::Bytes;
use crate::numbers::signed;

/// A mailbox of an address field (RFC 5322 §3.4), decoded and bounded.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Address {
    /// The display name, on one line.
    pub name: Option<String>,
    /// The address as sent. Empty where there was a name only, or for a group without members.
    pub address: String,
}

/// A row of a message list.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct MessageRow {
    /// Its id; stays when it moves.
    pub id: i64,
    /// Its mailbox.
    pub mailbox: i64,
    /// Its content, shared by every message that has the same.
    pub content: i64,
    /// The server's handle, or 0 where it has none.
    pub uid: i64,
    /// Flags and keywords as a person should see them, by their spelling on the wire (`\Seen`, `$Forwarded`, `todo`).
    pub flags: Vec<String>,
    /// Whether something was done to it that the server has not confirmed.
    pub pending: bool,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
    /// RFC822.SIZE, or the true size once the message is here, in octets.
    pub size: i64,
    /// SHA-256 of the raw message, where it is here whole.
    pub sha256: Option<Bytes>,
    /// From; the first four.
    pub from_first: Vec<Address>,
    /// To; the first four. A list of sent mail shows these.
    pub to_first: Vec<Address>,
    /// Subject, decoded, on one line.
    pub subject: String,
    /// The Date field in milliseconds since 1970; nothing where there is none to be read.
    pub date_ms: Option<i64>,
    /// Message-ID without the angle brackets.
    pub message_id: Option<String>,
    /// The first characters of what the sender wrote, on one line.
    pub preview: String,
    /// Parts that are attachments. A guess unless `structured`.
    pub attachments: i32,
    /// The message could not be read fully.
    pub degraded: bool,
    /// The parts are known, and so `attachments` is no guess.
    pub structured: bool,
}

/// A page of rows, newest first.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct MessagePage {
    /// The rows.
    pub rows: Vec<MessageRow>,
    /// Where the next page starts; nothing at the end.
    pub next: Option<Bytes>,
}

/// One message with everything known of it but its bytes.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Message {
    /// The row.
    pub row: MessageRow,
    /// Sender
    pub sender: Vec<Address>,
    /// Reply-To
    pub reply_to: Vec<Address>,
    /// To
    pub to: Vec<Address>,
    /// Cc
    pub cc: Vec<Address>,
    /// Bcc
    pub bcc: Vec<Address>,
    /// In-Reply-To, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// References, without angle brackets: the first one and the newest ones, oldest first.
    pub references: Vec<String>,
    /// List-Id (RFC 2919), without angle brackets.
    pub list_id: Option<String>,
    /// Parts in the order of the message. Multiparts are not among them, their parts are.
    pub parts: Vec<Part>,
    /// `parts` are all there are, and their sizes are right.
    pub parts_complete: bool,
}

/// Whether a part is meant to be shown or to be saved (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Disposition {
    /// Nothing was said.
    Unsaid,
    /// `inline`
    Inline,
    /// `attachment`, or a word that is not known.
    Attachment,
}

/// A part that is no multipart.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Part {
    /// The number that names it in IMAP, such as `1.2`.
    pub number: String,
    /// Type and subtype in lowercase.
    pub media_type: String,
    /// The charset as sent.
    pub charset: Option<String>,
    /// The file name as sent, decoded. It may hold separators and anything else: to save, use `safe_file_name`.
    pub name: Option<String>,
    /// A name to save the part under: one path component, never empty.
    pub safe_file_name: String,
    /// Shown or saved.
    pub disposition: Disposition,
    /// Content-ID without the angle brackets.
    pub content_id: Option<String>,
    /// Octets as encoded for transfer, as servers count.
    pub size: i64,
    /// Whether a list should say that there is something attached.
    pub is_attachment: bool,
}

/// One thing that a screen may have to draw again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Change {
    /// An account appeared, changed or went.
    Account {
        /// The account.
        account: i64,
    },
    /// A mailbox appeared, changed (its counts too) or went.
    Mailbox {
        /// The mailbox.
        mailbox: i64,
    },
    /// A message appeared in a mailbox, or became visible.
    MessageAdded {
        /// The mailbox.
        mailbox: i64,
        /// The message.
        message: i64,
    },
    /// A message's flags, summary or body changed.
    MessageChanged {
        /// The mailbox.
        mailbox: i64,
        /// The message.
        message: i64,
    },
    /// A message left a mailbox.
    MessageRemoved {
        /// The mailbox.
        mailbox: i64,
        /// The message.
        message: i64,
    },
    /// Something of a kind that this layer does not know: read everything anew.
    Unknown,
}

/// An answer of the change feed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Changes {
    /// What changed, oldest first.
    Since {
        /// The changes.
        changes: Vec<Change>,
        /// Ask from here next.
        next: i64,
    },
    /// The feed does not reach back that far: read everything anew, then ask from `next`.
    TooOld {
        /// Ask from here next.
        next: i64,
    },
}

fn addresses(all: Vec<mailkeep::message::Address>) -> Vec<Address> {
    all.into_iter().map(|address| Address { name: address.name, address: address.address }).collect()
}

impl From<mailkeep::MessageRow> for MessageRow {
    fn from(row: mailkeep::MessageRow) -> MessageRow {
        let summary = row.summary;
        MessageRow {
            id: signed(row.id.0),
            mailbox: row.mailbox.0.into(),
            content: signed(row.content.0),
            uid: row.uid.into(),
            flags: row.flags.wire_words().map(str::to_owned).collect(),
            pending: row.pending,
            internal_date: row.internal_date,
            size: signed(row.size),
            sha256: row.sha256.map(|hash| Bytes(hash.to_vec())),
            from_first: addresses(summary.from),
            to_first: addresses(summary.to),
            subject: summary.subject,
            date_ms: summary.date_ms,
            message_id: summary.message_id,
            preview: summary.preview,
            attachments: summary.attachments.into(),
            degraded: summary.degraded,
            structured: summary.structured,
        }
    }
}

impl From<mailkeep::Page> for MessagePage {
    fn from(page: mailkeep::Page) -> MessagePage {
        MessagePage {
            rows: page.rows.into_iter().map(MessageRow::from).collect(),
            next: page.next.map(|cursor| Bytes(cursor.as_bytes().to_vec())),
        }
    }
}

impl From<mailkeep::Message> for Message {
    fn from(message: mailkeep::Message) -> Message {
        let details = message.details;
        Message {
            row: message.row.into(),
            sender: addresses(details.sender),
            reply_to: addresses(details.reply_to),
            to: addresses(details.to),
            cc: addresses(details.cc),
            bcc: addresses(details.bcc),
            in_reply_to: details.in_reply_to,
            references: details.references,
            list_id: details.list_id,
            parts: details.parts.into_iter().map(Part::from).collect(),
            parts_complete: details.parts_complete,
        }
    }
}

impl From<mailkeep::message::Part> for Part {
    fn from(part: mailkeep::message::Part) -> Part {
        Part {
            safe_file_name: part.safe_file_name(),
            is_attachment: part.is_attachment(),
            number: part.number,
            media_type: part.media_type,
            charset: part.charset,
            name: part.name,
            disposition: match part.disposition {
                mailkeep::message::Disposition::None => Disposition::Unsaid,
                mailkeep::message::Disposition::Inline => Disposition::Inline,
                mailkeep::message::Disposition::Attachment => Disposition::Attachment,
            },
            content_id: part.content_id,
            size: signed(part.size),
        }
    }
}

impl From<mailkeep::Change> for Change {
    fn from(change: mailkeep::Change) -> Change {
        use mailkeep::Change as Theirs;
        match change {
            Theirs::Account(account) => Change::Account { account: account.0.into() },
            Theirs::Mailbox(mailbox) => Change::Mailbox { mailbox: mailbox.0.into() },
            Theirs::MessageAdded(mailbox, message) => {
                Change::MessageAdded { mailbox: mailbox.0.into(), message: signed(message.0) }
            }
            Theirs::MessageChanged(mailbox, message) => {
                Change::MessageChanged { mailbox: mailbox.0.into(), message: signed(message.0) }
            }
            Theirs::MessageRemoved(mailbox, message) => {
                Change::MessageRemoved { mailbox: mailbox.0.into(), message: signed(message.0) }
            }
            _ => Change::Unknown,
        }
    }
}

impl From<mailkeep::Changes> for Changes {
    fn from(changes: mailkeep::Changes) -> Changes {
        match changes {
            mailkeep::Changes::Since { changes, next } => Changes::Since {
                changes: changes.into_iter().map(Change::from).collect(),
                next: signed(next),
            },
            mailkeep::Changes::TooOld { next } => Changes::TooOld { next: signed(next) },
        }
    }
}
