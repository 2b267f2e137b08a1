//! Two clients do anything at all on one mailbox, and neither is ever told something that is not so.

// The fuzz target believes the same.
#[allow(unreachable_pub, reason = "to the targets it is a library")]
#[path = "../../../fuzz/src/belief.rs"]
mod belief;

use proptest::prelude::*;

use self::belief::Belief;
use super::*;

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
fn truth(mail: &MemoryMail) -> Vec<(u32, String)> {
    let rows = mail.rows(id_of(mail, "INBOX"), 1, usize::MAX).expect("rows");
    rows.iter()
        .map(|row| {
            let mut words: Vec<&str> = row.flags.wire_words().collect();
            words.sort_unstable();
            (row.uid, words.join(" "))
        })
        .collect()
}

proptest! {
    #[test]
    fn clients_are_never_out_of_step(
        steps in proptest::collection::vec(step(), 1..40),
        qresync in any::<bool>(),
        forgets in proptest::option::of(0..40usize),
        notify in proptest::option::of(proptest::sample::select(vec!["SELECTED", "SELECTED-DELAYED"])),
    ) {
        let (users, mail) = users();
        five(&mail);
        mail.create("Other", &[]).expect("a mailbox");
        let mut clients = [Client::signed_in(&users), Client::signed_in(&users)];
        let mut beliefs = [Belief::default(), Belief::default()];
        if qresync {
            clients[0].say(b"a ENABLE QRESYNC\r\n");
            clients[0].heard.clear();
        }
        // Expunges come at any time.
        let at_once = notify == Some("SELECTED");
        let mut say = |who: usize, command: &str, in_use: bool| {
            // A client that knows it has no messages does not name one.
            if in_use && command.contains("1:*") && beliefs[who].messages.is_empty() {
                return;
            }
            clients[who].say(format!("t {command}\r\n").as_bytes());
            let heard = std::mem::take(&mut clients[who].heard);
            beliefs[who].hear(&heard, in_use && !at_once);
            if command.contains("SILENT") {
                // What it did itself it is not told.
                beliefs[who].forget_flags();
            }
            if qresync && beliefs[who].lacks_uids() {
                clients[who].say(b"t FETCH 1:* (UID)\r\n");
                let heard = std::mem::take(&mut clients[who].heard);
                beliefs[who].hear(&heard, !at_once);
            }
            let other = 1 - who;
            let now = clients[other].now;
            clients[other].session.wake(now).expect("it was drained");
            clients[other].drain();
            let heard = std::mem::take(&mut clients[other].heard);
            assert!(notify.is_some() || heard.is_empty(), "who does not ask is not told");
            beliefs[other].hear(&heard, !at_once);
        };
        say(0, "SELECT INBOX", false);
        say(1, "SELECT INBOX", false);
        if let Some(which) = notify {
            for who in 0..2 {
                say(who, &format!("NOTIFY SET ({which} (MessageNew (UID FLAGS) MessageExpunge FlagChange))"), false);
            }
        }
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
        beliefs.iter().for_each(|belief| belief.assert_true(&truth));
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
