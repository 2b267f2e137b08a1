//! What a mailbox is for: the server's word, else a well-known name (RFC 6154 §2).

use crate::imap::text::FlagList;
use crate::model::Role;

/// The role that LIST attributes name. Case never matters: Cyrus says `\archive`.
pub(crate) fn from_attributes(attributes: &FlagList<'_>) -> Option<Role> {
    const ATTRIBUTES: &[(&str, Role)] = &[
        ("\\Drafts", Role::Drafts),
        ("\\Sent", Role::Sent),
        ("\\Trash", Role::Trash),
        ("\\Junk", Role::Junk),
        ("\\Archive", Role::Archive),
        ("\\All", Role::All),
        ("\\Flagged", Role::Flagged),
        ("\\Important", Role::Important),
    ];
    ATTRIBUTES.iter().find(|(name, _)| attributes.contains(name)).map(|(_, role)| *role)
}

/// The role that a name suggests, where the server names none: the last level of the name, in the
/// spellings that servers and the large programs create.
pub(crate) fn from_name(name: &str, delimiter: Option<u8>) -> Option<Role> {
    if name.eq_ignore_ascii_case("INBOX") {
        return Some(Role::Inbox);
    }
    const NAMES: &[(&str, Role)] = &[
        ("drafts", Role::Drafts),
        ("draft", Role::Drafts),
        ("entwürfe", Role::Drafts),
        ("brouillons", Role::Drafts),
        ("sent", Role::Sent),
        ("sent mail", Role::Sent),
        ("sent items", Role::Sent),
        ("sent messages", Role::Sent),
        ("gesendet", Role::Sent),
        ("trash", Role::Trash),
        ("deleted items", Role::Trash),
        ("deleted messages", Role::Trash),
        ("bin", Role::Trash),
        ("papierkorb", Role::Trash),
        ("junk", Role::Junk),
        ("junk e-mail", Role::Junk),
        ("junk mail", Role::Junk),
        ("spam", Role::Junk),
        ("bulk mail", Role::Junk),
        ("archive", Role::Archive),
        ("archives", Role::Archive),
        ("archiv", Role::Archive),
    ];
    let last = match delimiter {
        Some(d) => name.rsplit(char::from(d)).next().unwrap_or(name),
        None => name,
    };
    // Only on the top level, or right below INBOX: "Work/Sent" is a mailbox like any other.
    let prefix = &name[..name.len() - last.len()];
    let top = prefix.is_empty()
        || prefix.get(..5).is_some_and(|p| p.eq_ignore_ascii_case("INBOX")) && prefix.len() == 6;
    let last = last.to_lowercase();
    NAMES.iter().find(|(known, _)| top && *known == last).map(|(_, role)| *role)
}
