//! Two IMAP clients do anything on one mailbox while a third says any octets: none is told what is not so.

use mailkeep::Now;
use mailkeep::flags::FlagSet;
use mailkeep::sasl::server::Verifier;
use mailkeep::serve::backend::{Appended, Backend};
use mailkeep::serve::memory::{MemoryMail, MemoryUsers};
use mailkeep::serve::{Session, SessionOptions};

use super::belief::Belief;

/// Longest run of octets that is looked at, so that each takes milliseconds.
const LONGEST: usize = 600;

/// The first octet says what the clients have enabled; each group after it is one act.
pub fn run(octets: &[u8]) {
    let mut choices = Choices(&octets[..octets.len().min(LONGEST)]);
    let mode = choices.next();
    let users = MemoryUsers::default();
    let mail = users.add("ann", Verifier::new("secret", [9; 16], 1).expect("a password"));
    fill(&mail);
    mail.create("Other", &[]).expect("it can be made");
    // A client that copies a mailbox onto itself doubles it each time.
    mail.set_message_limit(60);
    let mut world = World {
        clients: [0, 1].map(|_| Client::new(&users)),
        wild: Client::new(&users),
        qresync: mode & 1 != 0,
        notify: mode >> 1 & 3,
        mail,
    };
    world.begin();
    while !choices.0.is_empty() {
        world.act(&mut choices);
    }
    world.end();
}

/// Octets as choices; zeros behind their end.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, n: u8) -> u8 {
        self.next() % n
    }

    fn some(&mut self) -> &'a [u8] {
        let len = usize::from(self.next()).min(self.0.len());
        let (some, rest) = self.0.split_at(len);
        self.0 = rest;
        some
    }

    fn set(&mut self) -> String {
        match self.below(6) {
            0 => "1:*".into(),
            1 => "*".into(),
            2 => format!("{}:*", 1 + self.below(12)),
            3 => format!("{},{}", 1 + self.below(12), 1 + self.below(12)),
            4 => format!("{}:{}", 1 + self.below(12), 1 + self.below(12)),
            _ => (1 + self.below(12)).to_string(),
        }
    }
}

struct Client {
    session: Session<MemoryUsers>,
    heard: Vec<u8>,
    belief: Belief,
}

impl Client {
    fn new(users: &MemoryUsers) -> Client {
        let mut options = SessionOptions::new([3; 32], [4; 32], true);
        options.limits.watched = 3;
        let session = Session::new(users.clone(), options);
        let mut client = Client { session, heard: Vec::new(), belief: Belief::default() };
        client.drain();
        client.say(b"a LOGIN ann secret\r\n");
        client.heard.clear();
        client
    }

    fn drain(&mut self) {
        while let Some(octets) = self.session.poll_transmit() {
            self.heard.extend_from_slice(&octets);
        }
        while self.session.poll_event().is_some() {}
    }

    fn say(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !self.session.is_closed() {
            let progress =
                self.session.handle_input(Now::new(1, 1_700_000_000_000), rest).expect("it was drained");
            self.drain();
            rest = &rest[progress.consumed..];
            if !progress.more {
                return;
            }
        }
    }

    fn wake(&mut self) {
        if !self.session.is_closed() {
            self.session.handle_wake(Now::new(1, 1_700_000_000_000)).expect("it was drained");
            self.drain();
        }
    }
}

struct World {
    clients: [Client; 2],
    /// One that says anything, and believes nothing.
    wild: Client,
    qresync: bool,
    /// 1 for SELECTED, 2 for SELECTED-DELAYED.
    notify: u8,
    mail: MemoryMail,
}

impl World {
    fn begin(&mut self) {
        for who in 0..2 {
            if self.qresync {
                self.say(who, "ENABLE QRESYNC", false);
            }
            self.say(who, "SELECT INBOX", false);
            let which = match self.notify {
                1 => "SELECTED",
                2 => "SELECTED-DELAYED",
                _ => continue,
            };
            let events = "(MessageNew (UID FLAGS) MessageExpunge FlagChange)";
            self.say(
                who,
                &format!("NOTIFY SET ({which} {events}) (MAILBOXES Other (MessageNew MessageExpunge))"),
                false,
            );
        }
        self.wild.say(b"a SELECT INBOX\r\n");
    }

    fn act(&mut self, choices: &mut Choices<'_>) {
        let who = usize::from(choices.below(2));
        let flag = ["\\Seen", "\\Deleted", "$Junk", "Todo"][usize::from(choices.below(4))];
        let (command, in_use) = match choices.below(16) {
            0 => (format!("UID STORE {} +FLAGS ({flag})", choices.set()), false),
            1 => (format!("UID STORE {} -FLAGS ({flag})", choices.set()), false),
            2 => (format!("UID STORE {} FLAGS.SILENT ({flag})", choices.set()), false),
            3 => (format!("UID STORE {} +FLAGS.SILENT (\\Deleted)", choices.set()), false),
            4 => ("STORE 1:* +FLAGS (\\Seen)".into(), true),
            5 => (format!("UID FETCH {} (FLAGS BODY[] BINARY.PEEK[1])", choices.set()), false),
            6 => ("FETCH 1:* (UID FLAGS)".into(), true),
            7 => (format!("UID SEARCH RETURN (SAVE) UID {}", choices.set()), false),
            8 => (format!("UID COPY {} INBOX", choices.set()), false),
            9 => (format!("UID MOVE {} Other", choices.set()), false),
            10 => (format!("UID EXPUNGE {}", choices.set()), false),
            11 => ("EXPUNGE".into(), false),
            12 => ("APPEND INBOX {5+}\r\nhello".into(), false),
            13 => ("IDLE\r\nDONE".into(), false),
            14 => {
                self.mail.forget_expunges();
                ("NOOP".into(), false)
            }
            _ => return self.run_wild(choices.some()),
        };
        self.say(who, &command, in_use);
        let other = 1 - who;
        self.clients[other].wake();
        // Without NOTIFY a client that does not idle hears nothing, and SELECTED-DELAYED has no expunge in it.
        assert!(self.notify == 1 || self.notify == 2 || self.clients[other].heard.is_empty());
        self.hear(other, self.notify != 1);
    }

    fn run_wild(&mut self, octets: &[u8]) {
        self.wild.say(octets);
        self.wild.say(b"\r\n");
        self.wild.wake();
        self.wild.heard.clear();
        // It may have been in the middle of something, for which it now waits; then nobody hears more of it.
    }

    fn say(&mut self, who: usize, command: &str, in_use: bool) {
        let client = &mut self.clients[who];
        // A client that knows it has no messages does not name one.
        if in_use && command.contains("1:*") && client.belief.messages.is_empty() {
            return;
        }
        client.say(format!("t {command}\r\n").as_bytes());
        // With SELECTED expunges come as soon as the command is over.
        self.hear(who, in_use && self.notify != 1);
        let client = &mut self.clients[who];
        if command.contains("SILENT") {
            client.belief.forget_flags();
        }
        if self.qresync && client.belief.lacks_uids() {
            client.say(b"t FETCH 1:* (UID)\r\n");
            self.hear(who, self.notify != 1);
        }
    }

    fn hear(&mut self, who: usize, in_use: bool) {
        let Client { heard, belief, session } = &mut self.clients[who];
        assert!(!session.is_closed());
        belief.hear(&std::mem::take(heard), in_use);
    }

    fn end(&mut self) {
        for who in 0..2 {
            self.say(who, "NOOP", false);
            self.say(who, "FETCH 1:* (UID)", true);
        }
        let inbox =
            self.mail.mailboxes().expect("a list").into_iter().find(|mailbox| mailbox.name == "INBOX");
        let rows = self.mail.rows(inbox.and_then(|inbox| inbox.id).expect("INBOX is there"), 1, usize::MAX);
        let truth: Vec<(u32, String)> = rows
            .expect("rows")
            .iter()
            .map(|row| {
                let mut words: Vec<&str> = row.flags.wire_words().collect();
                words.sort_unstable();
                (row.uid, words.join(" "))
            })
            .collect();
        self.clients.iter().for_each(|client| client.belief.assert_true(&truth));
    }
}

fn fill(mail: &MemoryMail) {
    let inbox = mail.mailboxes().expect("a list")[0].id.expect("INBOX is there");
    for n in 1..=5 {
        let upload = format!("Subject: m{n}\r\n\r\ntext\0{n}\r\n").into_bytes();
        let message = Appended { upload, flags: FlagSet::default(), internal_date: 0 };
        mail.append(inbox, vec![message], None).expect("there is room");
    }
}
