//! What a session offers: every extension that it has, but for those that the host withholds.

use super::session::SessionOptions;
use crate::imap::command::{FetchItem, Resync, SearchKey, StatusItem};
use crate::imap::server::command::{Command, List, ThreadAlgorithm};
use crate::sasl::Mechanism;

/// What IMAP4rev2 promises by its name (RFC 9051, appendix E): without one of these it is not offered either.
const IN_REV2: [&str; 13] = [
    "BINARY",
    "ENABLE",
    "ESEARCH",
    "IDLE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "MOVE",
    "NAMESPACE",
    "SASL-IR",
    "SEARCHRES",
    "SPECIAL-USE",
    "UIDPLUS",
    "UNSELECT",
];

impl SessionOptions {
    /// Whether a capability is offered where it can be.
    pub(super) fn offers(&self, word: &str) -> bool {
        let withheld = |word: &str| self.withheld.iter().any(|other| other.eq_ignore_ascii_case(word));
        match word {
            _ if withheld(word) => false,
            "IMAP4rev2" => !IN_REV2.iter().any(|part| withheld(part)),
            // RFC 7162 §3.2.3: who has the one has the other.
            "QRESYNC" => !withheld("CONDSTORE"),
            _ => true,
        }
    }

    /// Whether everything that a command needs is offered.
    pub(super) fn allows(&self, command: &Command) -> bool {
        needs(command).into_iter().all(|word| self.offers(word))
    }
}

/// The word of CAPABILITY for a mechanism.
pub(super) fn auth_word(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::ScramSha256Plus => "AUTH=SCRAM-SHA-256-PLUS",
        Mechanism::ScramSha1Plus => "AUTH=SCRAM-SHA-1-PLUS",
        Mechanism::ScramSha256 => "AUTH=SCRAM-SHA-256",
        Mechanism::ScramSha1 => "AUTH=SCRAM-SHA-1",
        Mechanism::Login => "AUTH=LOGIN",
        _ => "AUTH=PLAIN",
    }
}

/// The capabilities without which a command, or what it asks for, is not known.
fn needs(command: &Command) -> Vec<&'static str> {
    match command {
        Command::Enable(_) => vec!["ENABLE"],
        Command::Id(_) => vec!["ID"],
        Command::Namespace => vec!["NAMESPACE"],
        Command::Compress(_) => vec!["COMPRESS=DEFLATE"],
        Command::Unselect => vec!["UNSELECT"],
        Command::Idle => vec!["IDLE"],
        Command::Move { .. } => vec!["MOVE"],
        Command::UidExpunge(_) => vec!["UIDPLUS"],
        Command::Replace { .. } => vec!["REPLACE"],
        Command::Append { messages, .. } if messages.len() > 1 => vec!["MULTIAPPEND"],
        Command::Create { special_use, .. } if !special_use.is_empty() => vec!["CREATE-SPECIAL-USE"],
        Command::GetQuota(_) | Command::GetQuotaRoot(_) | Command::SetQuota { .. } => vec!["QUOTA"],
        Command::Notify(_) => vec!["NOTIFY"],
        Command::Select { resync, .. } => match resync {
            Resync::None => Vec::new(),
            Resync::Condstore => vec!["CONDSTORE"],
            Resync::Qresync { .. } => vec!["QRESYNC"],
        },
        Command::List(list) => of_list(list),
        Command::Status { items, .. } => of_status(items),
        Command::Fetch { items, changed_since, partial, .. } => {
            let mut all: Vec<_> = items.iter().filter_map(of_fetch_item).collect();
            all.extend(changed_since.is_some().then_some("CONDSTORE"));
            all.extend(partial.is_some().then_some("PARTIAL"));
            all
        }
        Command::Store { unchanged_since: Some(_), .. } => vec!["CONDSTORE"],
        Command::Search { returns, criteria, .. } => {
            let mut all: Vec<_> = criteria.iter().filter_map(of_search_key).collect();
            all.extend(returns.is_some().then_some("ESEARCH"));
            all.extend(returns.is_some_and(|returns| returns.partial.is_some()).then_some("PARTIAL"));
            all
        }
        Command::Sort { .. } => vec!["SORT"],
        Command::Thread { algorithm: ThreadAlgorithm::OrderedSubject, .. } => vec!["THREAD=ORDEREDSUBJECT"],
        Command::Thread { algorithm: ThreadAlgorithm::References, .. } => vec!["THREAD=REFERENCES"],
        _ => Vec::new(),
    }
}

fn of_list(list: &List) -> Vec<&'static str> {
    let mut all = of_status(&list.status);
    all.extend((!list.status.is_empty()).then_some("LIST-STATUS"));
    all.extend((list.only_special_use || list.return_special_use).then_some("SPECIAL-USE"));
    let by_selection = list.only_subscribed || list.recursive_match || list.return_subscribed;
    all.extend((by_selection || list.patterns.len() > 1).then_some("LIST-EXTENDED"));
    all
}

fn of_status(items: &[StatusItem]) -> Vec<&'static str> {
    let word = |item: &StatusItem| match item {
        StatusItem::HighestModSeq => Some("CONDSTORE"),
        StatusItem::MailboxId => Some("OBJECTID"),
        StatusItem::Size => Some("STATUS=SIZE"),
        StatusItem::AppendLimit => Some("APPENDLIMIT"),
        _ => None,
    };
    items.iter().filter_map(word).collect()
}

fn of_fetch_item(item: &FetchItem) -> Option<&'static str> {
    match item {
        FetchItem::ModSeq => Some("CONDSTORE"),
        FetchItem::EmailId | FetchItem::ThreadId => Some("OBJECTID"),
        FetchItem::Preview | FetchItem::PreviewLazy => Some("PREVIEW"),
        FetchItem::SaveDate => Some("SAVEDATE"),
        FetchItem::BinaryPeek { .. } | FetchItem::Binary { .. } | FetchItem::BinarySize { .. } => {
            Some("BINARY")
        }
        _ => None,
    }
}

fn of_search_key(key: &SearchKey) -> Option<&'static str> {
    match key {
        SearchKey::ModSeq(_) => Some("CONDSTORE"),
        SearchKey::EmailId(_) | SearchKey::ThreadId(_) => Some("OBJECTID"),
        SearchKey::Older(_) | SearchKey::Younger(_) => Some("WITHIN"),
        _ => None,
    }
}
