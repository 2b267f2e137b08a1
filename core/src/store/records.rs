//! The records, as they are stored.

use serde::{Deserialize, Serialize};

use crate::flags::FlagSet;
use crate::ids::{AccountId, ContentId, MailboxId};
use crate::message::{Details, Summary};
use crate::model::{AccountSettings, BodyPolicy, MailboxKind, Namespace, Quota, Role};
use crate::store::batch::{PartialBody, Settled};
use crate::store::intents::{IntentRecord, JournalRecord};
use crate::store::record::Record;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) settings: AccountSettings,
    /// Capabilities after signing in, as last seen; empty before the first time.
    pub(crate) capabilities: Vec<String>,
    /// Capabilities before signing in, on an encrypted connection, as last seen.
    pub(crate) capabilities_before: Vec<String>,
    pub(crate) server: Option<String>,
    /// It offers SASL-IR and does not hear initial responses.
    pub(crate) deaf_to_initial: bool,
    /// How long the last IDLE had lasted that the server ended.
    pub(crate) idle_ended_ms: Option<u64>,
    /// How long an IDLE lasts at most on this server, where it was learnt.
    pub(crate) idle_limit_ms: Option<u64>,
    /// As last heard.
    pub(crate) quotas: Vec<Quota>,
    /// It has come from another server, and what is here is being matched with what this one has.
    pub(crate) converting: bool,
    /// Whether a sync has once brought everything that it was asked for.
    pub(crate) synced_once: bool,
    /// As the server told.
    pub(crate) namespace: Option<Namespace>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MailboxRecord {
    pub(crate) account: AccountId,
    /// The name exactly as the server spells it.
    pub(crate) wire_name: Vec<u8>,
    pub(crate) name: String,
    pub(crate) delimiter: Option<u8>,
    pub(crate) kind: MailboxKind,
    pub(crate) role: Option<Role>,
    /// The user's choice; `Some(None)` means no role at all.
    pub(crate) chosen_role: Option<Option<Role>>,
    pub(crate) selectable: bool,
    pub(crate) subscribed: bool,
    /// OBJECTID's MAILBOXID.
    pub(crate) mailbox_id: Option<String>,
    /// No longer on the server; kept while messages of it may still be recognised elsewhere.
    pub(crate) gone: bool,
    pub(crate) uid_validity: u32,
    /// Names this mailbox under this UIDVALIDITY, in all the store and for ever: ids are made of it.
    pub(crate) numbering: u32,
    pub(crate) uid_next: u32,
    pub(crate) highest_modseq: u64,
    /// Messages as a person sees them.
    pub(crate) total: u64,
    pub(crate) unseen: u64,
    pub(crate) size: u64,
    /// Placements without `\Seen`: what the server should count.
    pub(crate) server_unseen: u64,
    /// What a person did to it that the server has not confirmed.
    pub(crate) wish: MailboxWish,
    /// What the user may do in it (RFC 4314), where the server told.
    pub(crate) rights: Option<String>,
    pub(crate) complete: bool,
    /// Which bodies were all here at the last settling.
    pub(crate) bodies_done: BodyPolicy,
    pub(crate) settled: Option<Settled>,
    pub(crate) audited_ms: i64,
}

/// What a person did to a mailbox and the server has not confirmed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailboxWish {
    /// It is not on the server yet.
    pub(crate) unborn: bool,
    /// It is deleted, as far as a person sees.
    pub(crate) doomed: bool,
    /// Its new name, and how that goes on the wire.
    pub(crate) name: Option<(String, Vec<u8>)>,
    pub(crate) subscribed: Option<bool>,
}

impl MailboxRecord {
    /// Whether a person sees it.
    pub(crate) fn is_shown(&self) -> bool {
        !self.gone && !self.wish.doomed
    }

    /// A mailbox of which nothing is known.
    pub(crate) fn empty(account: AccountId) -> MailboxRecord {
        MailboxRecord {
            account,
            wire_name: Vec::new(),
            name: String::new(),
            delimiter: None,
            kind: MailboxKind::Local,
            role: None,
            chosen_role: None,
            selectable: true,
            subscribed: true,
            mailbox_id: None,
            gone: false,
            uid_validity: 0,
            numbering: 0,
            uid_next: 0,
            highest_modseq: 0,
            total: 0,
            unseen: 0,
            size: 0,
            server_unseen: 0,
            wish: MailboxWish::default(),
            rights: None,
            complete: false,
            bodies_done: BodyPolicy::None,
            settled: None,
            audited_ms: 0,
        }
    }
}

/// Where a person sees a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum View {
    /// Where it stands.
    Here,
    /// In another mailbox: it was moved there offline.
    In(MailboxId),
    /// Nowhere: it was deleted offline, or waits under `\Deleted` for someone to expunge it.
    Removed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MessageRecord {
    /// Where it stands: on the server, or on this device for a local mailbox. One that the server has not got
    /// yet stands where it is to go.
    pub(crate) mailbox: MailboxId,
    /// 0 where the server has none for it, or has dropped it.
    pub(crate) uid: u32,
    pub(crate) view: View,
    pub(crate) content: ContentId,
    pub(crate) internal_date: i64,
    /// Octets: what the server says, or the truth once the message is here.
    pub(crate) size: u64,
    /// What the server says, right or wrong: another word later means another message.
    pub(crate) claimed_size: u64,
    /// Whether the content was matched by Message-ID, size and date alone.
    pub(crate) provisional: bool,
    pub(crate) added_ms: i64,
    /// When it went from the server; it is hidden and may be recognised elsewhere.
    pub(crate) gone_ms: Option<i64>,
}

impl MessageRecord {
    /// The mailbox in which a person sees it.
    pub(crate) fn shown_in(&self) -> Option<MailboxId> {
        match (self.gone_ms, self.view) {
            (Some(_), _) | (None, View::Removed) => None,
            (None, View::Here) => Some(self.mailbox),
            (None, View::In(mailbox)) => Some(mailbox),
        }
    }

    /// Whether a server, or this device, has it under a UID.
    pub(crate) fn is_placed(&self) -> bool {
        self.gone_ms.is_none() && self.uid != 0
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContentRecord {
    pub(crate) summary: Summary,
    pub(crate) account: AccountId,
    /// What the server calls it: of the same bytes delivered twice, or sent by this device, there are several. In place of one
    /// optional id, which is written the same way.
    pub(crate) email_ids: Vec<String>,
    pub(crate) body: Option<BodyRecord>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct BodyRecord {
    pub(crate) pack: u64,
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) canonical: [u8; 32],
    /// Where it begins in that blob, which other bodies may share.
    pub(crate) start: u64,
}

/// A part that is here without the rest of its message.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct PartRecord {
    pub(crate) blob: u64,
    pub(crate) len: u64,
}

/// What is handed out next.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub(crate) account: u32,
    pub(crate) mailbox: u32,
    pub(crate) numbering: u32,
    /// Of messages whose own id is taken.
    pub(crate) message: u32,
    /// Of contents that need an id apart from their message's.
    pub(crate) content: u32,
    pub(crate) keywords: u32,
    /// Of what people did offline.
    pub(crate) operation: u64,
    /// Of the times that contents were looked at.
    pub(crate) opened: u64,
    /// Rows of the table of intents: where there are none, nobody looks.
    pub(crate) intents: u64,
    /// Number of the last commit that changed something a screen shows.
    pub(crate) commit: u64,
    /// The oldest commit that the change feed still has.
    pub(crate) oldest_commit: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeywordsRecord {
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChangesRecord {
    pub(crate) changes: Vec<crate::model::Change>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OrphanRecord {
    pub(crate) gone_ms: i64,
    /// As a person saw them last.
    pub(crate) flags: FlagSet,
    /// It went together with most of its mailbox: kept until a later sync agrees.
    pub(crate) suspicious: bool,
}

impl Record for AccountRecord {
    const VERSION: u8 = 3;
    const NAME: &'static str = "account";

    /// Version 2 did not know of namespaces.
    fn from_older(version: u8, body: &[u8]) -> Option<AccountRecord> {
        let 2 = version else { return None };
        // Nothing of the old form has to be moved: what is new is its last field, and `None` is a zero.
        let body = [body, &[0]].concat();
        postcard::from_bytes(&body).ok()
    }
}

impl Record for ContentRecord {
    const VERSION: u8 = 2;
    const NAME: &'static str = "content";

    /// Version 1 gave each body a blob of its own.
    fn from_older(version: u8, body: &[u8]) -> Option<ContentRecord> {
        type Body = (u64, u64, [u8; 32], [u8; 32]);
        type Content = (Summary, AccountId, Vec<String>, Option<Body>);
        let 1 = version else { return None };
        let (summary, account, email_ids, body): Content = postcard::from_bytes(body).ok()?;
        let body =
            body.map(|(pack, len, sha256, canonical)| BodyRecord { pack, len, sha256, canonical, start: 0 });
        Some(ContentRecord { summary, account, email_ids, body })
    }
}

macro_rules! records {
    ($($record:ty, $version:literal, $name:literal;)*) => {
        $(impl Record for $record {
            const VERSION: u8 = $version;
            const NAME: &'static str = $name;
        })*
    };
}

records! {
    MailboxRecord, 1, "mailbox";
    MessageRecord, 1, "message";
    Details, 1, "details";
    Counters, 1, "counters";
    KeywordsRecord, 1, "keyword set";
    ChangesRecord, 1, "change feed";
    OrphanRecord, 1, "orphan";
    PartialBody, 1, "partial body";
    PartRecord, 1, "part";
    IntentRecord, 1, "intent";
    JournalRecord, 1, "journal";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record;

    #[test]
    fn a_body_of_the_first_version_is_alone_in_its_blob() {
        let id = Some("<a@b>".to_owned());
        let summary = Summary { message_id: id.clone(), ..Summary::default() };
        let hashes = ([1_u8; 32], [2_u8; 32]);
        let old = (&summary, AccountId(7), &id, Some((9_u64, 1_000_u64, hashes.0, hashes.1)));
        let mut stored = vec![1];
        stored.extend(postcard::to_allocvec(&old).unwrap());
        let read: ContentRecord = record::decode(&stored).unwrap();
        let body = read.body.unwrap();
        assert_eq!((read.summary.message_id, read.account), (id.clone(), AccountId(7)));
        assert_eq!(read.email_ids, Vec::from_iter(id));
        assert_eq!((body.pack, body.len, body.start), (9, 1_000, 0));
        assert_eq!((body.sha256, body.canonical), hashes);
        let again: ContentRecord = record::decode(&record::encode(&ContentRecord {
            summary,
            account: AccountId(7),
            email_ids: Vec::new(),
            body: Some(body),
        }))
        .unwrap();
        assert_eq!(again.body.unwrap().len, 1_000);
    }

    #[test]
    fn accounts_of_version_2_are_read() {
        let settings = AccountSettings::imap("home", "mail.example.org", "ann");
        let quota = Quota { root: "user".into(), resource: "STORAGE".into(), usage: 1, limit: 2 };
        let (words, before) = (vec!["IMAP4REV1".to_owned()], vec!["STARTTLS".to_owned()]);
        let server = Some("Dovecot".to_owned());
        let old =
            (&settings, &words, &before, &server, true, Some(7_u64), None::<u64>, vec![quota], false, true);
        let mut stored = vec![2];
        stored.extend(postcard::to_allocvec(&old).unwrap());
        let read: AccountRecord = record::decode(&stored).unwrap();
        assert_eq!((read.settings, read.capabilities, read.capabilities_before), (settings, words, before));
        assert_eq!((read.server, read.deaf_to_initial, read.idle_ended_ms), (server, true, Some(7)));
        assert_eq!((read.quotas.len(), read.converting, read.synced_once), (1, false, true));
        assert_eq!(read.namespace, None);
    }
}
