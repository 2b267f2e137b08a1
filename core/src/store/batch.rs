//! A batch: what arrived since the last commit, in the store's own terms.
//!
//! A batch is a value. It is filled while bytes come in; what they say is hashed and read then, without any
//! lock, so that with commits on a second thread the two share the work. It is applied in one write
//! transaction, on whichever thread the host likes.

use crate::flags::FlagSet;
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};
use crate::limits::Limits;
use crate::message::{self, ContentHash, ContentHasher, Part, Reading};
use crate::model::{BodyPolicy, Namespace, Quota, Role};
use crate::set::UidSet;
use crate::store::blobs::LARGEST;
use crate::store::intents::Mark;
use crate::store::ledger::LedgerOp;

/// Octets of a message that are read for its summary while it arrives; the rest waits until it is opened.
pub(crate) const PREFIX: usize = 64 << 10;

/// What is to be written together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) account: AccountId,
    pub(crate) now_wall_ms: i64,
    pub(crate) ops: Vec<Op>,
    weight: usize,
    limits: Limits,
}

/// One fact to write.
#[derive(Debug)]
pub(crate) enum Op {
    /// What was learnt of the account's server.
    Account(AccountFact),
    /// Mailboxes that the server has; where the list is complete, those not among them are gone.
    Listed { mailboxes: Vec<MailboxFact>, complete: bool },
    /// A mailbox's numbers.
    State { mailbox: MailboxId, state: StateFact },
    /// The server numbers the mailbox anew: every placement goes, contents stay.
    Renumbered { mailbox: MailboxId, uid_validity: u32 },
    /// Something about one message.
    Message(Box<MessageFact>),
    /// These UIDs are gone from the server.
    Gone { mailbox: MailboxId, uids: UidSet, suspicious: bool },
    /// Bytes of a body that is still arriving.
    Piece { blob: u64, offset: u64, data: Vec<u8> },
    /// How far a body has come that a cut would interrupt.
    Partial { mailbox: MailboxId, uid: u32, partial: PartialBody },
    /// One part of a message that is not here whole.
    Part { mailbox: MailboxId, uid: u32, number: String, body: Box<StagedBody> },
    /// The header of a message that was known again by Message-ID, size and date alone.
    Compared { mailbox: MailboxId, uid: u32, header: Vec<u8> },
    /// Bodies that came in part and that nobody will finish may go.
    Collect { mailbox: MailboxId },
    /// What became of something that was done offline.
    Replay(ReplayFact),
    /// What went from the server before this time may be forgotten.
    Purge { before_ms: i64 },
    /// Something about the messages of a POP3 server.
    Ledger(LedgerOp),
}

/// What becomes of operations while they are replayed.
#[derive(Debug)]
pub(crate) enum ReplayFact {
    /// These are about to be sent: written before the first octet leaves.
    Sent { messages: Vec<MessageId>, mark: Mark },
    /// Flags of these are about to be sent.
    FlagsSent(Vec<MessageId>),
    /// The command that carried their flags is answered, or its connection has gone.
    FlagsAnswered(Vec<MessageId>),
    /// The server named the UIDs under which they stand now.
    Told { mailbox: MailboxId, uid_validity: u32, pairs: Vec<(u32, MessageId)>, flags: Option<FlagSet> },
    /// The server said OK, without saying where they are.
    Answered(Vec<MessageId>),
    /// They were not done, and may be done later.
    NotDone(Vec<MessageId>),
    /// They bear `\Deleted` and cannot be expunged alone.
    Left(Vec<MessageId>),
    /// Set aside for good, with the server's words.
    Refused { op: OperationId, why: String },
    /// The content of a copy for a mailbox of this device is here.
    CopiedLocally(MessageId),
    /// All that is in a mailbox was met: what was sent there and did not turn up is not there.
    Looked(MailboxId),
    /// The whole account was met: what is nowhere is gone.
    Lost,
    /// An operation on a mailbox was done.
    MailboxDone(OperationId),
}

#[derive(Debug, Default)]
pub(crate) struct AccountFact {
    pub(crate) capabilities: Option<Vec<String>>,
    pub(crate) capabilities_before: Option<Vec<String>>,
    /// The server does not hear initial responses that it says it takes.
    pub(crate) deaf_to_initial: bool,
    pub(crate) server: Option<String>,
    pub(crate) quotas: Option<Vec<Quota>>,
    pub(crate) namespace: Option<Namespace>,
    /// The server ended an IDLE that had lasted so long.
    pub(crate) idle_ended_ms: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct MailboxFact {
    pub(crate) wire_name: Vec<u8>,
    pub(crate) name: String,
    pub(crate) delimiter: Option<u8>,
    pub(crate) role: Option<Role>,
    pub(crate) selectable: bool,
    pub(crate) subscribed: Option<bool>,
    pub(crate) mailbox_id: Option<String>,
    pub(crate) uid_validity: Option<u32>,
}

/// Numbers of a mailbox; `None` leaves what is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct StateFact {
    pub(crate) mailbox_id: Option<String>,
    pub(crate) uid_validity: Option<u32>,
    pub(crate) uid_next: Option<u32>,
    pub(crate) highest_modseq: Option<u64>,
    pub(crate) complete: Option<bool>,
    pub(crate) bodies_done: Option<BodyPolicy>,
    /// The STATUS that a finished pass stands for, by which the mailbox may be skipped next time.
    pub(crate) settled: Option<Option<Settled>>,
    pub(crate) audited_ms: Option<i64>,
    /// What the user may do in it; `Some(None)` where that is to be asked again.
    pub(crate) rights: Option<Option<String>>,
}

/// What STATUS said when a mailbox was last wholly in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Settled {
    pub(crate) messages: u32,
    pub(crate) uid_next: u32,
    pub(crate) uid_validity: u32,
    pub(crate) unseen: u32,
    pub(crate) highest_modseq: u64,
}

/// A body whose transfer was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PartialBody {
    pub(crate) uid_validity: u32,
    pub(crate) blob: u64,
    /// Octets durable so far.
    pub(crate) received: u64,
    /// Octets in all.
    pub(crate) total: u64,
}

/// What is known of one message under one UID; `None` leaves what is stored.
#[derive(Debug)]
pub(crate) struct MessageFact {
    pub(crate) mailbox: MailboxId,
    pub(crate) uid: u32,
    /// Whether it may be entered where it is not here yet; else an unknown UID is left alone.
    pub(crate) enter: bool,
    /// It is this message, which was brought along from another server.
    pub(crate) brought: Option<MessageId>,
    /// Whether it counts as new mail where it is entered unseen.
    pub(crate) fresh: bool,
    pub(crate) flags: Option<FlagSet>,
    pub(crate) modseq: Option<u64>,
    pub(crate) internal_date: Option<i64>,
    pub(crate) size: Option<u64>,
    pub(crate) email_id: Option<String>,
    /// The header, or fields of it, as sent.
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) parts: Option<Vec<Part>>,
    pub(crate) preview: Option<String>,
    pub(crate) body: Option<StagedBody>,
    /// What the header or the body says, once it is in a batch.
    pub(crate) reading: Option<Reading>,
}

impl MessageFact {
    pub(crate) fn new(mailbox: MailboxId, uid: u32) -> MessageFact {
        MessageFact {
            mailbox,
            uid,
            enter: false,
            brought: None,
            fresh: false,
            flags: None,
            modseq: None,
            internal_date: None,
            size: None,
            email_id: None,
            header: None,
            parts: None,
            preview: None,
            body: None,
            reading: None,
        }
    }

    fn read(&mut self, limits: &Limits) {
        if let Some(body) = &mut self.body {
            self.reading = Some(body.read(limits));
        } else if let Some(header) = self.header.take() {
            self.reading = Some(message::read_header(&header, limits));
        }
    }

    pub(super) fn weight(&self) -> usize {
        let text = |t: &Option<String>| t.as_ref().map_or(0, String::len);
        let flags = self.flags.as_ref().map_or(0, |f| f.keywords().iter().map(|k| 24 + k.len()).sum());
        let parts = self.parts.as_ref().map_or(0, |parts| parts.iter().map(part_weight).sum());
        let body = self.body.as_ref().map_or(0, |b| 400 + b.held());
        400 + self.header.as_ref().map_or(0, Vec::len)
            + text(&self.email_id)
            + text(&self.preview)
            + flags
            + parts
            + body
    }
}

fn part_weight(part: &Part) -> usize {
    let name = part.name.as_ref().map_or(0, String::len) + part.content_id.as_ref().map_or(0, String::len);
    200 + part.number.len() + part.media_type.len() + name
}

/// A whole message body on its way into the store.
#[derive(Debug)]
pub(crate) struct StagedBody {
    pub(crate) blob: u64,
    /// Octets that earlier batches hold already.
    pub(crate) stored: u64,
    /// The octets after those.
    pub(crate) data: Vec<Vec<u8>>,
    /// The beginning of the message, as far as it is not in `data`.
    prefix: Vec<u8>,
    hasher: Option<ContentHasher>,
    /// Octets announced, for sizing: never more than a chunk is set aside for them.
    announced: u64,
    /// Once all of it came.
    pub(crate) hash: Option<ContentHash>,
}

impl StagedBody {
    pub(crate) fn new(blob: u64, announced: u64) -> StagedBody {
        StagedBody {
            announced,
            blob,
            stored: 0,
            data: Vec::new(),
            prefix: Vec::new(),
            hasher: Some(ContentHasher::new()),
            hash: None,
        }
    }

    /// Adds bytes as they arrive, in vectors as long as the longest chunk, and hashes them.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        while !bytes.is_empty() {
            let room = self.data.last().map_or(0, |last| LARGEST - last.len());
            if room == 0 {
                let expected = usize::try_from(self.announced.saturating_sub(self.len())).unwrap_or(LARGEST);
                self.data.push(Vec::with_capacity(expected.max(bytes.len()).min(LARGEST)));
                continue;
            }
            let (head, rest) = bytes.split_at(room.min(bytes.len()));
            self.data.last_mut().expect("one was pushed").extend_from_slice(head);
            bytes = rest;
        }
    }

    /// Octets that this body holds in memory.
    pub(crate) fn held(&self) -> usize {
        self.data.iter().map(Vec::len).sum()
    }

    /// Octets of the body in all, so far.
    pub(crate) fn len(&self) -> u64 {
        self.stored + self.held() as u64
    }

    /// A body of which `stored` octets are in the store under `blob` already.
    pub(crate) fn resumed(blob: u64, stored: u64, prefix: Vec<u8>, hasher: ContentHasher) -> StagedBody {
        StagedBody { blob, stored, data: Vec::new(), prefix, hasher: Some(hasher), announced: 0, hash: None }
    }

    /// Takes the full chunks out for a batch of their own, so that a large body does not stay in memory.
    pub(crate) fn take_full_chunks(&mut self) -> Vec<Op> {
        self.take_chunks(self.data.len().saturating_sub(1))
    }

    /// Forgets the last octet, so that something is left to ask for.
    pub(crate) fn drop_last_octet(&mut self) {
        if let Some(last) = self.data.last_mut() {
            last.pop();
        }
        // What was hashed no longer holds; whoever goes on from here hashes anew.
        self.hasher = None;
    }

    /// Takes everything out that came so far.
    pub(crate) fn take_all_chunks(&mut self) -> Vec<Op> {
        self.take_chunks(self.data.len())
    }

    fn take_chunks(&mut self, count: usize) -> Vec<Op> {
        let mut ops = Vec::with_capacity(count);
        for data in self.data.drain(..count) {
            extend_prefix(&mut self.prefix, &data);
            let offset = self.stored;
            self.stored += data.len() as u64;
            ops.push(Op::Piece { blob: self.blob, offset, data });
        }
        ops
    }

    /// The hash of a body that is whole.
    pub(crate) fn finish(&mut self) -> Option<ContentHash> {
        if let Some(hasher) = self.hasher.take() {
            self.hash = Some(hasher.finish());
        }
        self.hash
    }

    /// Reads what the message says, once all of it came.
    pub(crate) fn read(&mut self, limits: &Limits) -> Reading {
        self.finish();
        if self.stored > 0 {
            for chunk in &self.data {
                extend_prefix(&mut self.prefix, chunk);
            }
        }
        let prefix: &[u8] = match self.data.first() {
            Some(first) if self.stored == 0 => first,
            _ => &self.prefix,
        };
        if prefix.len() as u64 == self.len() {
            message::read_message(prefix, limits)
        } else {
            message::read_prefix(prefix, limits)
        }
    }
}

/// Adds what of `data` still belongs to the beginning of a message.
fn extend_prefix(prefix: &mut Vec<u8>, data: &[u8]) {
    let room = PREFIX.saturating_sub(prefix.len());
    prefix.extend_from_slice(&data[..data.len().min(room)]);
}

impl Batch {
    pub(crate) fn new(account: AccountId, limits: Limits) -> Batch {
        Batch { account, now_wall_ms: 0, ops: Vec::new(), weight: 0, limits }
    }

    /// Adds a fact. What a message says is read now.
    pub(crate) fn push(&mut self, mut op: Op) {
        self.weight += match &op {
            Op::Message(fact) => fact.weight(),
            Op::Piece { data, .. } | Op::Compared { header: data, .. } => data.len(),
            Op::Part { body, .. } => 400 + body.held(),
            Op::Listed { mailboxes, .. } => mailboxes.iter().map(|m| 200 + m.name.len() * 2).sum(),
            Op::Ledger(op) => op.weight(),
            Op::Account(fact) => 200 + fact.capabilities.iter().flatten().map(String::len).sum::<usize>(),
            _ => 200,
        };
        match &mut op {
            Op::Message(fact) => fact.read(&self.limits),
            Op::Ledger(LedgerOp::Message(entry)) => entry.fact.read(&self.limits),
            _ => {}
        }
        self.ops.push(op);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Octets held in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}
