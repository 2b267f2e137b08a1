//! Two clients do anything at all on one mailbox, and neither is ever told something that is not so.

use proptest::prelude::*;

use super::*;
use crate::imap::fetch::FetchAttr;
use crate::imap::parse;
use crate::imap::response::{Code, Data, Response};
use crate::limits::Limits;
use crate::wire::{Framer, Piece};

/// What a client believes from what it heard: each message's UID and flags, where it was told.
#[derive(Debug, Default)]
struct Belief {
    messages: Vec<(Option<u32>, Option<String>)>,
    highest_uid: u32,
    last_modseq: u64,
}

impl Belief {
    fn hear(&mut self, octets: &[u8], numbers_in_use: bool) {
        let mut framer = Framer::new(&Limits::DEFAULT, usize::MAX);
        let mut input = octets;
        while let Some(piece) = framer.next(&mut input).expect("it can be framed") {
            let Piece::Response(frame) = piece else { continue };
            match parse::response(frame).unwrap_or_else(|e| panic!("{e}: {}", frame.text.escape_ascii())) {
                Response::Data(data) => self.data(&data, numbers_in_use),
                Response::Status(status) => {
                    assert!(!matches!(status.kind, crate::imap::response::StatusKind::Bad), "{status:?}");
                    if let Some(Code::HighestModSeq(modseq)) = status.code {
                        assert!(modseq >= self.last_modseq, "mod-sequences never fall");
                        self.last_modseq = modseq;
                    }
                }
                Response::Continuation(_) => {}
            }
        }
        assert!(input.is_empty());
    }

    fn data(&mut self, data: &Data<'_>, numbers_in_use: bool) {
        match data {
            Data::Exists(count) => {
                assert!(*count as usize >= self.messages.len(), "only an expunge takes messages away");
                self.messages.resize(*count as usize, (None, None));
            }
            Data::Expunge(seq) => {
                assert!(!numbers_in_use, "no expunge while numbers are in use");
                self.messages.remove(*seq as usize - 1);
            }
            Data::Vanished { earlier: false, uids } => {
                assert!(!numbers_in_use, "no expunge while numbers are in use");
                for (low, high) in uids.ranges() {
                    self.messages.retain(|(uid, _)| uid.is_none_or(|uid| uid < low || uid > high));
                }
            }
            Data::Fetch(fetch) => {
                let place = &mut self.messages[fetch.seq as usize - 1];
                for attr in fetch.attrs {
                    match attr {
                        FetchAttr::Uid(uid) => {
                            assert!(place.0.is_none_or(|known| known == uid), "a number is one message");
                            place.0 = Some(uid);
                            self.highest_uid = self.highest_uid.max(uid);
                        }
                        FetchAttr::Flags(flags) => {
                            let mut words: Vec<_> =
                                flags.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect();
                            words.retain(|word| word != "\\Recent");
                            words.sort();
                            place.1 = Some(words.join(" "));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// Commands, with whether they keep numbers in use.
fn step() -> impl Strategy<Value = (usize, String, bool)> {
    let set = prop_oneof![
        Just("1:*".to_owned()),
        Just("*".to_owned()),
        (1u32..12).prop_map(|n| n.to_string()),
        (1u32..12, 1u32..12).prop_map(|(a, b)| format!("{a}:{b}")),
    ];
    let flag = proptest::sample::select(vec!["\\Seen", "\\Deleted", "$Junk", "Todo"]);
    let how = proptest::sample::select(vec!["+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT", "-FLAGS.SILENT"]);
    let command = prop_oneof![
        (set.clone(), how, flag)
            .prop_map(|(set, how, flag)| (format!("UID STORE {set} {how} ({flag})"), false)),
        Just(("STORE 1:* +FLAGS (\\Seen)".to_owned(), true)),
        set.clone().prop_map(|set| (format!("UID FETCH {set} (FLAGS BODY[])"), false)),
        Just(("FETCH 1:* (UID FLAGS)".to_owned(), true)),
        Just(("SEARCH UNSEEN".to_owned(), true)),
        set.clone().prop_map(|set| (format!("UID COPY {set} INBOX"), false)),
        set.clone().prop_map(|set| (format!("UID MOVE {set} Other"), false)),
        set.prop_map(|set| (format!("UID EXPUNGE {set}"), false)),
        Just(("EXPUNGE".to_owned(), false)),
        Just(("NOOP".to_owned(), false)),
        Just(("APPEND INBOX {5+}\r\nhello".to_owned(), false)),
        Just(("IDLE\r\nDONE".to_owned(), false)),
    ];
    (0..2usize, command).prop_map(|(who, (command, in_use))| (who, command, in_use))
}

/// What the store says, for comparing.
fn truth(mail: &MemoryMail) -> Vec<(Option<u32>, Option<String>)> {
    let rows = mail.rows(id_of(mail, "INBOX"), 1, usize::MAX).expect("rows");
    rows.iter()
        .map(|row| {
            let mut words: Vec<&str> = row.flags.wire_words().collect();
            words.sort_unstable();
            (Some(row.uid), Some(words.join(" ")))
        })
        .collect()
}

proptest! {
    #[test]
    fn clients_are_never_out_of_step(
        steps in proptest::collection::vec(step(), 1..40),
        qresync in any::<bool>(),
        forgets in proptest::option::of(0..40usize),
    ) {
        let (users, mail) = users();
        five(&mail);
        mail.create("Other", &[]).expect("a mailbox");
        let mut clients = [Client::signed_in(&users), Client::signed_in(&users)];
        let mut beliefs = [Belief::default(), Belief::default()];
        if qresync {
            clients[0].say(b"a ENABLE QRESYNC\r\n");
        }
        let mut say = |who: usize, command: &str, in_use: bool| {
            // A client that knows it has no messages does not name one.
            if in_use && command.contains("1:*") && beliefs[who].messages.is_empty() {
                return;
            }
            clients[who].say(format!("t {command}\r\n").as_bytes());
            let heard = std::mem::take(&mut clients[who].heard);
            beliefs[who].hear(&heard, in_use);
            if command.contains("SILENT") {
                // What it did itself it is not told.
                beliefs[who].messages.iter_mut().for_each(|(_, flags)| *flags = None);
            }
            // VANISHED says nothing to a client that does not know its UIDs.
            if qresync && beliefs[who].messages.iter().any(|(uid, _)| uid.is_none()) {
                clients[who].say(b"t FETCH 1:* (UID)\r\n");
                let heard = std::mem::take(&mut clients[who].heard);
                beliefs[who].hear(&heard, true);
            }
        };
        say(0, "SELECT INBOX", false);
        say(1, "SELECT INBOX", false);
        for (at, (who, command, in_use)) in steps.iter().enumerate() {
            if forgets == Some(at) {
                mail.forget_expunges();
            }
            say(*who, command, *in_use);
        }
        for who in 0..2 {
            say(who, "NOOP", false);
            say(who, "FETCH 1:* (UID)", true);
        }
        let truth = truth(&mail);
        for belief in &beliefs {
            prop_assert_eq!(belief.messages.len(), truth.len());
            for (believed, true_) in belief.messages.iter().zip(&truth) {
                prop_assert_eq!(believed.0, true_.0);
                // Flags of new messages are not told unless asked.
                prop_assert!(believed.1.is_none() || believed.1 == true_.1, "{:?} is {:?}", believed, true_);
            }
        }
    }

    #[test]
    fn any_octets_are_answered_without_harm(
        octets in proptest::collection::vec(prop_oneof![
            Just(b"a LOGIN ann secret\r\n".to_vec()), Just(b"b SELECT INBOX\r\n".to_vec()),
            Just(b"c APPEND INBOX {4+}\r\n".to_vec()), Just(b"d AUTHENTICATE PLAIN\r\n".to_vec()),
            Just(b"e IDLE\r\n".to_vec()), Just(b"f UID FETCH 1:* (BODY[1] BINARY[1] PREVIEW)\r\n".to_vec()),
            Just(b"g COMPRESS DEFLATE\r\n".to_vec()), Just(b"h LIST (RECURSIVEMATCH SUBSCRIBED) a *\r\n".to_vec()),
            Just(b"\r\n".to_vec()), Just(b"DONE\r\n".to_vec()), Just(b"i SEARCH RETURN (SAVE) OR 1 $\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ], 0..15),
    ) {
        let (users, mail) = users();
        five(&mail);
        let mut client = Client::new(&users, options());
        client.pass_ms(1);
        for octets in octets {
            client.say(&octets);
        }
        // Behind a large answer silence counts from the next call on.
        client.pass_ms(100_000_000);
        client.pass_ms(100_000_000);
        prop_assert!(client.session.is_closed());
    }
}
