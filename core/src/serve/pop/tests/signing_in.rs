//! Who may come in, and how.

use super::*;
use crate::pop3::command::apop_digest;

#[test]
fn what_is_offered_can_be_had_then() {
    let (users, _) = users();
    talk(
        &mut pop(users.clone(), options()),
        "C: CAPA
         S: +OK this can be had
         S: TOP
         S: UIDL
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: PIPELINING
         S: USER
         S: SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
         S: .
         C: USER ann
         S: +OK and the password
         C: PASS secret
         S: +OK welcome, 0 messages
         C: CAPA
         S: +OK this can be had
         S: TOP
         S: UIDL
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: PIPELINING
         S: USER
         S: SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
         S: IMPLEMENTATION Mailkeep-…
         S: .",
    );
    let clear = SessionOptions { secure: false, offers_tls: true, offers_pop_utf8: true, ..options() };
    talk(
        &mut pop(users, clear),
        "C: CAPA
         S: +OK this can be had
         S: TOP
         S: UIDL
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: PIPELINING
         S: SASL SCRAM-SHA-256 SCRAM-SHA-1
         S: UTF8
         S: STLS
         S: .",
    );
}

#[test]
fn no_password_in_the_clear() {
    let (users, _) = users();
    let insecure = SessionOptions { secure: false, offers_tls: true, ..options() };
    let mut client = pop(users.clone(), insecure.clone());
    talk(
        &mut client,
        "C: USER ann
         S: -ERR not without encryption
         C: PASS secret
         S: -ERR not without encryption
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: -ERR that mechanism is not offered
         C: AUTH LOGIN
         S: -ERR that mechanism is not offered
         C: AUTH SCRAM-SHA-256
         S: + 
         C: *
         S: -ERR taken back",
    );
    // What is pipelined behind STLS in the clear never counts.
    client.say(b"STLS\r\nUSER ann\r\nPASS secret\r\n");
    assert_eq!(client.lines(), ["+OK begin TLS"]);
    assert_eq!(client.events, [SessionEvent::StartTls]);
    client.session.handle_tls_started(client.now, None).expect("it was asked for");
    client.drain();
    talk(
        &mut client,
        "C: STLS
         S: -ERR there is no STLS now
         C: PASS secret
         S: -ERR USER comes first
         C: USER ann
         S: +OK …
         C: PASS secret
         S: +OK …",
    );
    drop(client);
    let mut open = pop(users.clone(), SessionOptions { allow_insecure: true, ..insecure.clone() });
    talk(&mut open, "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: +OK welcome, 0 messages");
    let mut utf8 = pop(users, SessionOptions { offers_pop_utf8: true, ..insecure });
    talk(&mut utf8, "C: UTF8\nS: +OK …\nC: STLS\nS: -ERR there is no STLS now");
}

#[test]
fn sasl() {
    let (users, _) = users();
    for script in [
        "C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: +OK welcome, 0 messages",
        "C: AUTH PLAIN
         S: + 
         C: AGFubgBzZWNyZXQ=
         S: +OK welcome, 0 messages",
        "C: auth login
         S: + VXNlcm5hbWU6
         C: YW5u
         S: + UGFzc3dvcmQ6
         C: c2VjcmV0
         S: +OK welcome, 0 messages",
        "C: AUTH LOGIN YW5u
         S: + UGFzc3dvcmQ6
         C: c2VjcmV0
         S: +OK welcome, 0 messages",
        "C: AUTH PLAIN
         S: + 
         C: *
         S: -ERR taken back
         C: AUTH PLAIN
         S: + 
         C: %%
         S: -ERR that is no base64
         C: AUTH PLAIN %%
         S: -ERR that is no base64
         C: AUTH SCRAM-SHA-256-PLUS
         S: -ERR that mechanism is not offered
         C: NOOP
         S: -ERR sign in first",
    ] {
        talk(&mut pop(users.clone(), options()), script);
    }
}

#[test]
fn scram_proves_both() {
    use crate::limits::Limits;
    use crate::sasl::{ChannelBinding, Credentials, Exchange, Mechanism};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let users = MemoryUsers::default();
    users.add("ann", Verifier::new("secret", [7; 16], 4_096).expect("a password"));
    let binding = ChannelBinding { kind: "tls-exporter".into(), data: vec![7; 32] };
    for (mechanism, bound) in [
        (Mechanism::ScramSha1, false),
        (Mechanism::ScramSha256, false),
        (Mechanism::ScramSha1Plus, true),
        (Mechanism::ScramSha256Plus, true),
    ] {
        for initial in [true, false] {
            let binding = bound.then_some(&binding);
            let mut client = pop(users.clone(), options());
            if let Some(binding) = binding {
                client.session.set_binding(binding.clone());
            }
            let credentials =
                Credentials::Password { user: "ann".into(), authzid: None, password: Secret::new("secret") };
            let mut exchange =
                Exchange::new(mechanism, &credentials, binding, bound, [1; 18], &Limits::DEFAULT).unwrap();
            let first = STANDARD.encode(exchange.initial().unwrap());
            let mut say = match initial {
                true => format!("AUTH {} {first}", mechanism.name()),
                false => format!("AUTH {}", mechanism.name()),
            };
            for _ in 0..4 {
                client.say(format!("{say}\r\n").as_bytes());
                let line = client.lines().remove(0);
                if line.starts_with("+OK") {
                    break;
                }
                let challenge = STANDARD.decode(line.strip_prefix("+ ").expect("a challenge")).unwrap();
                say = STANDARD.encode(exchange.respond(&challenge).expect("an answer"));
            }
            exchange.verify_success().expect("the server has proved itself");
            assert!(client.events.contains(&SessionEvent::SignedIn { user: "ann".into() }), "{mechanism:?}");
        }
    }
}

#[test]
fn apop_where_passwords_can_be_read() {
    let (memory, _) = users();
    // Over no TLS: that is what it is for.
    let options = |seed| SessionOptions { seed: [seed; 32], secure: false, ..options() };
    let mut timestamps = Vec::new();
    for seed in 1..4 {
        let mut client = Client::with(PopSession::new(Readable(memory.clone()), options(seed)));
        let greeting = client.lines().remove(0);
        let stamp = crate::pop3::response::timestamp(greeting.as_bytes()).expect("a timestamp").to_vec();
        let right = apop_digest(&stamp, &Secret::new("secret"));
        let wrong = apop_digest(&stamp, &Secret::new("secret "));
        for said in [format!("ann {wrong}"), format!("bob {right}"), "ann 0".to_owned()] {
            client.say(format!("APOP {said}\r\n").as_bytes());
            assert_eq!(client.lines(), [""; 0]);
            client.pass_ms(10_000);
            assert_eq!(client.lines(), ["-ERR [AUTH] the name or the password is wrong"]);
        }
        client.say(format!("APOP ann {}\r\n", right.to_uppercase()).as_bytes());
        assert_eq!(client.lines(), ["+OK welcome, 0 messages"]);
        timestamps.push(stamp);
    }
    timestamps.dedup();
    assert_eq!(timestamps.len(), 3, "every greeting has its own");
    // Where there are SCRAM's keys alone, nothing is said of it.
    let mut client = Client::with(PopSession::new(memory, options(9)));
    assert_eq!(client.lines(), ["+OK Mailkeep is ready"]);
    talk(&mut client, "C: APOP ann 00112233445566778899aabbccddeeff\nS: -ERR APOP is not offered");
}

#[test]
fn failed_attempts_wait_longer_each_time_and_end() {
    let (users, _) = users();
    let ways = ["USER # \r\nPASS wrong", "USER #\r\nPASS wrong", "AUTH PLAIN", "AUTH LOGIN eA==\r\nd3Jvbmc="];
    for name in ["ann", "nobody"] {
        let mut client = pop(users.clone(), options());
        for attempt in 0..5usize {
            let way = match ways[attempt % ways.len()] {
                "AUTH PLAIN" if name == "ann" => "AUTH PLAIN AGFubgB3cm9uZw==",
                "AUTH PLAIN" => "AUTH PLAIN AG5vYm9keQB3cm9uZw==",
                way => way,
            };
            client.say(format!("{}\r\nCAPA\r\n", way.replace('#', name)).as_bytes());
            let mut heard = client.lines();
            heard.retain(|line| line != "+OK and the password" && !line.starts_with("+ "));
            assert_eq!(heard, [""; 0]);
            assert_eq!(client.unread, b"CAPA\r\n");
            let wait = 1_000 << attempt;
            assert_eq!(client.session.poll_timeout(), Some(client.now.mono_ms + wait));
            client.pass_ms(wait - 1);
            assert_eq!(client.lines(), [""; 0]);
            client.pass_ms(1);
            // Whether there is such a user makes no difference.
            assert_eq!(client.lines(), ["-ERR [AUTH] the name or the password is wrong"]);
            assert_eq!(client.session.is_closed(), attempt == 4);
        }
        assert_eq!(client.events.iter().filter(|event| **event == SessionEvent::SignInFailed).count(), 5);
    }
}

#[test]
fn what_waited_behind_a_failed_attempt_is_taken_then() {
    let (users, _) = users();
    let mut client = pop(users, options());
    client.say(b"USER ann\r\nPASS wrong\r\nUSER ann\r\nPASS secret\r\nSTAT\r\nQUIT\r\n");
    client.heard.clear();
    client.pass_ms(1_000);
    let rest = std::mem::take(&mut client.unread);
    client.say(&rest);
    assert_eq!(
        client.lines(),
        [
            "-ERR [AUTH] the name or the password is wrong",
            "+OK and the password",
            "+OK welcome, 0 messages",
            "+OK 0 0",
            "+OK good bye, 0 messages removed"
        ]
    );
}

#[test]
fn passwords_with_blanks_and_beyond_ascii() {
    let users = MemoryUsers::default();
    users.add("ann marie", Verifier::new(" zwölf  Boxkämpfer ", [7; 16], 4).expect("a password"));
    let mut client = pop(users, options());
    talk(
        &mut client,
        "C: USER ann marie
         S: +OK …
         C: PASS  zwölf  Boxkämpfer 
         S: +OK welcome, 0 messages",
    );
}
