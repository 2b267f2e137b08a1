//! SEARCH, SORT and THREAD over a few messages, with the RFCs' examples.

use std::borrow::Cow;
use std::convert::Infallible;

use crate::flags::FlagSet;
use crate::imap::server::command::Command;
use crate::imap::server::parse;
use crate::imap::server::search::{Context, Search, Subject, asks_modseq};
use crate::imap::server::sort::{Sorted, sort};
use crate::imap::server::thread::{Threaded, ordered_subject, references};
use crate::limits::Limits;
use crate::set::UidSet;
use crate::wire::Frame;

#[derive(Clone)]
struct Mail {
    seq: u32,
    raw: String,
    flags: FlagSet,
    date: i64,
}

impl Subject for Mail {
    type Error = Infallible;

    fn uid(&self) -> u32 {
        self.seq * 10
    }

    fn seq(&self) -> u32 {
        self.seq
    }

    fn flags(&self) -> Cow<'_, FlagSet> {
        Cow::Borrowed(&self.flags)
    }

    fn modseq(&self) -> u64 {
        u64::from(self.seq) * 100
    }

    fn size(&self) -> Result<u64, Infallible> {
        Ok(self.raw.len() as u64)
    }

    fn internal_date(&self) -> Result<i64, Infallible> {
        Ok(self.date)
    }

    fn save_date(&self) -> Result<Option<i64>, Infallible> {
        Ok(Some(self.date + DAY))
    }

    fn email_id(&self) -> Result<Cow<'_, str>, Infallible> {
        Ok(Cow::Owned(format!("M{}", self.seq)))
    }

    fn thread_id(&self) -> Result<Option<Cow<'_, str>>, Infallible> {
        Ok((self.seq < 3).then_some(Cow::Borrowed("T1")))
    }

    fn header(&self) -> Result<Cow<'_, [u8]>, Infallible> {
        let end = self.raw.find("\r\n\r\n").map_or(self.raw.len(), |at| at + 4);
        Ok(Cow::Borrowed(&self.raw.as_bytes()[..end]))
    }

    fn message(&self) -> Result<Cow<'_, [u8]>, Infallible> {
        Ok(Cow::Borrowed(self.raw.as_bytes()))
    }
}

const DAY: i64 = 86_400_000;
/// 2024-01-01
const FIRST: i64 = 1_704_067_200_000;

fn mailbox() -> Vec<Mail> {
    let mail = |seq: u32, flags: &[&str], raw: &str| {
        let mut set = FlagSet::default();
        flags.iter().for_each(|flag| set.insert_wire(flag.as_bytes()));
        Mail { seq, raw: raw.replace('\n', "\r\n"), flags: set, date: FIRST + i64::from(seq - 1) * DAY }
    };
    vec![
        mail(
            1,
            &["\\Seen", "\\Answered"],
            "From: Ann Ode <ann@example.org>\nTo: bob@example.org\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus K\u{f6}ln\nDate: Sun, 31 Dec 2023 23:30:00 -0500\nMessage-ID: <1@x>\n\nHello World\n",
        ),
        mail(
            2,
            &["\\Flagged", "Todo", "$Junk"],
            "From: \"Zed\" <zed@example.org>\nCc: carol@example.org\nSubject: Re: Plan\nDate: Wed, 3 Jan 2024 00:30:00 +0900\nX-Odd:\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\nU0VDUkVUIHdvcmQ=\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\naGlkZGVu\n--b--\n",
        ),
        mail(
            3,
            &["\\Deleted", "\\Draft"],
            "From: bob@example.org\nSubject: Plan\nBcc: hidden@example.org\n\nlast\n",
        ),
    ]
}

fn parsed(text: &str) -> Command {
    parse::command(Frame::new(format!("a {text}").as_bytes()), &Limits::DEFAULT).expect("it parses").1
}

fn found(criteria: &str) -> Vec<u32> {
    let Command::Search { criteria: keys, .. } = parsed(&format!("SEARCH {criteria}")) else { panic!() };
    let saved = UidSet::from_range(20, 30);
    let context =
        Context { last_seq: 3, last_uid: 30, saved: &saved, wall_ms: FIRST + 2 * DAY, save_dates: true };
    let search = Search::new(&keys, &context);
    mailbox().iter().filter(|mail| search.matches(*mail).unwrap()).map(|mail| mail.seq).collect()
}

#[test]
fn every_key() {
    for (criteria, expected) in [
        ("ALL", &[1, 2, 3][..]),
        ("2:*", &[2, 3]),
        ("*", &[3]),
        ("7:*", &[3]),
        ("7:9", &[]),
        ("$", &[2, 3]),
        ("UID 10,30:*", &[1, 3]),
        ("UID $ 2", &[2]),
        ("NOT 2", &[1, 3]),
        ("ANSWERED", &[1]),
        ("UNANSWERED", &[2, 3]),
        ("DELETED", &[3]),
        ("UNDELETED", &[1, 2]),
        ("DRAFT", &[3]),
        ("UNDRAFT", &[1, 2]),
        ("FLAGGED", &[2]),
        ("UNFLAGGED", &[1, 3]),
        ("SEEN", &[1]),
        ("UNSEEN", &[2, 3]),
        ("RECENT", &[]),
        ("NEW", &[]),
        ("OLD", &[1, 2, 3]),
        ("KEYWORD todo", &[2]),
        ("KEYWORD $junk", &[2]),
        ("UNKEYWORD Todo", &[1, 3]),
        ("BEFORE 2-Jan-2024", &[1]),
        ("ON 2-Jan-2024", &[2]),
        ("SINCE 2-Jan-2024", &[2, 3]),
        // The Date field's own day, whatever its zone; the third has none.
        ("SENTON 31-Dec-2023", &[1]),
        ("SENTSINCE 3-Jan-2024", &[2]),
        ("SENTBEFORE 3-Jan-2024", &[1]),
        ("SAVEDON 2-Jan-2024", &[1]),
        ("SAVEDATESUPPORTED", &[1, 2, 3]),
        ("YOUNGER 86400", &[2, 3]),
        ("OLDER 86400", &[1, 2]),
        ("FROM ann", &[1]),
        ("FROM \"ANN ODE\"", &[1]),
        ("FROM <zed@", &[2]),
        ("TO bob", &[1]),
        ("CC CAROL", &[2]),
        ("BCC hidden", &[3]),
        ("SUBJECT plan", &[2, 3]),
        ("SUBJECT {9}\r\nGRÜSSE A", &[1]),
        ("SUBJECT {4}\r\nKÖL", &[1]),
        ("HEADER x-odd \"\"", &[2]),
        ("HEADER Message-ID 1@x", &[1]),
        ("BODY \"hello world\"", &[1]),
        ("BODY ann", &[]),
        ("TEXT ann", &[1]),
        ("BODY \"secret WORD\"", &[2]),
        ("BODY hidden", &[]),
        ("BODY \"\"", &[1, 2, 3]),
        ("LARGER 120", &[1, 2]),
        ("SMALLER 120", &[3]),
        ("MODSEQ 200", &[2, 3]),
        ("EMAILID M2", &[2]),
        ("THREADID T1", &[1, 2]),
        ("OR SEEN DELETED", &[1, 3]),
        ("OR (SUBJECT plan FLAGGED) (BODY hello)", &[1, 2]),
        ("NOT (SEEN ANSWERED)", &[2, 3]),
        ("UNSEEN NOT FLAGGED", &[3]),
    ] {
        assert_eq!(found(criteria), expected, "{criteria}");
    }
}

#[test]
fn an_empty_mailbox_and_what_is_not_kept() {
    let Command::Search { criteria, .. } = parsed("SEARCH *") else { panic!() };
    let saved = UidSet::new();
    let context = Context { last_seq: 0, last_uid: 0, saved: &saved, wall_ms: 0, save_dates: false };
    let search = Search::new(&criteria, &context);
    assert!(!search.matches(&mailbox()[0]).unwrap());
    assert_eq!(search.within(), (None, Some(&UidSet::new())));
    let Command::Search { criteria, .. } = parsed("SEARCH OR SAVEDATESUPPORTED SAVEDSINCE 1-Jan-2000") else {
        panic!()
    };
    assert!(!Search::new(&criteria, &context).matches(&mailbox()[0]).unwrap());
    let Command::Search { criteria, .. } = parsed("SEARCH OR NOT (MODSEQ 5) SEEN") else { panic!() };
    assert!(asks_modseq(&criteria));
}

fn sorted(keys: &str) -> Vec<u32> {
    let Command::Sort { keys, .. } = parsed(&format!("SORT ({keys}) UTF-8 ALL")) else { panic!() };
    let mut list: Vec<Sorted> = mailbox().iter().map(|mail| Sorted::new(mail, &keys).unwrap()).collect();
    sort(&mut list, &keys);
    list.iter().map(Sorted::seq).collect()
}

#[test]
fn orders() {
    for (keys, order) in [
        ("ARRIVAL", [1, 2, 3]),
        ("REVERSE ARRIVAL", [3, 2, 1]),
        ("DATE", [1, 2, 3]),
        ("SIZE", [3, 1, 2]),
        ("FROM", [1, 3, 2]),
        ("REVERSE FROM", [2, 3, 1]),
        ("CC", [1, 3, 2]),
        ("TO", [2, 3, 1]),
        ("DISPLAYFROM", [1, 3, 2]),
        ("DISPLAYTO", [2, 3, 1]),
        ("SUBJECT", [1, 2, 3]),
        // Alike in the first key, so the second decides, each with its own direction.
        ("REVERSE SUBJECT REVERSE DATE", [3, 2, 1]),
        ("REVERSE SUBJECT", [2, 3, 1]),
    ] {
        assert_eq!(sorted(keys), order, "{keys}");
    }
}

/// `number day subject id references…`, each message on a line.
fn conversation(lines: &str) -> Vec<Threaded> {
    let mails = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let words: Vec<&str> = line.split('|').map(str::trim).collect();
        let [seq, day, subject, id, references] = words[..] else { panic!("{line}") };
        let ids = |text: &str| text.split(' ').map(|id| format!("<{id}@x>")).collect::<Vec<_>>().join(" ");
        let mut raw = format!("Subject: {subject}\r\nDate: {day} Jan 2024 12:00:00 +0000\r\n");
        raw += &if id.is_empty() { String::new() } else { format!("Message-ID: {}\r\n", ids(id)) };
        raw += &if references.is_empty() {
            String::new()
        } else {
            format!("References: {}\r\n", ids(references))
        };
        raw += "\r\n";
        Mail { seq: seq.parse().unwrap(), raw, flags: FlagSet::default(), date: 0 }
    });
    mails.map(|mail| Threaded::new(&mail, mail.seq).unwrap()).collect()
}

#[test]
fn by_subject() {
    let messages = conversation(
        "1 | 5 | Re: b | | \n 2 | 1 | a | | \n 3 | 4 | b | | \n 4 | 2 | Fwd: A | | \n 5 | 6 | [list] B | | \n 6 | 9 | c | |",
    );
    assert_eq!(ordered_subject(&messages), "(2 4)(3 (1)(5))(6)");
    assert_eq!(ordered_subject(&[]), "");
}

#[test]
fn by_references() {
    for (lines, expected) in [
        // A chain, and two answers to one message.
        ("1|1|s|a|\n 2|2|Re: s|b|a\n 3|3|Re: s|c|a b\n 4|4|x|d|\n 5|5|Re: s|e|a b", "(1 2 (3)(5))(4)"),
        // The middle is missing: its answers stand under what it answered.
        ("1|1|s|a|\n 3|3|Re: s|c|a b\n 5|5|Re: s|e|a b", "(1 (3)(5))"),
        // What they answer is missing and they are two: siblings.
        ("3|3|s|c|b\n 5|5|t|e|b", "((3)(5))"),
        // One alone moves up.
        ("3|3|s|c|b", "(3)"),
        // Circles are cut.
        ("1|1|s|a|b\n 2|2|t|b|a", "(2 1)"),
        ("1|1|s|a|a", "(1)"),
        // Two with one id: the second has none.
        ("1|1|s|a|\n 2|2|t|a|\n 3|3|u|c|a", "(1 3)(2)"),
        // No references, one subject: a reply goes under what it answers.
        ("1|1|s|a|\n 2|2|Re: s|b|", "(1 2)"),
        // Neither is a reply: they stand side by side.
        ("1|1|s|a|\n 2|2|s|b|", "((1)(2))"),
        // The one that is no reply takes the place of the reply that was first.
        ("1|1|Re: s|a|\n 2|2|s|b|", "(2 1)"),
        // Order is by date, at every level.
        ("1|9|s|a|\n 2|3|t|b|\n 3|8|Re: t|c|b\n 4|7|Re: t|d|b", "(2 (4)(3))(1)"),
        // Empty subjects join nothing.
        ("1|1||a|\n 2|2||b|", "(1)(2)"),
        // Two places without messages and one subject become one.
        ("1|1|s|a|p\n 2|2|s|b|p\n 3|3|s|c|q\n 4|4|s|d|q", "((1)(2)(3)(4))"),
        ("", ""),
    ] {
        assert_eq!(references(&conversation(lines)), expected, "{lines}");
    }
}

#[test]
fn in_reply_to_stands_in_for_references() {
    let mail =
        |seq, raw: &str| Mail { seq, raw: raw.replace('\n', "\r\n"), flags: FlagSet::default(), date: 0 };
    let mails = [
        mail(1, "Message-ID: <a@x>\nDate: 1 Jan 2024 00:00 +0000\nSubject: s\n\n"),
        mail(2, "Message-ID: <b@x>\nDate: 2 Jan 2024 00:00 +0000\nSubject: t\nIn-Reply-To: <a@x> <z@x>\n\n"),
    ];
    let messages: Vec<_> = mails.iter().map(|mail| Threaded::new(mail, mail.seq).unwrap()).collect();
    assert_eq!(references(&messages), "(1 2)");
}

#[test]
fn long_chains_and_broad_ones_end() {
    let chain: String = (1..20_000).map(|n| format!("{n}|1|s{n}|m{n}|m{}\n", n - 1)).collect();
    let threads = references(&conversation(&chain));
    assert!(threads.matches([' ', ')']).count() >= 19_990);
    let broad: String = (1..20_000).map(|n| format!("{n}|1|s|m{n}|r\n")).collect();
    assert_eq!(references(&conversation(&broad)).matches('(').count(), 20_000);
    let same: String = (1..5_000).map(|n| format!("{n}|1|s|m{n}|\n")).collect();
    references(&conversation(&same));
}
