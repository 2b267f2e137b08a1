"""Mailkeep: an embedded mailbox engine. Open one file, and have IMAP and POP3 mail offline and in step.

    import mailkeep

    with mailkeep.Mailkeep.open("mail.redb") as mail:
        account = mail.add_account(mailkeep.imap_settings("home", "imap.example.org", "anna"))
        with mail.connect(account, password="...") as connection:
            connection.sync()
            connection.logout()
            connection.run()
        for mailbox in mail.mailboxes(account):
            for row in mail.rows(mailbox.id):
                print(row.uid, row.subject)

The engine itself does no networking: a connection's `run` moves the bytes over a socket of Python's, and may be replaced by a
loop of your own over `step`.
"""

from ._connection import Connection, dial
from ._errors import (
    Cancelled,
    Closed,
    Corrupt,
    Disconnected,
    Gone,
    Invalid,
    Locked,
    LoginImpossible,
    LoginRefused,
    MailkeepError,
    Misuse,
    NewerSchema,
    NotADatabase,
    NotPermitted,
    Panicked,
    ProtocolViolation,
    Refused,
    Storage,
    StorageFailed,
    Suspended,
    TimedOut,
    TryLater,
)
from ._ffi import (
    AccountInfo,
    AccountSettings,
    Address,
    ArchiveEntry,
    ArchiveRule,
    BodyPolicy,
    Change,
    Changes,
    ConnectionOptions,
    Conversion,
    Credentials,
    Disposition,
    Event,
    Evicted,
    Expire,
    ExtraSetting,
    Fault,
    Keep,
    Leftover,
    LeftoverAction,
    MailboxInfo,
    MailboxKind,
    Message,
    MessagePage,
    MessageRow,
    OpenOptions,
    Operation,
    OperationKind,
    OperationState,
    Part,
    PopServerInfo,
    Protocol,
    Quota,
    RetentionEntry,
    RetentionReason,
    Role,
    Security,
    ShrinkProgress,
    Stats,
    Step,
    SyncSummary,
    VerifyReport,
    Window,
    imap_settings,
    local_settings,
    pop3_settings,
    version,
)
from ._mailkeep import Mailkeep
from ._packed import decode_page

__version__ = version()

__all__ = [name for name in dir() if not name.startswith("_")]
