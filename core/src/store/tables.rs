//! The tables. All share one key and value type: redb's code is compiled once for each pair.

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use crate::error::Result;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

macro_rules! tables {
    ($($(#[$doc:meta])* $field:ident = $name:literal;)*) => {
        $(#[allow(non_upper_case_globals, reason = "named after the field it opens")] const $field: Definition = TableDefinition::new($name);)*

        /// Every table, open for writing in one transaction.
        pub(crate) struct Tables<'t> {
            $($(#[$doc])* pub(crate) $field: redb::Table<'t, &'static [u8], &'static [u8]>,)*
        }

        impl<'t> Tables<'t> {
            pub(crate) fn open(txn: &'t WriteTransaction) -> Result<Tables<'t>> {
                Ok(Tables { $($field: txn.open_table($field)?,)* })
            }
        }

        impl Tables<'_> {
            /// Copies every row of a snapshot.
            pub(crate) fn copy_from(&mut self, snapshot: &Snapshot) -> Result<()> {
                $(for entry in snapshot.$field.iter()? {
                    let (key, value) = entry?;
                    self.$field.insert(key.value(), value.value())?;
                })*
                Ok(())
            }
        }

        /// Every table, as one snapshot.
        pub(crate) struct Snapshot {
            $($(#[$doc])* pub(crate) $field: redb::ReadOnlyTable<&'static [u8], &'static [u8]>,)*
        }

        impl Snapshot {
            pub(crate) fn open(txn: &ReadTransaction) -> Result<Snapshot> {
                Ok(Snapshot { $($field: txn.open_table($field)?,)* })
            }
        }

        /// What both [`Tables`] and [`Snapshot`] can be read through.
        #[allow(dead_code, reason = "one accessor for each table")]
        pub(crate) trait Read {
            $(fn $field(&self) -> &impl ReadableTable<&'static [u8], &'static [u8]>;)*
        }

        impl Read for Tables<'_> {
            $(fn $field(&self) -> &impl ReadableTable<&'static [u8], &'static [u8]> { &self.$field })*
        }

        impl Read for Snapshot {
            $(fn $field(&self) -> &impl ReadableTable<&'static [u8], &'static [u8]> { &self.$field })*
        }
    };
}

tables! {
    /// Schema version, incarnation, counters.
    meta = "meta";
    /// Account id → record.
    accounts = "accounts";
    /// Mailbox id → record.
    mailboxes = "mailboxes";
    /// (mailbox, UID / 256) → rows of fixed width: UID, flags, keyword set, message, mod-sequence.
    placements = "placements";
    /// Message id → record.
    messages = "messages";
    /// (mailbox as shown, received date, message) → (content, mailbox, UID, pending): the newest page is one range read.
    by_date = "by_date";
    /// Content id → what a list row shows, and where the body is.
    contents = "contents";
    /// Content id → the rest of the header, and the parts.
    details = "details";
    /// (content, message): who has a content.
    holders = "holders";
    /// (blob, offset) → chunk.
    blobs = "blobs";
    /// (account, kind, hash, content): by what a content is known again.
    identities = "identities";
    /// Keyword set id → the keywords.
    keywords = "keywords";
    /// Commit number → what it changed.
    changes = "changes";
    /// (mailbox, UID) → a body that has come in part.
    partials = "partials";
    /// (content, part number) → a part of a message that is not here whole.
    parts = "parts";
    /// Message id → nothing: new mail that no one has acknowledged.
    fresh = "fresh";
    /// (mailbox, message) → when it went from the server: hidden, and kept for a while.
    orphans = "orphans";
    /// Message id → what a person wants of it that the server has not confirmed.
    intents = "intents";
    /// Content → when it was last looked at, as a rising number.
    opened = "opened";
    /// Operation → whose it is, and what it is about: the journal, in the order in which things were done.
    journal = "journal";
    /// (account, what names it on a POP3 server) → what became of a message; account alone → its server.
    ledger = "ledger";
    /// Message id → its key in the ledger.
    ledger_of = "ledger_of";
    /// (mailbox, UID / 256) → rows as of placements, under the numbers by which other programs are served.
    served = "served";
    /// Message id → (mailbox, UID, size) as it is served.
    served_at = "served_at";
    /// (mailbox, mod-sequence, UID): what was served and went.
    served_gone = "served_gone";
    /// Mailbox id → its numbers and counts as it is served.
    served_mailboxes = "served_mailboxes";
    /// Content id → what FETCH says of it.
    described = "described";
}

/// Reads a value out whole.
pub(crate) fn get(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>> {
    Ok(table.get(key)?.map(|guard| guard.value().to_vec()))
}
