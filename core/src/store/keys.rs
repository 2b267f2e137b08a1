//! Keys: big-endian, so that the order of bytes is the order of numbers.

use crate::ids::{AccountId, ContentId, MailboxId, MessageId, OperationId};

/// Placement rows of one mailbox, 256 UIDs a page.
pub(crate) fn placement(mailbox: MailboxId, uid: u32) -> [u8; 8] {
    join(mailbox.0, uid >> 8)
}

/// First key of a mailbox in a table whose keys begin with the mailbox.
pub(crate) fn mailbox(mailbox: MailboxId) -> [u8; 4] {
    mailbox.0.to_be_bytes()
}

/// A key after every key of a mailbox.
pub(crate) fn after_mailbox(mailbox: MailboxId) -> [u8; 4] {
    mailbox.0.saturating_add(1).to_be_bytes()
}

pub(crate) fn account(account: AccountId) -> [u8; 4] {
    account.0.to_be_bytes()
}

pub(crate) fn message(message: MessageId) -> [u8; 8] {
    message.0.to_be_bytes()
}

pub(crate) fn content(content: ContentId) -> [u8; 8] {
    content.0.to_be_bytes()
}

pub(crate) fn operation(op: OperationId) -> [u8; 8] {
    op.0.to_be_bytes()
}

/// Received date of a message in its mailbox; ascending.
pub(crate) fn by_date(mailbox: MailboxId, date_ms: i64, message: MessageId) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&mailbox.0.to_be_bytes());
    // Flipping the sign bit keeps dates before 1970 below those after.
    key[4..12].copy_from_slice(&(date_ms as u64 ^ (1 << 63)).to_be_bytes());
    key[12..].copy_from_slice(&message.0.to_be_bytes());
    key
}

/// The mailbox's date and message of a [`by_date`] key.
pub(crate) fn read_by_date(key: &[u8]) -> Option<(i64, MessageId)> {
    let date = u64::from_be_bytes(key.get(4..12)?.try_into().ok()?) ^ (1 << 63);
    let message = u64::from_be_bytes(key.get(12..20)?.try_into().ok()?);
    Some((date as i64, MessageId(message)))
}

/// A chunk of a blob by the offset of its first octet.
pub(crate) fn chunk(blob: u64, offset: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&blob.to_be_bytes());
    key[8..].copy_from_slice(&offset.to_be_bytes());
    key
}

/// Two 64-bit numbers in order.
pub(crate) fn pair(first: u64, second: u64) -> [u8; 16] {
    chunk(first, second)
}

/// One mailbox's UID.
pub(crate) fn uid(mailbox: MailboxId, uid: u32) -> [u8; 8] {
    join(mailbox.0, uid)
}

/// A UID that was served and went, by when.
pub(crate) fn served_gone(mailbox: MailboxId, modseq: u64, uid: u32) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&mailbox.0.to_be_bytes());
    key[4..12].copy_from_slice(&modseq.to_be_bytes());
    key[12..].copy_from_slice(&uid.to_be_bytes());
    key
}

/// An identity of a content in an account: what kind, the first octets of a hash, the content.
pub(crate) fn identity(account: AccountId, kind: u8, hash: [u8; 8], content: ContentId) -> [u8; 21] {
    let mut key = [0; 21];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4] = kind;
    key[5..13].copy_from_slice(&hash);
    key[13..].copy_from_slice(&content.0.to_be_bytes());
    key
}

pub(crate) fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn join(high: u32, low: u32) -> [u8; 8] {
    (u64::from(high) << 32 | u64::from(low)).to_be_bytes()
}
