//! What a store or a server holds, as a value that can be compared.

use mailkeep::message::ContentHasher;
use mailkeep::{AccountId, Cursor, Engine, MailboxKind, Role};

use super::far::FarSide;
use super::mail::field;
use super::model::ModelServer;

/// Every mailbox, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub mailboxes: Vec<MailboxSnapshot>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxSnapshot {
    /// The local id; 0 where it does not count.
    pub id: u32,
    pub name: String,
    pub role: Option<Role>,
    pub subscribed: bool,
    pub uid_validity: u32,
    pub unseen: u64,
    /// By UID.
    pub messages: Vec<MessageSnapshot>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct MessageSnapshot {
    /// The local id; 0 where it does not count.
    pub id: u64,
    pub uid: u32,
    pub flags: Vec<String>,
    pub size: u64,
    pub internal_ms: i64,
    pub subject: String,
    pub preview: Option<String>,
    pub sha256: Option<[u8; 32]>,
    pub raw: Option<Vec<u8>>,
}

impl std::fmt::Debug for MessageSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = match (&self.sha256, &self.raw) {
            (Some(hash), Some(raw)) => format!("{} octets, {:02x}{:02x}…", raw.len(), hash[0], hash[1]),
            _ => "no body".into(),
        };
        write!(
            f,
            "(id {} uid {} {:?} size {} at {} {:?} {:?} {body})",
            self.id, self.uid, self.flags, self.size, self.internal_ms, self.subject, self.preview
        )
    }
}

impl Snapshot {
    /// Without local ids: what two stores that met the same mail in another order share.
    #[must_use]
    pub fn without_ids(mut self) -> Snapshot {
        for mailbox in &mut self.mailboxes {
            mailbox.id = 0;
            for message in &mut mailbox.messages {
                message.id = 0;
            }
        }
        self
    }

    /// Without bodies, hashes and previews: what every body policy shares.
    #[must_use]
    pub fn without_bodies(mut self) -> Snapshot {
        for message in self.mailboxes.iter_mut().flat_map(|m| &mut m.messages) {
            message.preview = None;
            message.sha256 = None;
            message.raw = None;
        }
        self
    }

    pub fn without_previews(mut self) -> Snapshot {
        for message in self.mailboxes.iter_mut().flat_map(|m| &mut m.messages) {
            message.preview = None;
        }
        self
    }

    pub fn mailbox(&self, name: &str) -> &MailboxSnapshot {
        self.mailboxes.iter().find(|m| m.name == name).expect("the mailbox is there")
    }
}

impl MailboxSnapshot {
    pub fn uid(&self, uid: u32) -> &MessageSnapshot {
        self.messages.iter().find(|m| m.uid == uid).expect("the message is there")
    }

    pub fn uids(&self) -> Vec<u32> {
        self.messages.iter().map(|m| m.uid).collect()
    }
}

/// What a store holds of an account; the store is proved whole on the way.
pub fn snapshot(engine: &Engine, account: AccountId) -> Snapshot {
    let report = engine.verify().expect("the store can be read");
    assert_eq!(report.problems, Vec::<String>::new(), "the store is whole");
    let mut mailboxes = Vec::new();
    for info in engine.mailboxes(account).expect("mailboxes") {
        let mut messages = Vec::new();
        let mut after: Option<Cursor> = None;
        loop {
            let page = engine.messages(info.id, after.as_ref(), 100).expect("a page");
            let packed = engine.messages_packed(info.id, after.as_ref(), 100).expect("a packed page");
            assert!(packed == page.to_bytes(), "the packed page of {} tells something else", info.name);
            for row in page.rows {
                assert_eq!(engine.row(row.id).expect("a row"), row, "the row alone and in its page");
                let raw = engine.body(row.id, 0, u64::MAX).expect("a body");
                assert_eq!(raw.is_some(), row.has_body());
                messages.push(MessageSnapshot {
                    id: row.id.0,
                    uid: row.uid,
                    flags: sorted(row.flags.wire_words().map(str::to_owned).collect()),
                    size: row.size,
                    internal_ms: row.internal_date,
                    subject: row.summary.subject.clone(),
                    preview: Some(row.summary.preview.clone()),
                    sha256: row.sha256,
                    raw,
                });
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        messages.sort_by_key(|m| m.uid);
        assert_eq!(messages.len() as u64, info.total, "{} counts its rows", info.name);
        mailboxes.push(MailboxSnapshot {
            id: info.id.0,
            name: info.name,
            role: info.role,
            subscribed: info.subscribed,
            uid_validity: info.uid_validity,
            unseen: info.unseen,
            messages,
        });
    }
    mailboxes.sort_by(|a, b| a.name.cmp(&b.name));
    Snapshot { mailboxes }
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.retain(|w| w != "\\Recent");
    words.sort();
    words
}

/// What the server holds, in the same terms; without roles, ids and previews.
pub fn server_snapshot(server: &(impl FarSide + ?Sized)) -> Snapshot {
    server.snapshot()
}

/// What the model holds, in the same terms.
pub fn model_snapshot(server: &ModelServer) -> Snapshot {
    let world = server.look();
    let mut mailboxes: Vec<MailboxSnapshot> = world
        .boxes
        .iter()
        .map(|folder| MailboxSnapshot {
            id: 0,
            name: mailkeep::imap::mailbox_name::decode(folder.name.as_bytes(), false),
            role: None,
            subscribed: folder.subscribed,
            uid_validity: folder.uid_validity,
            unseen: folder.unseen() as u64,
            messages: folder
                .held
                .iter()
                .map(|m| {
                    let mut hasher = ContentHasher::new();
                    hasher.update(&m.raw);
                    MessageSnapshot {
                        id: 0,
                        uid: m.uid,
                        flags: sorted(m.flags.iter().cloned().collect()),
                        size: m.raw.len() as u64,
                        internal_ms: m.internal_ms,
                        subject: field(&m.raw, "Subject").unwrap_or_default(),
                        preview: None,
                        sha256: Some(hasher.finish().raw),
                        raw: Some(m.raw.to_vec()),
                    }
                })
                .collect(),
        })
        .collect();
    mailboxes.sort_by(|a, b| a.name.cmp(&b.name));
    Snapshot { mailboxes }
}

/// Roles set aside, where they are not what is compared.
pub fn with_roles(mut snapshot: Snapshot, role: Option<Role>) -> Snapshot {
    for mailbox in &mut snapshot.mailboxes {
        mailbox.role = role;
    }
    snapshot
}

/// Whether the store holds what the server holds, bodies and all.
pub fn is_in_step(engine: &Engine, account: AccountId, server: &(impl FarSide + ?Sized)) -> bool {
    with_roles(on_server(engine, account), None) == server_snapshot(server)
}

/// What is here of the server's mailboxes, without what counts for this store alone.
fn on_server(engine: &Engine, account: AccountId) -> Snapshot {
    let mut all = snapshot(engine, account).without_ids().without_previews();
    let mailboxes = engine.mailboxes(account).expect("mailboxes");
    let local = |name: &str| mailboxes.iter().any(|m| m.name == name && m.kind == MailboxKind::Local);
    all.mailboxes.retain(|m| !local(&m.name));
    all
}

/// The store holds what the server holds, bodies and all.
#[track_caller]
pub fn assert_in_step(engine: &Engine, account: AccountId, server: &(impl FarSide + ?Sized)) {
    let here = with_roles(on_server(engine, account), None);
    assert_same(&here, &server_snapshot(server));
}

/// The store holds what the server holds; bodies that are here are the server's.
#[track_caller]
pub fn assert_in_step_but_bodies(engine: &Engine, account: AccountId, server: &(impl FarSide + ?Sized)) {
    let here = with_roles(on_server(engine, account), None);
    let mut there = server_snapshot(server);
    for (mailbox, far) in here.mailboxes.iter().zip(&mut there.mailboxes) {
        for (message, far) in mailbox.messages.iter().zip(&mut far.messages) {
            if message.raw.is_none() {
                far.raw = None;
                far.sha256 = None;
            }
        }
    }
    assert_same(&here, &there);
}

#[track_caller]
pub fn assert_same(left: &Snapshot, right: &Snapshot) {
    if left != right {
        panic!("they differ:\n{}", differences(left, right));
    }
}

/// The lines that one has and the other has not.
pub fn differences(left: &Snapshot, right: &Snapshot) -> String {
    let (left, right) = (lines(left), lines(right));
    let only = |side: &str, a: &[String], b: &[String]| -> String {
        a.iter().filter(|l| !b.contains(l)).map(|l| format!("{side}: {l}\n")).collect()
    };
    only(" left", &left, &right) + &only("right", &right, &left)
}

fn lines(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for m in &snapshot.mailboxes {
        let (id, name, role, validity) = (m.id, &m.name, m.role, m.uid_validity);
        lines.push(format!(
            "{name}: id {id} {role:?} subscribed {} {validity} unseen {}",
            m.subscribed, m.unseen
        ));
        lines.extend(m.messages.iter().map(|message| format!("{name} {message:?}")));
    }
    lines
}
