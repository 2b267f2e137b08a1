//! Any command that a client can say, and what a server should make of it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::flags::FlagSet;
use crate::imap::command::*;
use crate::imap::server::command as server;
use crate::set::UidSet;

/// Text without NUL, with everything that could end a string.
pub(super) fn text() -> impl Strategy<Value = String> {
    let awkward = prop_oneof![
        Just('"'),
        Just('\\'),
        Just('\r'),
        Just('\n'),
        Just('{'),
        Just(')'),
        Just('é'),
        Just('😀'),
        proptest::char::range(' ', '~'),
        any::<char>()
    ];
    vec(awkward, 0..20).prop_map(|chars| chars.into_iter().filter(|c| *c != '\0').collect())
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    text().prop_map(String::into_bytes)
}

pub(super) fn word() -> impl Strategy<Value = String> {
    "[A-Za-z$][A-Za-z0-9$.-]{0,8}".prop_filter("no word is NIL", |word| !word.eq_ignore_ascii_case("NIL"))
}

fn upper() -> impl Strategy<Value = String> {
    word().prop_map(|word| word.to_ascii_uppercase())
}

pub(super) fn uids() -> impl Strategy<Value = UidSet> {
    vec((1u32..5_000, 0u32..4), 1..6).prop_map(|ranges| {
        let mut set = UidSet::new();
        for (low, width) in ranges {
            set.insert_range(low, low + width);
        }
        set
    })
}

fn numbers() -> impl Strategy<Value = NumberSet> {
    prop_oneof![
        uids().prop_map(NumberSet::Set),
        (1u32..).prop_map(NumberSet::From),
        (uids(), 1u32..).prop_map(|(set, from)| NumberSet::Union(set, from)),
        Just(NumberSet::Saved),
    ]
}

pub(super) fn flags() -> impl Strategy<Value = FlagSet> {
    let flag = prop_oneof![
        Just("\\Seen".to_owned()),
        Just("\\Deleted".to_owned()),
        Just("$Junk".to_owned()),
        word()
    ];
    vec(flag, 0..4).prop_map(|words| {
        let mut flags = FlagSet::default();
        for word in words {
            flags.insert_wire(word.as_bytes());
        }
        flags
    })
}

fn modseq() -> impl Strategy<Value = u64> {
    1..=i64::MAX as u64
}

pub(super) fn status_items() -> impl Strategy<Value = Vec<StatusItem>> {
    use StatusItem::*;
    let all = vec![
        Messages,
        UidNext,
        UidValidity,
        Unseen,
        Deleted,
        Size,
        HighestModSeq,
        MailboxId,
        AppendLimit,
        Recent,
        DeletedStorage,
    ];
    proptest::sample::subsequence(all, 1..5)
}

fn part() -> impl Strategy<Value = Vec<u32>> {
    vec(1u32..50, 1..4)
}

fn names() -> impl Strategy<Value = Vec<String>> {
    vec(prop_oneof![word(), text().prop_filter("a name", |name| !name.is_empty())], 1..4)
}

pub(super) fn section() -> impl Strategy<Value = Section> {
    let inner = prop_oneof![
        Just(Section::Header),
        Just(Section::Text),
        names().prop_map(Section::HeaderFields),
        names().prop_map(Section::HeaderFieldsNot),
    ];
    prop_oneof![
        Just(Section::Full),
        inner.clone(),
        part().prop_map(Section::Part),
        part().prop_map(Section::Mime),
        (part(), inner).prop_map(|(part, section)| Section::Within { part, section: Box::new(section) }),
    ]
}

fn fetch_item() -> impl Strategy<Value = FetchItem> {
    use FetchItem::*;
    let plain = vec![
        Uid,
        Flags,
        ModSeq,
        InternalDate,
        Rfc822Size,
        Envelope,
        BodyStructure,
        EmailId,
        ThreadId,
        Preview,
        PreviewLazy,
        SaveDate,
        Body,
        Rfc822,
        Rfc822Header,
        Rfc822Text,
        GmailMessageId,
        GmailThreadId,
        GmailLabels,
    ];
    let partial = || option::of((any::<u32>(), 1u32..));
    prop_oneof![
        proptest::sample::select(plain),
        (section(), partial()).prop_map(|(section, partial)| Peek { section, partial }),
        (section(), partial()).prop_map(|(section, partial)| Section { section, partial }),
        (vec(1u32..50, 0..4), partial()).prop_map(|(part, partial)| BinaryPeek { part, partial }),
        (vec(1u32..50, 0..4), partial()).prop_map(|(part, partial)| Binary { part, partial }),
        vec(1u32..50, 0..4).prop_map(|part| BinarySize { part }),
    ]
}

fn day() -> impl Strategy<Value = Day> {
    (0u16..=9999, 1u8..=12, 1u8..=28).prop_map(|(year, month, day)| Day { year, month, day })
}

pub(super) fn search_key() -> impl Strategy<Value = SearchKey> {
    use DateField::*;
    use DateOrder::*;
    let plain: Vec<SearchKey> =
        crate::imap::encode::search::PLAIN_KEYS.iter().map(|(_, key)| key.clone()).collect();
    let dated = vec![
        (Internal, Before),
        (Internal, On),
        (Sent, Before),
        (Sent, On),
        (Sent, Since),
        (Saved, Before),
        (Saved, On),
        (Saved, Since),
    ];
    let leaf = prop_oneof![
        proptest::sample::select(plain),
        numbers().prop_map(SearchKey::Seq),
        numbers().prop_map(SearchKey::Uid),
        word().prop_map(SearchKey::Keyword),
        word().prop_map(SearchKey::Unkeyword),
        day().prop_map(|day| SearchKey::Since { year: day.year, month: day.month, day: day.day }),
        (proptest::sample::select(dated), day()).prop_map(|((field, order), day)| SearchKey::Date {
            field,
            order,
            day
        }),
        (1u32..).prop_map(SearchKey::Older),
        (1u32..).prop_map(SearchKey::Younger),
        octets().prop_map(SearchKey::From),
        octets().prop_map(SearchKey::To),
        octets().prop_map(SearchKey::Cc),
        octets().prop_map(SearchKey::Bcc),
        octets().prop_map(SearchKey::Subject),
        octets().prop_map(SearchKey::Body),
        octets().prop_map(SearchKey::Text),
        (text(), octets()).prop_map(|(name, value)| SearchKey::Header { name, value }),
        any::<u64>().prop_map(SearchKey::Larger),
        any::<u64>().prop_map(SearchKey::Smaller),
        (0..=i64::MAX as u64).prop_map(SearchKey::ModSeq),
        word().prop_map(SearchKey::EmailId),
        word().prop_map(SearchKey::ThreadId),
    ];
    leaf.prop_recursive(5, 20, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| SearchKey::Or(Box::new(one), Box::new(other))),
            vec(inner, 1..4).prop_map(SearchKey::And),
        ]
    })
}

fn range() -> impl Strategy<Value = (i64, i64)> {
    (1i64..=u32::MAX.into(), 1i64..=u32::MAX.into(), any::<bool>())
        .prop_map(|(from, to, newest)| if newest { (-from, -to) } else { (from, to) })
}

/// A command as this crate's client says it, and what a server hears.
pub(super) fn command() -> impl Strategy<Value = (Command, server::Command)> {
    Union::new([session(), naming(), listing(), messages()])
}

type Pair = (Command, server::Command);

fn session() -> BoxedStrategy<Pair> {
    prop_oneof![
        proptest::sample::select(vec![
            (Command::Capability, server::Command::Capability),
            (Command::Noop, server::Command::Noop),
            (Command::Logout, server::Command::Logout),
            (Command::StartTls, server::Command::StartTls),
            (Command::Namespace, server::Command::Namespace),
            (Command::Compress, server::Command::Compress("DEFLATE".into())),
            (Command::Unselect, server::Command::Unselect),
            (Command::Close, server::Command::Close),
            (Command::Expunge, server::Command::Expunge),
            (Command::Idle, server::Command::Idle),
        ]),
        (upper(), option::of(vec(any::<u8>(), 0..30))).prop_map(|(mechanism, initial)| (
            Command::Authenticate { mechanism: mechanism.clone(), initial: initial.clone() },
            server::Command::Authenticate { mechanism, initial }
        )),
        (octets(), octets()).prop_map(|(user, password)| (
            Command::Login { user: user.clone(), password: password.clone() },
            server::Command::Login { user, password }
        )),
        vec(upper(), 1..4).prop_map(|words| (Command::Enable(words.clone()), server::Command::Enable(words))),
        vec(("[a-z]{1,20}", text()), 0..4).prop_map(|pairs| {
            let heard = pairs.iter().map(|(n, v)| (n.clone().into_bytes(), Some(v.clone().into_bytes())));
            let heard = server::Command::Id(heard.collect());
            (Command::Id(pairs), heard)
        }),
    ]
    .boxed()
}

fn naming() -> BoxedStrategy<Pair> {
    let resync = prop_oneof![
        Just(Resync::None),
        Just(Resync::Condstore),
        (1u32.., modseq(), prop_oneof![Just(UidSet::new()), uids()])
            .prop_map(|(uid_validity, modseq, known)| Resync::Qresync { uid_validity, modseq, known }),
    ];
    let one = |client: fn(Vec<u8>) -> Command, heard: fn(Vec<u8>) -> server::Command| {
        octets().prop_map(move |name| (client(name.clone()), heard(name)))
    };
    prop_oneof![
        (octets(), any::<bool>(), resync).prop_map(|(mailbox, read_only, resync)| (
            Command::Select { mailbox: mailbox.clone(), read_only, resync: resync.clone() },
            server::Command::Select { mailbox, read_only, resync }
        )),
        (octets(), vec("\\\\[A-Z][a-z]{1,8}", 0..3)).prop_map(|(mailbox, special_use)| (
            Command::Create { mailbox: mailbox.clone(), special_use: special_use.clone() },
            server::Command::Create { mailbox, special_use }
        )),
        (octets(), octets()).prop_map(|(from, to)| (
            Command::Rename { from: from.clone(), to: to.clone() },
            server::Command::Rename { from, to }
        )),
        one(Command::Delete, server::Command::Delete),
        one(Command::Subscribe, server::Command::Subscribe),
        one(Command::Unsubscribe, server::Command::Unsubscribe),
        one(Command::GetQuotaRoot, server::Command::GetQuotaRoot),
        one(Command::MyRights, server::Command::MyRights),
    ]
    .boxed()
}

fn listing() -> BoxedStrategy<Pair> {
    let chosen = |words: &[&'static str]| proptest::sample::subsequence(words.to_vec(), 0..=words.len());
    prop_oneof![
        (octets(), octets()).prop_map(|(reference, pattern)| (
            Command::Lsub { reference: reference.clone(), pattern: pattern.clone() },
            server::Command::Lsub { reference, pattern }
        )),
        (octets(), status_items()).prop_map(|(mailbox, items)| (
            Command::Status { mailbox: mailbox.clone(), items: items.clone() },
            server::Command::Status { mailbox, items }
        )),
        (
            chosen(&["SUBSCRIBED", "SPECIAL-USE", "REMOTE"]),
            octets(),
            vec(octets(), 1..3),
            chosen(&["SUBSCRIBED", "CHILDREN", "SPECIAL-USE"]),
            prop_oneof![Just(Vec::new()), status_items()],
        )
            .prop_map(|(selection, reference, patterns, returns, status)| {
                let heard = server::List {
                    extended: !selection.is_empty()
                        || patterns.len() > 1
                        || !returns.is_empty()
                        || !status.is_empty(),
                    only_subscribed: selection.contains(&"SUBSCRIBED"),
                    only_special_use: selection.contains(&"SPECIAL-USE"),
                    remote: selection.contains(&"REMOTE"),
                    recursive_match: false,
                    reference: reference.clone(),
                    patterns: patterns.clone(),
                    return_subscribed: returns.contains(&"SUBSCRIBED"),
                    return_children: returns.contains(&"CHILDREN"),
                    return_special_use: returns.contains(&"SPECIAL-USE"),
                    status: status.clone(),
                };
                let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
                let (selection, returns) = (owned(selection), owned(returns));
                (
                    Command::List { selection, reference, patterns, returns, status },
                    server::Command::List(heard),
                )
            }),
    ]
    .boxed()
}

fn messages() -> BoxedStrategy<Pair> {
    prop_oneof![
        (
            any::<bool>(),
            numbers(),
            vec(fetch_item(), 1..5),
            option::of((modseq(), any::<bool>())),
            option::of(range()),
        )
            .prop_map(|(uid, set, items, since, partial)| {
                let changed_since =
                    since.map(|(modseq, vanished)| ChangedSince { modseq, vanished: vanished && uid });
                (
                    Command::Fetch { uid, set: set.clone(), items: items.clone(), changed_since, partial },
                    server::Command::Fetch { uid, set, items, changed_since, partial },
                )
            }),
        (any::<bool>(), option::of((any::<[bool; 5]>(), option::of(range()))), vec(search_key(), 1..4))
            .prop_map(|(uid, asked, criteria)| {
                let mut words = Vec::new();
                let returns = asked.map(|([min, max, all, count, save], partial)| {
                    let all = all && partial.is_none();
                    let given = [(min, "MIN"), (max, "MAX"), (all, "ALL"), (count, "COUNT"), (save, "SAVE")];
                    words
                        .extend(given.iter().filter(|(given, _)| *given).map(|(_, word)| (*word).to_owned()));
                    words.extend(partial.map(|(from, to)| format!("PARTIAL {from}:{to}")));
                    server::SearchReturn { min, max, all, count, save, partial }
                });
                // The client says nothing rather than `RETURN ()`.
                let returns = returns.filter(|_| !words.is_empty());
                (
                    Command::Search { uid, returns: words, criteria: criteria.clone() },
                    server::Command::Search { uid, returns, criteria },
                )
            }),
        (uids(), 0usize..3, any::<bool>(), flags(), option::of(0..=i64::MAX as u64)).prop_map(
            |(set, action, silent, flags, unchanged_since)| {
                let action = [StoreAction::Add, StoreAction::Remove, StoreAction::Replace][action];
                let heard = server::Command::Store {
                    uid: true,
                    set: NumberSet::Set(set.clone()),
                    action,
                    silent,
                    flags: flags.clone(),
                    unchanged_since,
                };
                (Command::Store { set, action, silent, flags, unchanged_since }, heard)
            }
        ),
        (uids(), octets()).prop_map(|(set, mailbox)| (
            Command::Copy { set: set.clone(), mailbox: mailbox.clone() },
            server::Command::Copy { uid: true, set: NumberSet::Set(set), mailbox }
        )),
        (uids(), octets()).prop_map(|(set, mailbox)| (
            Command::Move { set: set.clone(), mailbox: mailbox.clone() },
            server::Command::Move { uid: true, set: NumberSet::Set(set), mailbox }
        )),
        uids().prop_map(|set| (
            Command::UidExpunge(set.clone()),
            server::Command::UidExpunge(NumberSet::Set(set))
        )),
        (octets(), vec(append_item(), 1..4)).prop_map(|(mailbox, all)| {
            let (messages, heard) = all.into_iter().unzip();
            (
                Command::Append { mailbox: mailbox.clone(), messages },
                server::Command::Append { mailbox, messages: heard },
            )
        }),
    ]
    .boxed()
}

/// A message as it is sent, and as it is heard.
fn append_item() -> impl Strategy<Value = (AppendItem, server::AppendMessage)> {
    (flags(), option::of(0i64..4_000_000_000), vec(any::<u8>(), 0..40)).prop_map(
        |(flags, seconds, message)| {
            let internal_date = seconds.map(|seconds| seconds * 1_000);
            let heard = server::AppendMessage {
                flags: flags.clone(),
                internal_date,
                len: message.len() as u64,
                literal8: message.contains(&0),
            };
            (AppendItem { flags, internal_date, message }, heard)
        },
    )
}
