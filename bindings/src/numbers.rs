//! Numbers as they cross: signed, 64 bits.

use mailkeep::{AccountId, Error, MailboxId, MessageId, OperationId, RequestId};

/// A count or size. All that the engine gives fit.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count, size or time that the app gives. What lies below 0 is 0.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The same as a length in memory.
pub(crate) fn length(number: i64) -> usize {
    usize::try_from(unsigned(number)).unwrap_or(usize::MAX)
}

macro_rules! ids {
    ($($name:ident, $id:ident, $what:literal;)*) => {
        $(
            /// An id that the app gives. One that no such thing can have is gone.
            pub(crate) fn $name(id: i64) -> mailkeep::Result<$id> {
                id.try_into().map($id).map_err(|_| Error::Gone($what))
            }
        )*
    };
}

ids! {
    account, AccountId, "account";
    mailbox, MailboxId, "mailbox";
    message, MessageId, "message";
    operation, OperationId, "operation";
}

/// A request's id. One that no request can have names none.
pub(crate) fn request(id: i64) -> RequestId {
    RequestId(u32::try_from(id).unwrap_or(0))
}

/// Ids of messages. Those that no message can have are left out, as are messages that went meanwhile.
pub(crate) fn messages(ids: &[i64]) -> Vec<MessageId> {
    ids.iter().filter_map(|id| message(*id).ok()).collect()
}
