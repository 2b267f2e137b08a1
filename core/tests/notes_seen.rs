//! Mail as it is found, by the numbers of [the catalogue](catalogue.md).

mod support;

use mailkeep::message::ContentHasher;
use mailkeep::{BodyPolicy, Role, SyncScope};
use support::{FarSide, Host, Mail, ModelServer, Script, Tier, mail};

both! {
    note_65_no_blank_line_behind_the_header,
    note_66_tags_and_continuations_inside_literals_are_data,
    note_71_keywords_of_any_length_and_case_are_read,
}

/// Syncs messages given as bytes, over input cut in several ways; each comes to the byte.
fn comes_to_the_byte<S: FarSide>(messages: &[Vec<u8>]) {
    for tier in Tier::ALL {
        let server = S::new(tier);
        for raw in messages {
            server.deliver("INBOX", raw.clone());
        }
        for chunk in [usize::MAX, 1, 5, 64] {
            let mut host = Host::new(&server).knobs(|k| k.chunk = chunk);
            host.label = format!("{tier:?}, in pieces of {chunk}");
            host.sync_all();
            let here = host.snapshot();
            let bodies: Vec<_> = here.mailbox("INBOX").messages.iter().map(|m| m.raw.clone()).collect();
            let sent: Vec<_> = messages.iter().cloned().map(Some).collect();
            assert_eq!(bodies, sent, "{}", host.label);
            assert_eq!(here.mailbox("INBOX").messages.len(), messages.len());
            assert_eq!(host.take_problems(), Vec::<String>::new(), "{}", host.label);
        }
    }
}

fn note_65_no_blank_line_behind_the_header<S: FarSide>() {
    let odd: Vec<Vec<u8>> = vec![
        b"Subject: No end\r\nFrom: ann@example.org\r\n".to_vec(),
        b"Subject: No end, no line end\r\nFrom: ann@example.org".to_vec(),
        b"Subject: Text at once\r\nthis is no field\r\n".to_vec(),
        b"no field at all\r\n".to_vec(),
        b"\r\n".to_vec(),
        mail(9),
    ];
    comes_to_the_byte::<S>(&odd);
    // In the list it is a message like any other, with and without its body.
    for tier in Tier::ALL {
        let server = S::new(tier);
        server.deliver("INBOX", odd[0].clone());
        server.deliver("INBOX", mail(9));
        let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
        host.sync_all();
        assert_eq!(host.snapshot().mailbox("INBOX").uid(1).subject, "No end", "{tier:?}");
        let inbox = host.inbox();
        host.try_sync(SyncScope::only([inbox]).with_bodies(BodyPolicy::All)).unwrap();
        host.assert_in_step();
    }
}

/// Lines that mean something where they are not data.
fn tempting_lines(tag_prefix: &str) -> String {
    let mut text =
        String::from("+ go on\r\n+\r\n* BYE good bye\r\n* 0 EXISTS\r\n* 1 EXPUNGE\r\n* VANISHED 1:9\r\n");
    text.push_str(")\r\n* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n{5}\r\n* OK [UIDVALIDITY 1] x\r\n");
    for n in 0..40 {
        text.push_str(&format!("{tag_prefix}{n} OK fetched\r\n{tag_prefix}{n} NO [EXPUNGEISSUED] gone\r\n"));
    }
    text
}

/// The letters of the tags that a host's connections use.
fn tag_prefix<S: FarSide>() -> String {
    let server = S::new(Tier::Bare);
    let mut host = Host::new(&server);
    host.sync_all();
    let said = String::from_utf8_lossy(&host.transcript).into_owned();
    let first = said.lines().find_map(|l| l.strip_prefix("C: ")).expect("the client says something");
    first.chars().take_while(|c| !c.is_ascii_digit() && *c != ' ').collect()
}

fn note_66_tags_and_continuations_inside_literals_are_data<S: FarSide>() {
    let prefix = tag_prefix::<S>();
    assert!(!prefix.is_empty());
    let text = tempting_lines(&prefix);
    let messages = [mail(1), Mail::new(2).text(&text).build(), Mail::new(3).text(&text).build(), mail(4)];
    comes_to_the_byte::<S>(&messages);
    for tier in Tier::ALL {
        // In headers and previews too.
        let server = S::new(tier);
        let header = format!("Subject: Plain\r\n {prefix}3 OK fetched\r\nFrom: x@example.org\r\n\r\n{text}");
        server.deliver("INBOX", header.into_bytes());
        server.deliver("INBOX", mail(1));
        let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None).knobs(|k| k.chunk = 3);
        host.sync_all();
        host.drop_connection();
        let inbox = host.inbox();
        host.try_sync(SyncScope::only([inbox]).with_bodies(BodyPolicy::All)).unwrap();
        let here = host.snapshot();
        assert_eq!(here.mailbox("INBOX").uids(), [1, 2], "{tier:?}");
        let held = server.audit().mailboxes["INBOX"].messages.clone();
        let raw: Vec<_> = held.iter().map(|m| Some(m.raw.to_vec())).collect();
        let came: Vec<_> = here.mailbox("INBOX").messages.iter().map(|m| m.raw.clone()).collect();
        assert_eq!(came, raw, "{tier:?}");
    }
}

#[test]
fn note_66_no_two_connections_share_their_tags() {
    use mailkeep::ConnectionOptions;
    let server = ModelServer::new(Tier::Bare);
    let host = Host::new(&server);
    let mut prefixes = std::collections::BTreeSet::new();
    for seed in 0..20_u8 {
        let options = ConnectionOptions::new([seed.wrapping_mul(97).wrapping_add(seed); 32], true);
        let mut connection = host.engine.connect(host.account, options).unwrap();
        connection.handle_input(host.now, b"* OK hi\r\n").unwrap();
        let said = connection.poll_transmit().expect("it asks for capabilities");
        let said = String::from_utf8_lossy(&said).into_owned();
        prefixes.insert(said.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().to_owned());
    }
    assert!(prefixes.len() > 5, "tags come of the host's seed: {prefixes:?}");
}

/// From a server that sends any octet; one that follows RFC 9051 sends no NUL outside BINARY.
#[test]
fn note_72_exact_bytes_whatever_they_are() {
    let text = mail(7);
    let without_end = text[..text.len() - 2].to_vec();
    let line_feeds: Vec<u8> = text.iter().copied().filter(|b| *b != b'\r').collect();
    let returns: Vec<u8> = text.iter().copied().filter(|b| *b != b'\n').collect();
    let with = |byte: u8| -> Vec<u8> {
        let mut raw = mail(8);
        raw.extend_from_slice(&[b'a', byte, b'b', b'\r', b'\n']);
        raw
    };
    let more = [text.clone(), b"\r\n\r\n".to_vec()].concat();
    comes_to_the_byte::<ModelServer>(&[
        text,
        without_end,
        line_feeds,
        returns,
        more,
        with(0),
        with(0x80),
        with(0xff),
        with(b'\r'),
        with(b'\n'),
    ]);
}

#[test]
fn note_72_variants_of_one_message_have_one_canonical_hash() {
    let hash = |bytes: &[u8], step: usize| {
        let mut hasher = ContentHasher::new();
        bytes.chunks(step).for_each(|piece| hasher.update(piece));
        hasher.finish()
    };
    let imap = b"Subject: One\r\n\r\na\x80b\r\nlast line".to_vec();
    let variants: &[&[u8]] = &[
        b"Subject: One\r\n\r\na\x80b\r\nlast line\r\n",
        b"Subject: One\r\n\r\na\x00b\r\nlast line\r\n",
        b"Subject: One\n\na\x00b\nlast line\n",
    ];
    for step in [1, 2, 3, 1_000] {
        let first = hash(&imap, step);
        for variant in variants {
            let other = hash(variant, step);
            assert_eq!(other.canonical, first.canonical, "{variant:?}");
            assert_ne!(other.raw, first.raw, "{variant:?}: the bytes are not the same");
        }
        let another = hash(b"Subject: One\r\n\r\na\x80c\r\nlast line", step);
        assert_ne!(another.canonical, first.canonical);
    }
}

const DOVECOT: &str = include_str!("transcripts/held_back_expunge.txt");

#[test]
fn note_04_an_expunge_held_back_is_heard_of_the_next_time() {
    let mut host = Host::with_peers(Script::peers(DOVECOT));
    host.sync_all();
    let inbox = host.inbox();
    host.try_sync(SyncScope::only([inbox])).unwrap();
    assert_eq!(host.snapshot().mailbox("INBOX").uids(), [1, 2]);
    assert_eq!(host.snapshot().mailbox("INBOX").uid(2).flags, ["\\Seen"]);
    host.break_off();
    host.sync_all();
    assert_eq!(host.snapshot().mailbox("INBOX").uids(), [2]);
    assert_eq!(host.snapshot().mailbox("INBOX").role, Some(Role::Inbox));
    assert_eq!(host.take_problems(), Vec::<String>::new());
}

fn note_71_keywords_of_any_length_and_case_are_read<S: FarSide>() {
    for tier in Tier::ALL {
        let server = S::new(tier);
        let long = "k".repeat(60);
        server.deliver_with("INBOX", mail(1), &[&long, "Work", "$forwarded"], None);
        let mut host = Host::new(&server);
        host.sync_all();
        let row = host.engine.messages(host.inbox(), None, 1).unwrap().rows.remove(0);
        let words: Vec<&str> = row.flags.wire_words().collect();
        assert!(words.contains(&long.as_str()) && words.contains(&"Work"), "{tier:?}: {words:?}");
        assert!(words.contains(&"$Forwarded"), "{tier:?}: a known one has its own spelling: {words:?}");
    }
}
