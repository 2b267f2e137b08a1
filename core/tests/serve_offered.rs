//! What a session does not offer: it is not told, what needs it is refused, and nothing of it is said unasked.

use mailkeep::Now;
use mailkeep::sasl::server::Verifier;
use mailkeep::serve::memory::MemoryUsers;
use mailkeep::serve::{Session, SessionOptions};

struct Client(Session<MemoryUsers>, u64);

impl Client {
    fn new(withheld: &[&str]) -> (Client, String) {
        let users = MemoryUsers::default();
        users.add("ann", Verifier::new("secret", [9; 16], 1).expect("a password"));
        let mut options = SessionOptions::new([1; 32], [2; 32], true);
        options.withheld = withheld.iter().map(|word| (*word).to_owned()).collect();
        let mut client = Client(Session::new(users, options), 0);
        let greeting = client.drain();
        (client, greeting)
    }

    fn drain(&mut self) -> String {
        let mut said = Vec::new();
        while let Some(bytes) = self.0.poll_transmit() {
            said.extend(bytes);
        }
        while self.0.poll_event().is_some() {}
        String::from_utf8(said).expect("ASCII")
    }

    fn say(&mut self, line: &str) -> String {
        self.1 += 1;
        let line = format!("x {line}\r\n").into_bytes();
        let progress =
            self.0.handle_input(Now::new(self.1, 1_768_867_200_000), &line).expect("it was drained");
        assert_eq!(progress.consumed, line.len());
        self.drain()
    }
}

/// The words of the first list of capabilities in what was said.
fn words(said: &str) -> Vec<&str> {
    let list = said.split("[CAPABILITY ").nth(1).and_then(|rest| rest.split(']').next());
    list.expect("a list of capabilities").split(' ').collect()
}

#[test]
fn what_is_withheld_is_not_told_and_refused() {
    for (word, commands) in [
        ("IDLE", &["IDLE"][..]),
        ("MOVE", &["MOVE 1 Other", "UID MOVE 1 Other"]),
        ("UIDPLUS", &["UID EXPUNGE 1"]),
        ("UNSELECT", &["UNSELECT"]),
        ("NAMESPACE", &["NAMESPACE"]),
        ("ENABLE", &["ENABLE CONDSTORE"]),
        ("ID", &["ID NIL"]),
        ("COMPRESS=DEFLATE", &["COMPRESS DEFLATE"]),
        ("REPLACE", &["UID REPLACE 1 INBOX {1+}\r\na"]),
        ("MULTIAPPEND", &["APPEND INBOX {1+}\r\na {1+}\r\nb"]),
        ("ESEARCH", &["SEARCH RETURN (ALL) ALL"]),
        ("WITHIN", &["SEARCH OLDER 5"]),
        ("SORT", &["SORT (DATE) UTF-8 ALL"]),
        ("THREAD=REFERENCES", &["THREAD REFERENCES UTF-8 ALL"]),
        (
            "LIST-EXTENDED",
            &["LIST (SUBSCRIBED) \"\" *", "LIST \"\" (a b)", "LIST \"\" * RETURN (SUBSCRIBED)"],
        ),
        ("LIST-STATUS", &["LIST \"\" * RETURN (STATUS (MESSAGES))"]),
        ("SPECIAL-USE", &["LIST \"\" * RETURN (SPECIAL-USE)"]),
        ("CREATE-SPECIAL-USE", &["CREATE New (USE (\\Archive))"]),
        ("STATUS=SIZE", &["STATUS INBOX (SIZE)"]),
        ("OBJECTID", &["STATUS INBOX (MAILBOXID)", "FETCH 1 (EMAILID)", "SEARCH EMAILID a"]),
        ("QRESYNC", &["SELECT INBOX (QRESYNC (1 1))"]),
        (
            "CONDSTORE",
            &[
                "SELECT INBOX (CONDSTORE)",
                "STATUS INBOX (HIGHESTMODSEQ)",
                "FETCH 1 (MODSEQ)",
                "FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
                "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (a)",
                "SEARCH MODSEQ 1",
            ],
        ),
        ("BINARY", &["FETCH 1 (BINARY.PEEK[1])", "FETCH 1 (BINARY.SIZE[1])"]),
        ("PREVIEW", &["FETCH 1 (PREVIEW)"]),
        ("SAVEDATE", &["FETCH 1 (SAVEDATE)"]),
        ("PARTIAL", &["FETCH 1:* (FLAGS) (PARTIAL 1:2)"]),
        ("QUOTA", &["GETQUOTAROOT INBOX"]),
    ] {
        for (withheld, offered) in [(&[word][..], false), (&[], true)] {
            let (mut client, _) = Client::new(withheld);
            let said = client.say("LOGIN ann secret");
            assert_eq!(words(&said).contains(&word), offered, "{word}: {said}");
            for command in commands {
                assert!(client.say("SELECT INBOX").contains("x OK"));
                client.say("APPEND INBOX {4+}\r\nmail");
                let said = client.say(command);
                let refused = said.contains("x BAD that is not offered");
                assert_eq!(refused, !offered, "{word}, withheld: {withheld:?}, {command}: {said}");
                if said.starts_with('+') {
                    client.0.handle_input(Now::new(1_000, 0), b"DONE\r\n").expect("it was drained");
                    client.drain();
                }
                if command.starts_with("COMPRESS") {
                    break;
                }
                assert!(refused || client.say("NOOP").contains("x OK"), "{command}: the next is heard");
            }
        }
    }
}

#[test]
fn what_rests_on_what_is_withheld_is_withheld_too() {
    let (mut client, greeting) = Client::new(&["condstore", "AUTH=SCRAM-SHA-1", "AUTH=LOGIN"]);
    let before = words(&greeting);
    assert!(before.contains(&"AUTH=SCRAM-SHA-256") && before.contains(&"AUTH=PLAIN"), "{greeting}");
    assert!(!before.contains(&"AUTH=SCRAM-SHA-1") && !before.contains(&"AUTH=LOGIN"), "{greeting}");
    assert!(client.say("AUTHENTICATE LOGIN").contains("x NO [CANNOT]"));
    let said = client.say("LOGIN ann secret");
    let after = words(&said);
    assert!(!after.contains(&"CONDSTORE") && !after.contains(&"QRESYNC"), "{said}");
    assert!(after.contains(&"IMAP4rev2"), "it does not rest on CONDSTORE: {said}");
    let enabled = client.say("ENABLE CONDSTORE QRESYNC UTF8=ACCEPT");
    assert!(enabled.contains("* ENABLED UTF8=ACCEPT\r\n"), "{enabled}");
    let (mut client, greeting) = Client::new(&["MOVE"]);
    assert!(!words(&greeting).contains(&"IMAP4rev2"), "{greeting}");
    client.say("LOGIN ann secret");
    assert!(!client.say("ENABLE IMAP4rev2").contains("IMAP4rev2"));
}

#[test]
fn nothing_of_what_is_withheld_is_said_unasked() {
    let talk = |withheld: &[&str]| {
        let (mut client, _) = Client::new(withheld);
        let mut said = String::new();
        for command in [
            "LOGIN ann secret",
            "CREATE Sent (USE (\\Sent))",
            "LIST \"\" *",
            "SELECT INBOX",
            "APPEND INBOX {4+}\r\nmail",
            "UID COPY 1 Sent",
            "UID STORE 1 +FLAGS (\\Deleted)",
            "EXPUNGE",
        ] {
            let answer = client.say(command);
            assert!(answer.contains("x OK"), "{command}: {answer}");
            said.push_str(&answer);
        }
        said
    };
    let codes = ["[MAILBOXID", "[HIGHESTMODSEQ", "\\Sent", "[APPENDUID", "[COPYUID"];
    let everything = talk(&[]);
    assert!(codes.iter().all(|code| everything.contains(code)), "{everything}");
    let little = talk(&["OBJECTID", "CONDSTORE", "SPECIAL-USE", "UIDPLUS"]);
    let found: Vec<_> = codes.iter().filter(|code| little.contains(**code)).collect();
    assert!(found.is_empty(), "{found:?} in {little}");
}
