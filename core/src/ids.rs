//! Local ids: small, stable, and safe in JavaScript (below 2^53).

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $repr:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $repr);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// One account: one set of mailboxes, on one server at a time.
    AccountId, u32
);
id!(
    /// One mailbox of one account; stays when the mailbox is renamed.
    MailboxId, u32
);
id!(
    /// One entry in one mailbox; stays when the message moves or the server renumbers it.
    MessageId, u64
);
id!(
    /// One RFC 5322 text, shared by every message that has it.
    ContentId, u64
);
id!(
    /// One thing that a person did offline and that a server has not confirmed.
    OperationId, u64
);
id!(
    /// One [`Connection`](crate::Connection) of an engine.
    ConnectionId, u32
);
id!(
    /// One wish made of a [`Connection`](crate::Connection).
    RequestId, u32
);
