//! Who may come in, and how.

use super::*;

#[test]
fn the_greeting_and_what_is_offered() {
    let (users, _) = users();
    let mut client = Client::new(&users, options());
    assert_eq!(
        client.lines(),
        [
            "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 \
          AUTH=PLAIN AUTH=LOGIN] Mailkeep is ready"
        ]
    );
    play(
        std::slice::from_mut(&mut client),
        "C: a CAPABILITY
         S: * CAPABILITY IMAP4rev1 IMAP4rev2 …
         S: a OK that is all
         C: b SELECT INBOX
         S: b BAD sign in first
         C: c LOGIN ann secret
         S: c OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ …
         C: d LOGIN ann secret
         S: d BAD somebody is signed in already
         C: e ID (\"name\" \"test\")
         S: * ID (\"name\" \"Mailkeep\" \"version\" …
         S: e OK done
         C: f NAMESPACE
         S: * NAMESPACE ((\"\" \"/\")) NIL NIL
         S: f OK done
         C: g ENABLE X-FOO CONDSTORE UTF8=ACCEPT
         S: * ENABLED CONDSTORE UTF8=ACCEPT
         S: g OK done
         C: h LOGOUT
         S: * BYE good bye
         S: h OK done",
    );
    assert!(client.session.is_closed());
    assert_eq!(client.events, [SessionEvent::SignedIn { user: "ann".into() }, SessionEvent::Closed]);
}

#[test]
fn sasl() {
    let (users, _) = users();
    for script in [
        "C: a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=
         S: a OK …",
        "C: a AUTHENTICATE PLAIN
         S: + 
         C: AGFubgBzZWNyZXQ=
         S: a OK …",
        "C: a AUTHENTICATE login
         S: + VXNlcm5hbWU6
         C: YW5u
         S: + UGFzc3dvcmQ6
         C: c2VjcmV0
         S: a OK …",
        "C: a AUTHENTICATE PLAIN
         S: + 
         C: *
         S: a BAD taken back
         C: b AUTHENTICATE PLAIN
         S: + 
         C: %%
         S: b BAD that is no base64
         C: c AUTHENTICATE CRAM-MD5
         S: c NO [CANNOT] that mechanism is not offered",
    ] {
        let mut client = Client::new(&users, options());
        client.heard.clear();
        play(std::slice::from_mut(&mut client), script);
    }
}

#[test]
fn failed_attempts_wait_longer_each_time_and_end() {
    let (users, _) = users();
    let mut client = Client::new(&users, options());
    client.heard.clear();
    for attempt in 0..5u32 {
        // Whether there is such a user makes no difference.
        let name = if attempt % 2 == 0 { "ann" } else { "nobody" };
        client.say(format!("a LOGIN {name} wrong\r\nb NOOP\r\n").as_bytes());
        assert_eq!(client.lines(), [""; 0]);
        let wait = 1_000 << attempt;
        assert_eq!(client.session.poll_timeout(), Some(client.now.mono_ms + wait));
        client.pass_ms(wait - 1);
        assert_eq!(client.lines(), [""; 0]);
        client.pass_ms(1);
        let mut heard = client.lines();
        assert_eq!(heard.remove(0), "a NO [AUTHENTICATIONFAILED] the name or the password is wrong");
        assert_eq!(heard.is_empty(), attempt < 4, "{heard:?}");
    }
    assert!(client.session.is_closed());
}

#[test]
fn no_password_in_the_clear() {
    let (users, _) = users();
    let insecure = SessionOptions { secure: false, offers_tls: true, ..options() };
    let mut client = Client::new(&users, insecure.clone());
    let greeting = client.lines().remove(0);
    assert!(greeting.contains(" STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256") && !greeting.contains("PLAIN"));
    // What is pipelined behind STARTTLS in the clear never counts.
    client.say(b"a LOGIN ann secret\r\nb STARTTLS\r\nc NOOP\r\n");
    assert_eq!(client.lines(), ["a NO [PRIVACYREQUIRED] not without encryption", "b OK begin TLS"]);
    assert_eq!(client.events, [SessionEvent::StartTls]);
    client.session.handle_tls_started(client.now, None).expect("it was asked for");
    client.drain();
    play(
        std::slice::from_mut(&mut client),
        "C: d STARTTLS
         S: d BAD there is no STARTTLS now
         C: e LOGIN ann secret
         S: e OK …",
    );
    assert!(client.session.handle_tls_started(client.now, None).is_err());
    let mut open = Client::new(&users, SessionOptions { allow_insecure: true, ..insecure });
    open.heard.clear();
    play(std::slice::from_mut(&mut open), "C: a LOGIN ann secret\nS: a OK …");
}

#[test]
fn silence_ends_it() {
    let (users, _) = users();
    let mut client = Client::new(&users, options());
    client.say(b"a NOOP\r\n");
    client.heard.clear();
    client.pass_ms(61_000);
    assert_eq!(client.lines(), ["* BYE nothing was said for too long"]);
    let mut client = Client::signed_in(&users);
    client.pass_ms(30 * 60_000);
    assert!(!client.session.is_closed());
    client.pass_ms(2 * 60_000);
    assert!(client.session.is_closed());
}

#[test]
fn the_time_a_download_takes_is_no_silence() {
    let (users, mail) = users();
    put(&mail, "INBOX", &[], &format!("Subject: large\n\n{}", "line\n".repeat(100_000)));
    let mut client = Client::signed_in(&users);
    client.say(b"a SELECT INBOX\r\n");
    client.session.handle_input(client.now, b"b FETCH 1 BODY.PEEK[]\r\n").expect("it is drained");
    // The host's socket is slow.
    while client.session.poll_transmit().is_some() {
        client.now.mono_ms += 20 * 60_000;
    }
    client.heard.clear();
    client.pass_ms(0);
    assert!(!client.session.is_closed());
    assert_eq!(client.session.poll_timeout(), Some(client.now.mono_ms + 31 * 60_000));
    play(std::slice::from_mut(&mut client), "C: c NOOP\nS: c OK done");
}

#[test]
fn what_is_no_command() {
    let (users, _) = users();
    let mut client = Client::new(&users, options());
    client.heard.clear();
    play(
        std::slice::from_mut(&mut client),
        "C: a FOO
         S: a BAD expected a command that is known here at octet 2
         C: 
         S: * BAD expected a tag at octet 0
         C: a LOGIN x {70000}
         S: a BAD [TOOBIG] the command is too long
         C: a LOGIN x {20000000}
         S: a BAD [TOOBIG] the string is too long
         C: b NOOP
         S: b OK done",
    );
    client.say(b"GET / HTTP/1.1\r\n");
    client.say(&b"\r\n".repeat(30));
    assert!(client.session.is_closed());
    let mut client = Client::new(&users, options());
    client.heard.clear();
    client.say(&[b"x ".to_vec(), b"y".repeat(100_000), b"\r\nz NOOP\r\n".to_vec()].concat());
    assert_eq!(client.lines(), ["x BAD [TOOBIG] the command is too long", "z OK done"]);
}

#[test]
fn compression() {
    use crate::limits::Limits;
    use crate::wire::compress::{Deflater, Inflater};
    let (users, mail) = users();
    put(&mail, "INBOX", &[], &format!("Subject: x\n\n{}", "all alike ".repeat(50_000)));
    let mut client = Client::signed_in(&users);
    client.say(b"a COMPRESS DEFLATE\r\n");
    assert_eq!(client.lines(), ["a OK compressed from here on"]);
    let (mut deflater, mut inflater) = (Deflater::new(6), Inflater::new(&Limits::DEFAULT));
    for (said, last) in [
        ("b COMPRESS DEFLATE\r\n", "b NO [COMPRESSIONACTIVE] it is compressed already"),
        ("c SELECT INBOX\r\nd FETCH 1 BODY[]\r\n", "d OK done"),
        ("e NOOP\r\n", "e OK done"),
    ] {
        let mut compressed = Vec::new();
        deflater.deflate(said.as_bytes(), &mut compressed);
        client.say(&compressed);
        let (mut text, heard) = (Vec::new(), std::mem::take(&mut client.heard));
        inflater.inflate(&mut heard.as_slice(), &mut text, usize::MAX).expect("it is DEFLATE");
        let text = String::from_utf8(text).expect("it is text");
        assert_eq!(text.trim_end().rsplit("\r\n").next(), Some(last));
    }
    client.say(b"\xff\xff\xff\xff");
    assert!(client.session.is_closed());
}
