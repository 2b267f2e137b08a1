//! What syncing must live through, by the numbers of [the catalogue](catalogue.md).

mod support;

use mailkeep::{BodyPolicy, ContentId, Error, Event, MailboxId, SyncScope};
use support::{FarSide, Host, Mail, ModelServer, Peer, Snapshot, Tier, mail, quirks};

both! {
    note_03_no_star_where_vanished_is_asked,
    note_04_the_mod_sequence_waits_for_what_is_stored,
    note_06_a_reset_with_other_changes_keeps_what_stayed,
    note_06_a_uid_validity_that_never_stays,
    note_08_a_message_that_leaves_and_comes_back,
    note_08_a_message_in_several_mailboxes_is_stored_once,
    note_10_a_server_that_hangs_up_on_idle,
    note_10_watching_never_leans_on_noop,
}

/// Tiers that can say VANISHED.
const RESYNC: [Tier; 2] = [Tier::Qresync, Tier::Everything];

/// INBOX with five messages, Lists with three.
fn server<S: FarSide>(tier: Tier) -> S {
    let server = S::new(tier);
    server.create("Lists");
    for n in 1..=5 {
        server.deliver("INBOX", mail(n));
    }
    for n in 30..=32 {
        server.deliver_with("Lists", mail(n), &["\\Seen"], None);
    }
    server
}

/// A host in step with it, and everything that is counted begun again.
fn settled<S: FarSide>(server: &S, host: Host) -> Host {
    let mut host = host;
    host.sync_all();
    host.assert_in_step();
    server.take_log();
    server.take_body_octets();
    host.take_new_mail();
    host.take_problems();
    host
}

fn synced<S: FarSide>(tier: Tier) -> (S, Host) {
    let server = server::<S>(tier);
    let host = settled(&server, Host::new(&server));
    (server, host)
}

/// As [`synced`], and every sync from now on meets every message of every mailbox.
fn audited(tier: Tier) -> (ModelServer, Host) {
    let server = server::<ModelServer>(tier);
    let host = Host::new(&server).settings(|s| s.audit_interval_ms = 1);
    let mut host = settled(&server, host);
    host.drop_connection();
    (server, host)
}

fn ids(snapshot: &Snapshot, mailbox: &str) -> Vec<(u32, u64)> {
    snapshot.mailbox(mailbox).messages.iter().map(|m| (m.uid, m.id)).collect()
}

fn plain_ids(snapshot: &Snapshot, mailbox: &str) -> Vec<u64> {
    ids(snapshot, mailbox).into_iter().map(|(_, id)| id).collect()
}

fn contents(host: &Host, mailbox: MailboxId) -> Vec<ContentId> {
    let page = host.engine.messages(mailbox, None, 100).unwrap();
    page.rows.iter().map(|row| row.content).collect()
}

fn is_tagged(line: &[u8]) -> bool {
    !line.starts_with(b"*") && !line.starts_with(b"+")
}

fn has(line: &[u8], text: &str) -> bool {
    quirks::find(line, text.as_bytes()).is_some()
}

/// Whether a FETCH answer is one of a look at every UID and its flags.
fn is_of_a_scan(command: &str, line: &[u8]) -> bool {
    command == "UID FETCH"
        && has(line, "FETCH (UID ")
        && has(line, " FLAGS (")
        && !["MODSEQ", "BODY", "INTERNALDATE"].iter().any(|word| has(line, word))
}

/// The commands that open INBOX.
fn openings(log: &[String]) -> Vec<&String> {
    log.iter().filter(|c| c.starts_with("EXAMINE INBOX")).collect()
}

/// The mod-sequence from which each opening of INBOX resumes.
fn resumed_from(log: &[String]) -> Vec<u64> {
    let number = |c: &&String| c.split_once("(QRESYNC (")?.1.split([' ', ')']).nth(1)?.parse().ok();
    openings(log).iter().filter_map(number).collect()
}

fn sync_again(host: &mut Host) {
    if let Err(error) = host.try_sync(SyncScope::account()) {
        assert!(matches!(error, Error::Disconnected(_)), "{error}");
        host.sync_all();
    }
}

#[test]
fn note_01_vanished_is_taken_from_every_command() {
    for tier in RESYNC {
        for verb in ["LIST", "EXAMINE", "UID FETCH"] {
            let (server, mut host) = synced::<ModelServer>(tier);
            host.label = format!("{tier:?}, {verb}");
            let far = server.clone();
            let mut once = true;
            server.quirk(move |command, line| {
                // INBOX is still the open mailbox until another one is asked for.
                if command != verb || !is_tagged(&line) || !once {
                    return line;
                }
                once = false;
                far.expunge("INBOX", &[3]);
                if command == "EXAMINE" { line } else { [b"* VANISHED 3\r\n".to_vec(), line].concat() }
            });
            // The first mailbox of the pass is the one that was opened last.
            let inbox = host.inbox();
            host.drop_connection();
            host.try_sync(SyncScope::only([inbox])).unwrap();
            sync_again(&mut host);
            server.behave();
            host.sync_all();
            host.assert_in_step();
            assert_eq!(server.take_body_octets(), 0, "{tier:?} {verb}");
        }
    }
}

#[test]
fn note_01_vanished_is_applied_before_the_mod_sequence_advances() {
    let change = |server: &ModelServer| {
        server.expunge("INBOX", &[2, 4]);
        // The count comes out even: only VANISHED tells.
        server.deliver("INBOX", mail(40));
        server.deliver("INBOX", mail(41));
    };
    for tier in RESYNC {
        let (server, mut whole) = synced::<ModelServer>(tier);
        change(&server);
        whole.drop_connection();
        whole.sync_all();
        let len = *whole.received.last().unwrap();
        for cut in (0..len).step_by(41) {
            let (server, mut host) = synced::<ModelServer>(tier);
            change(&server);
            host.drop_connection();
            host.knobs.cuts = vec![cut];
            host.label = format!("{tier:?}, cut at {cut}");
            host.sync_all();
            host.assert_in_step();
        }
    }
}

#[test]
fn note_02_vanished_against_exists_on_an_open_mailbox() {
    for tier in RESYNC {
        let (server, mut host) = synced::<ModelServer>(tier);
        let before = host.snapshot();
        let inbox = host.inbox();
        host.try_sync(SyncScope::only([inbox])).unwrap();
        let mut once = true;
        server.quirk(move |command, line| {
            if command == "UID FETCH" && std::mem::take(&mut once) {
                return [b"* VANISHED 1:26183\r\n* 5 EXISTS\r\n".to_vec(), line].concat();
            }
            line
        });
        host.try_sync(SyncScope::only([inbox])).unwrap();
        host.sync_all();
        host.assert_in_step();
        assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?}");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

#[test]
fn note_02_a_scan_that_falls_short_of_exists_hides_nothing() {
    for tier in Tier::ALL {
        let (server, mut host) = audited(tier);
        let before = host.snapshot();
        server.quirk(|command, line| {
            let skipped = is_of_a_scan(command, &line) && (has(&line, "UID 2 ") || has(&line, "UID 4 "));
            if skipped { Vec::new() } else { line }
        });
        for _ in 0..3 {
            host.sync_all();
            host.drop_connection();
            assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?}: nothing is hidden");
        }
        // What is really gone goes when the server says all again.
        server.expunge("INBOX", &[2]);
        server.behave();
        host.sync_all();
        host.assert_in_step();
        let left: Vec<_> = ids(&before, "INBOX").into_iter().filter(|(uid, _)| *uid != 2).collect();
        assert_eq!(ids(&host.snapshot(), "INBOX"), left, "{tier:?}");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

#[test]
fn note_02_a_scan_that_is_empty_against_exists_hides_nothing() {
    for tier in Tier::ALL {
        let (server, mut host) = audited(tier);
        let before = host.snapshot();
        server.quirk(|command, line| if is_of_a_scan(command, &line) { Vec::new() } else { line });
        host.sync_all();
        assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?}");
        assert!(!host.take_problems().is_empty(), "{tier:?}: it is said that the count is wrong");
        server.behave();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
        assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?}");
    }
}

#[test]
fn note_02_a_first_scan_that_falls_short_is_made_up_for() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.quirk(|command, line| {
            let skipped = is_of_a_scan(command, &line) && has(&line, "UID 2 ");
            if skipped { Vec::new() } else { line }
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.drop_connection();
        server.behave();
        host.sync_all();
        host.assert_in_step();
    }
}

fn note_03_no_star_where_vanished_is_asked<S: FarSide>() {
    for tier in RESYNC {
        let (server, mut host) = synced::<S>(tier);
        for keep in [true, false] {
            // The highest are gone: on some servers `*` is now below them.
            let highest = *server.uids("INBOX").last().unwrap();
            server.expunge("INBOX", &[highest]);
            if !keep {
                host.drop_connection();
            }
            host.sync_all();
            host.assert_in_step();
        }
        for command in server.take_log() {
            let about_vanished = command.contains("VANISHED") || command.contains("QRESYNC (");
            assert!(!(about_vanished && command.contains('*')), "{tier:?}: {command}");
        }
    }
}

#[test]
fn note_04_the_mod_sequence_is_the_tagged_answers() {
    for tier in RESYNC {
        let (server, mut host) = synced::<ModelServer>(tier);
        let inbox = host.inbox();
        host.try_sync(SyncScope::only([inbox])).unwrap();
        server.take_log();
        let held_back = server.save("INBOX").modseq;
        // An expunge that is held back for another session's sake, and a change after it that is told.
        server.expunge("INBOX", &[3]);
        server.set_flags("INBOX", 1, &["\\Flagged"]);
        assert_eq!(server.save("INBOX").modseq, held_back + 2);
        server.quirk(move |_, line| {
            if line.starts_with(b"* VANISHED") {
                return Vec::new();
            }
            let answer = format!("OK [HIGHESTMODSEQ {held_back}] fetched");
            quirks::replace(line, "OK fetched", &answer)
        });
        host.try_sync(SyncScope::only([inbox])).unwrap();
        server.behave();
        host.drop_connection();
        server.take_log();
        host.sync_all();
        host.assert_in_step();
        let log = server.take_log();
        assert_eq!(resumed_from(&log), [held_back], "{tier:?}: {log:?}");
    }
}

#[test]
fn note_04_a_mod_sequence_said_in_passing_is_not_taken() {
    for tier in RESYNC {
        let (server, mut host) = synced::<ModelServer>(tier);
        let inbox = host.inbox();
        host.try_sync(SyncScope::only([inbox])).unwrap();
        server.set_flags("INBOX", 1, &["\\Flagged"]);
        server.quirk(|command, line| match command {
            "UID FETCH" => [b"* OK [HIGHESTMODSEQ 999999] in passing\r\n".to_vec(), line].concat(),
            _ => line,
        });
        host.try_sync(SyncScope::only([inbox])).unwrap();
        server.behave();
        host.drop_connection();
        server.take_log();
        server.set_flags("INBOX", 2, &["\\Answered"]);
        host.sync_all();
        host.assert_in_step();
        let log = server.take_log();
        assert!(resumed_from(&log).iter().all(|n| *n < 999_999), "{tier:?}: {log:?}");
    }
}

fn note_04_the_mod_sequence_waits_for_what_is_stored<S: FarSide>() {
    for tier in RESYNC {
        let play = |cut: Option<u64>| {
            let (server, mut host) = synced::<S>(tier);
            let before = server.audit().mailboxes["INBOX"].modseq;
            host.drop_connection();
            server.set_flags("INBOX", 1, &["\\Flagged"]);
            server.deliver("INBOX", Mail::new(50).attachment(3_000).build());
            host.knobs.cuts = cut.into_iter().collect();
            host.sync_all();
            host.assert_in_step();
            (server.take_log(), before, host.received)
        };
        let (_, _, received) = play(None);
        // Cut inside the last body.
        let (log, before, _) = play(Some(received.last().unwrap() - 1_500));
        let from = resumed_from(&log);
        assert_eq!(from[..2], [before, before], "{tier:?}: {log:?}");
    }
}

#[test]
fn note_05_the_last_message_for_a_range_past_the_end() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<ModelServer>(tier);
        let before = host.snapshot();
        server.quirk(|command, line| {
            if command == "UID FETCH" && is_tagged(&line) {
                return [b"* 5 FETCH (UID 5 FLAGS ())\r\n".to_vec(), line].concat();
            }
            line
        });
        let inbox = host.inbox();
        for keep in [true, false] {
            let summary = host.try_sync(SyncScope::only([inbox])).unwrap();
            assert_eq!((summary.messages_added, summary.flags_changed), (0, 0), "{tier:?}");
            assert_eq!(host.snapshot(), before, "{tier:?}");
            assert!(host.take_new_mail().is_empty(), "{tier:?}");
            if keep {
                host.drop_connection();
            }
        }
        let past_the_end = |c: &String| c.contains(":*") && !c.contains(" 1:*");
        assert!(!server.take_log().iter().any(past_the_end), "{tier:?}: no range begins past the end");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

fn note_06_a_reset_with_other_changes_keeps_what_stayed<S: FarSide>() {
    for tier in Tier::ALL {
        for kept_open in [false, true] {
            let (server, mut host) = synced::<S>(tier);
            host.label = format!("{tier:?}, connection kept: {kept_open}");
            let before = host.snapshot();
            if !kept_open {
                host.drop_connection();
            }
            server.expunge("INBOX", &[2]);
            server.reset_uid_validity("INBOX");
            server.set_flags("INBOX", 1, &["\\Seen"]);
            let new = mail(60);
            server.deliver("INBOX", new.clone());
            sync_again(&mut host);
            host.assert_in_step();
            let here = plain_ids(&host.snapshot(), "INBOX");
            let kept: Vec<u64> =
                ids(&before, "INBOX").into_iter().filter(|(uid, _)| *uid != 2).map(|(_, id)| id).collect();
            assert_eq!(here[..4], kept, "{}", host.label);
            assert_eq!(server.take_body_octets(), new.len() as u64, "{}: only the new one", host.label);
        }
    }
}

fn note_06_a_uid_validity_that_never_stays<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        let before = host.snapshot();
        for _ in 0..5 {
            host.drop_connection();
            server.reset_uid_validity("INBOX");
            server.reset_uid_validity("Lists");
            host.sync_all();
            host.assert_in_step();
        }
        for mailbox in ["INBOX", "Lists"] {
            assert_eq!(plain_ids(&host.snapshot(), mailbox), plain_ids(&before, mailbox), "{tier:?}");
        }
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
        assert!(host.take_new_mail().is_empty(), "{tier:?}");
    }
}

#[test]
fn note_07_uidnext_goes_down() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<ModelServer>(tier);
        let before = host.snapshot();
        host.drop_connection();
        server.quirk(|_, line| quirks::replace(line, "UIDNEXT 6", "UIDNEXT 3"));
        host.sync_all();
        assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?}");
        host.assert_in_step();
        server.behave();
        host.drop_connection();
        server.deliver("INBOX", mail(61));
        host.sync_all();
        host.assert_in_step();
        assert_eq!(ids(&host.snapshot(), "INBOX")[..5], ids(&before, "INBOX"), "{tier:?}");
        assert_eq!(server.take_body_octets(), mail(61).len() as u64, "{tier:?}");
    }
}

#[test]
fn note_07_another_message_under_a_number_that_was_given_before() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<ModelServer>(tier);
        host.drop_connection();
        // The server has forgotten its last message and given its number again; UIDNEXT alone tells.
        let mut forgot = server.save("INBOX");
        forgot.held[4].raw = std::rc::Rc::new(Mail::new(74).text("Not what it was.\r\n").build());
        forgot.held[4].email_id += 10_000;
        server.restore(forgot);
        server.quirk(|_, line| quirks::replace(line, "UIDNEXT 6", "UIDNEXT 5"));
        host.sync_all();
        server.behave();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_07_no_uidnext_anywhere() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.quirk(|_, line| {
            if line.starts_with(b"* OK [UIDNEXT") {
                return Vec::new();
            }
            let Some(at) = quirks::find(&line, b"UIDNEXT ").filter(|_| line.starts_with(b"* STATUS")) else {
                return line;
            };
            let len = line[at + 8..].iter().take_while(|b| b.is_ascii_digit()).count() + 9;
            [&line[..at], &line[at + len..]].concat()
        });
        let mut host = settled(&server, Host::new(&server));
        for keep in [true, false] {
            server.deliver("INBOX", mail(62 + u32::from(keep)));
            server.expunge("INBOX", &[if keep { 1 } else { 2 }]);
            server.set_flags("INBOX", 4, if keep { &["\\Flagged"] } else { &[] });
            if !keep {
                host.drop_connection();
            }
            host.sync_all();
            host.assert_in_step();
            assert_eq!(host.take_new_mail().len(), 1, "{tier:?}: new mail is news without UIDNEXT too");
        }
    }
}

fn note_08_a_message_that_leaves_and_comes_back<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        host.drop_connection();
        let id = host.snapshot().mailbox("INBOX").uid(3).id;
        let there = server.move_message("INBOX", 3, "Lists");
        let back = server.move_message("Lists", there, "INBOX");
        host.sync_all();
        host.assert_in_step();
        assert_eq!(host.snapshot().mailbox("INBOX").uid(back).id, id, "{tier:?}: the same message");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
        assert!(host.take_new_mail().is_empty(), "{tier:?}: no news");
    }
}

fn note_08_a_message_in_several_mailboxes_is_stored_once<S: FarSide>() {
    for tier in Tier::ALL {
        let server = S::new(tier);
        server.create("Lists");
        server.create("All");
        let uid = server.deliver("INBOX", Mail::new(1).attachment(2_000).build());
        server.copy("INBOX", uid, "Lists");
        server.copy("INBOX", uid, "All");
        let mut host = settled(&server, Host::new(&server));
        let first = contents(&host, host.inbox());
        for name in ["Lists", "All"] {
            assert_eq!(contents(&host, host.mailbox(name)), first, "{tier:?}: {name} shares its content");
        }
        // One of them goes: the others lose nothing.
        server.expunge("INBOX", &[uid]);
        host.sync_all();
        host.assert_in_step();
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

fn watching<S: FarSide>(tier: Tier) -> (S, Host) {
    let (server, mut host) = synced::<S>(tier);
    let inbox = host.inbox();
    host.connect().watch([inbox]);
    host.quiesce();
    server.take_log();
    (server, host)
}

#[test]
fn note_09_mail_before_the_continuation_is_not_missed() {
    for tier in [Tier::Condstore, Tier::Qresync, Tier::Everything] {
        let (server, mut host) = synced::<ModelServer>(tier);
        let far = server.clone();
        let mut told = false;
        server.quirk(move |_, line| {
            if line == b"+ idling\r\n" && !std::mem::replace(&mut told, true) {
                far.deliver("INBOX", mail(63));
                return [b"* 6 EXISTS\r\n".to_vec(), line].concat();
            }
            // It is told once.
            if told && line == b"* 6 EXISTS\r\n" { Vec::new() } else { line }
        });
        let inbox = host.inbox();
        host.connect().watch([inbox]);
        host.pass_ms(1_000);
        host.assert_in_step();
        assert_eq!(host.take_new_mail().len(), 1, "{tier:?}");
        assert_eq!(server.take_log().last().map(String::as_str), Some("IDLE"), "{tier:?}: it goes on");
    }
}

fn note_10_a_server_that_hangs_up_on_idle<S: FarSide>() {
    for tier in [Tier::Condstore, Tier::Everything] {
        let (server, mut host) = watching::<S>(tier);
        host.pass_ms(55_000);
        server.deliver("INBOX", mail(64));
        host.break_off();
        assert!(matches!(host.closed(), Some(Some(Error::Disconnected(_)))), "{:?}", host.closed());
        host.sync_all();
        host.assert_in_step();
        assert_eq!(host.take_new_mail().len(), 1, "{tier:?}: told once");
    }
}

fn note_10_watching_never_leans_on_noop<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = watching::<S>(tier);
        for minutes in 1..=60 {
            host.pass_ms(60_000);
            if minutes % 20 == 0 {
                server.deliver("INBOX", mail(64 + minutes));
                host.pass_ms(61_000);
                assert_eq!(host.take_new_mail().len(), 1, "{tier:?}");
            }
        }
        host.assert_in_step();
        assert!(host.link.is_some(), "{tier:?}: the connection lives");
        assert!(!server.take_log().iter().any(|c| c == "NOOP"), "{tier:?}");
    }
}

#[test]
fn note_11_flags_and_expunges_within_any_answer() {
    for tier in Tier::ALL {
        for keep in [false, true] {
            let (server, mut host) = synced::<ModelServer>(tier);
            host.label = format!("{tier:?}, connection kept: {keep}");
            if !keep {
                host.drop_connection();
            }
            let far = server.clone();
            let mut turn = 0;
            let mut left = vec![5, 1, 3];
            server.quirk(move |command, line| {
                if !command.ends_with("FETCH") || !is_tagged(&line) {
                    return line;
                }
                // Another client is at it all the time: a change, an expunge, a change, …
                turn += 1;
                if turn % 2 == 0 && !left.is_empty() {
                    far.expunge("INBOX", &[left.remove(0)]);
                } else {
                    let flags: &[&str] = if turn % 4 == 1 { &["\\Flagged"] } else { &["\\Seen", "later"] };
                    far.set_flags("INBOX", 4, flags);
                }
                line
            });
            for _ in 0..8 {
                sync_again(&mut host);
            }
            server.behave();
            sync_again(&mut host);
            host.assert_in_step();
            assert_eq!(server.take_body_octets(), 0, "{}", host.label);
        }
    }
}

#[test]
fn note_11_flags_without_a_uid_between_all_lines() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<ModelServer>(tier);
        host.drop_connection();
        server.set_flags("INBOX", 2, &["\\Answered"]);
        server.deliver("INBOX", Mail::new(65).attachment(900).build());
        server.quirk(|command, line| {
            let inside = command.ends_with("FETCH") || command == "LIST";
            if !inside || line.starts_with(b"+") {
                return line;
            }
            // True, and of a message that this connection may not know by its number yet.
            [b"* FLAGS (\\Seen \\Answered)\r\n* 2 FETCH (FLAGS (\\Answered))\r\n".to_vec(), line].concat()
        });
        // Only INBOX: what is said of number 2 is true there.
        let inbox = host.inbox();
        host.try_sync(SyncScope::only([inbox])).unwrap();
        host.assert_in_step();
        server.behave();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_11_bye_at_any_line() {
    for tier in [Tier::Bare, Tier::Everything] {
        for at in 1..400 {
            let server = server::<ModelServer>(tier);
            let mut line_number = 0;
            server.quirk(move |_, line| {
                line_number += 1;
                match line_number.cmp(&at) {
                    std::cmp::Ordering::Less => line,
                    std::cmp::Ordering::Equal => b"* BYE shutting down\r\n".to_vec(),
                    std::cmp::Ordering::Greater => Vec::new(),
                }
            });
            let mut host = Host::new(&server);
            let result = host.try_sync(SyncScope::account());
            host.snapshot();
            if result.is_ok() {
                assert!(at > 15, "{tier:?}: every line was met");
                break;
            }
            assert!(matches!(result, Err(Error::Disconnected(_))), "{tier:?} at {at}: {result:?}");
            assert!(matches!(host.closed(), Some(Some(Error::Disconnected(_)))), "{:?}", host.closed());
            server.behave();
            host.sync_all();
            host.assert_in_step();
        }
    }
}

/// Lines that name no message that can be, after every answer.
fn with_nonsense(lines: &'static [u8]) -> impl FnMut(&str, Vec<u8>) -> Vec<u8> {
    move |command, line| match command {
        "EXAMINE" | "FETCH" | "UID FETCH" | "LIST" if is_tagged(&line) => [lines.to_vec(), line].concat(),
        _ => line,
    }
}

#[test]
fn note_50_numbers_that_name_no_message() {
    let nonsense: &[&[u8]] = &[
        b"* 0 EXPUNGE\r\n",
        b"* 0 FETCH (UID 1 FLAGS (\\Deleted))\r\n",
        b"* 1 FETCH (UID 0 FLAGS (\\Deleted))\r\n",
        b"* 1 FETCH (UID 4294967296 FLAGS (\\Deleted))\r\n",
        b"* 4294967296 EXISTS\r\n",
        b"* 4294967295 EXPUNGE\r\n",
        b"* 4294967295 FETCH (UID 7 FLAGS ())\r\n",
        b"* VANISHED 0\r\n",
        b"* VANISHED 1,\r\n",
        b"* VANISHED 1:4294967296\r\n",
    ];
    for tier in Tier::ALL {
        for lines in nonsense {
            let (server, mut host) = synced::<ModelServer>(tier);
            let before = host.snapshot();
            host.drop_connection();
            server.set_flags("INBOX", 2, &["\\Flagged"]);
            server.quirk(with_nonsense(lines));
            host.label = format!("{tier:?}, {}", String::from_utf8_lossy(lines));
            for _ in 0..2 {
                host.sync_all();
                host.assert_in_step();
                assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{}", host.label);
            }
            assert_eq!(server.take_body_octets(), 0, "{}", host.label);
        }
    }
}

#[test]
fn note_33_answers_that_nobody_asked_for() {
    let strays: &[&[u8]] = &[
        b"* 5 FETCH (UID 5 BODY[] {9}\r\nNot asked)\r\n",
        b"* 6 FETCH (UID 77 FLAGS () BODY[] {9}\r\nNot asked)\r\n",
        b"* 900 FETCH (UID 5 BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: False\r\n\r\n)\r\n",
        b"* 1 FETCH (UID 1 BODY[1] {5}\r\nFalse RFC822.SIZE 1)\r\n",
    ];
    for tier in Tier::ALL {
        for stray in strays {
            let (server, mut host) = synced::<ModelServer>(tier);
            let before = host.snapshot();
            host.drop_connection();
            server.set_flags("INBOX", 2, &["\\Flagged"]);
            server.quirk(with_nonsense(stray));
            host.label = format!("{tier:?}, {}", String::from_utf8_lossy(stray));
            for _ in 0..2 {
                host.sync_all();
                host.assert_in_step();
                assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{}", host.label);
            }
        }
    }
}

#[test]
fn note_51_sets_of_every_number() {
    for tier in Tier::ALL {
        for earlier in ["", "(EARLIER) "] {
            let (server, mut host) = synced::<ModelServer>(tier);
            let before = host.snapshot();
            host.drop_connection();
            server.set_flags("INBOX", 2, &["\\Flagged"]);
            let line = format!("* VANISHED {earlier}1:4294967295\r\n").repeat(50);
            server.quirk(move |command, answer| {
                let opening = command == "EXAMINE" && is_tagged(&answer);
                if opening { [line.clone().into_bytes(), answer].concat() } else { answer }
            });
            host.sync_all();
            host.assert_in_step();
            server.behave();
            host.drop_connection();
            host.sync_all();
            host.assert_in_step();
            assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?} {earlier}");
            assert_eq!(server.take_body_octets(), 0, "{tier:?} {earlier}");
        }
    }
}

/// A mailbox of thirty messages.
fn thirty(tier: Tier) -> (ModelServer, Host) {
    let server = ModelServer::new(tier);
    for n in 1..=30 {
        server.deliver("INBOX", mail(n));
    }
    let host = settled(&server, Host::new(&server));
    (server, host)
}

#[test]
fn note_52_a_mailbox_that_is_suddenly_empty_comes_back() {
    for tier in Tier::ALL {
        for keep in [false, true] {
            let (server, mut host) = thirty(tier);
            host.label = format!("{tier:?}, connection kept: {keep}");
            let before = host.snapshot();
            let saved = server.save("INBOX");
            server.expunge("INBOX", &(1..=30).collect::<Vec<u32>>());
            if !keep {
                host.drop_connection();
            }
            sync_again(&mut host);
            host.assert_in_step();
            assert!(host.snapshot().mailbox("INBOX").messages.is_empty(), "{}: hidden at once", host.label);
            host.drop_connection();
            server.restore(saved);
            host.sync_all();
            host.assert_in_step();
            assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{}", host.label);
            assert_eq!(server.take_body_octets(), 0, "{}: it was kept", host.label);
            assert!(host.take_new_mail().is_empty(), "{}: it is no news", host.label);
        }
    }
}

#[test]
fn note_52_most_of_a_mailbox_gone_comes_back_under_new_uids() {
    for tier in Tier::ALL {
        let (server, mut host) = thirty(tier);
        let before = host.snapshot();
        server.create("Elsewhere");
        let gone: Vec<u32> = (3..=30).collect();
        let away: Vec<u32> = gone.iter().map(|uid| server.copy("INBOX", *uid, "Elsewhere")).collect();
        server.change().mailbox("Elsewhere").selectable = false;
        server.expunge("INBOX", &gone);
        host.drop_connection();
        host.sync_all();
        assert_eq!(host.snapshot().mailbox("INBOX").uids(), [1, 2], "{tier:?}");
        // The server's keeper puts them back, numbered anew.
        host.drop_connection();
        for uid in away {
            server.move_message("Elsewhere", uid, "INBOX");
        }
        server.delete("Elsewhere");
        host.sync_all();
        host.assert_in_step();
        assert_eq!(plain_ids(&host.snapshot(), "INBOX"), plain_ids(&before, "INBOX"), "{tier:?}");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

#[test]
fn note_52_what_went_with_most_of_its_mailbox_is_kept_for_days() {
    for tier in Tier::ALL {
        let (server, mut host) = thirty(tier);
        let before = host.snapshot();
        let saved = server.save("INBOX");
        server.expunge("INBOX", &(3..=30).collect::<Vec<u32>>());
        for day in 1..=4 {
            host.drop_connection();
            host.sync_all();
            assert!(host.snapshot().mailbox("INBOX").messages.len() < 10, "{tier:?}: hidden");
            host.now.wall_ms += 86_400_000;
            server.deliver("INBOX", mail(40 + day));
        }
        host.drop_connection();
        server.take_body_octets();
        server.restore(saved);
        host.sync_all();
        host.assert_in_step();
        assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?}");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}: it was kept");
    }
}

#[test]
fn note_52_an_exists_of_none_that_was_a_mistake() {
    for tier in Tier::ALL {
        for (bodies, with_ids) in
            [(BodyPolicy::All, true), (BodyPolicy::None, true), (BodyPolicy::None, false)]
        {
            let server = ModelServer::new(tier);
            for n in 1..=30 {
                let id = format!("m{n}@example.org");
                server.deliver("INBOX", Mail::new(n).message_id(with_ids.then_some(id.as_str())).build());
            }
            let mut host = Host::new(&server).settings(|s| {
                s.audit_interval_ms = 1;
                s.bodies = bodies;
            });
            host.label = format!("{tier:?}, {bodies:?}, Message-IDs: {with_ids}");
            host.sync_all();
            server.take_body_octets();
            let before = host.snapshot();
            host.drop_connection();
            server.quirk(|_, line| quirks::replace(line, "* 30 EXISTS", "* 0 EXISTS"));
            host.sync_all();
            assert!(host.snapshot().mailbox("INBOX").messages.is_empty(), "{}: hidden", host.label);
            host.drop_connection();
            server.behave();
            host.sync_all();
            // The same UIDs under the same UIDVALIDITY are the same messages.
            assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{}", host.label);
            assert_eq!(server.take_body_octets(), 0, "{}", host.label);
        }
    }
}

#[test]
fn note_55_oversize_fields_are_bounded() {
    let long = "x".repeat(200_000);
    for tier in Tier::ALL {
        let text = long.clone();
        let server = server::<ModelServer>(tier);
        server.quirk(move |command, line| {
            if command == "EXAMINE" && is_tagged(&line) {
                return quirks::replace(line, "opened", &text);
            }
            if line.starts_with(b"* OK [UIDNEXT") {
                return [line, format!("* OK [ALERT] {text}\r\n").into_bytes()].concat();
            }
            let line = quirks::replace(line, "+0000\"", &format!("+0000{text}\""));
            quirks::replace(line, "RFC822.SIZE ", "RFC822.SIZE 99999999999999999999")
        });
        let mut host = Host::new(&server);
        host.sync_all();
        let here = host.snapshot();
        for name in ["INBOX", "Lists"] {
            let far = server.save(name);
            let bodies: Vec<_> = here.mailbox(name).messages.iter().map(|m| m.raw.clone()).collect();
            let theirs: Vec<_> = far.held.iter().map(|m| Some(m.raw.to_vec())).collect();
            assert_eq!(bodies, theirs, "{tier:?}: every message came");
            let sizes: Vec<u64> = here.mailbox(name).messages.iter().map(|m| m.size).collect();
            let true_sizes: Vec<u64> = far.held.iter().map(|m| m.raw.len() as u64).collect();
            assert_eq!(sizes, true_sizes, "{tier:?}: the true size where the message is here");
        }
        for event in &host.events {
            if let Event::Alert { text } | Event::Problem { text } = event {
                assert!(text.len() <= 2_000, "{tier:?}: {} octets", text.len());
            }
        }
    }
}

#[test]
fn note_55_a_size_beyond_all_numbers_is_kept_in_bounds() {
    for tier in Tier::ALL {
        for size in ["18446744073709551615", "18446744073709551616", "9223372036854775808", "-1"] {
            let server = server::<ModelServer>(tier);
            server.quirk(move |_, line| {
                let Some(at) = quirks::find(&line, b"RFC822.SIZE ") else { return line };
                let len = line[at + 12..].iter().take_while(|b| b.is_ascii_digit()).count();
                [&line[..at + 12], size.as_bytes(), &line[at + 12 + len..]].concat()
            });
            let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
            host.sync_all();
            assert_eq!(host.snapshot().mailbox("INBOX").messages.len(), 5, "{tier:?} {size}");
            // Ids, counts and sizes are numbers that every language can hold.
            const LARGEST: u64 = (1 << 53) - 1;
            assert!(host.snapshot().mailbox("INBOX").messages.iter().all(|m| m.size <= LARGEST));
            assert!(host.engine.stats().unwrap().octets <= LARGEST, "{tier:?} {size}");
            let all = SyncScope::only([host.inbox()]).with_bodies(BodyPolicy::All);
            host.drop_connection();
            server.behave();
            host.try_sync(all).unwrap();
            let bodies = host.snapshot().mailbox("INBOX").messages.iter().filter(|m| m.raw.is_some()).count();
            assert_eq!(bodies, 5, "{tier:?} {size}");
        }
    }
}

#[test]
fn note_55_an_oversize_refusal_is_told_in_short() {
    let text = "y".repeat(500_000);
    let server = server::<ModelServer>(Tier::Everything);
    server.change().mailbox("Lists").selectable = true;
    server.quirk(move |command, line| {
        if command == "EXAMINE" && is_tagged(&line) {
            return quirks::replace(line, "OK [READ-ONLY] opened", &format!("NO {text}"));
        }
        line
    });
    let mut host = Host::new(&server);
    let _ = host.try_sync(SyncScope::account());
    let problems = host.take_problems();
    assert!(!problems.is_empty());
    assert!(problems.iter().all(|p| p.len() <= 2_000));
}

#[test]
fn note_67_an_answer_with_less_than_was_asked() {
    for tier in Tier::ALL {
        for what in ["BODY[] {", "BODY[HEADER.FIELDS", "INTERNALDATE"] {
            let server = server::<ModelServer>(tier);
            let mut left = 2;
            server.quirk(move |_, line| {
                if left > 0 && has(&line, what) {
                    left -= 1;
                    return Vec::new();
                }
                line
            });
            let mut host = Host::new(&server);
            host.label = format!("{tier:?}, {what}");
            host.sync_all();
            host.assert_in_step();
        }
    }
}

#[test]
fn note_67_nil_is_never_stored_as_mail() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.quirk(|_, line| quirks::nil_body(line));
        let mut host = Host::new(&server);
        host.sync_all();
        let here = host.snapshot();
        for message in here.mailboxes.iter().flat_map(|m| &m.messages) {
            assert_eq!(message.raw, None, "{tier:?}");
        }
        let asked = server.take_log().iter().filter(|c| c.contains("BODY.PEEK[]")).count();
        assert!(asked <= 20, "{tier:?}: asked {asked} times");
        // The server recovers, and so does what is here.
        server.behave();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_67_expunged_while_being_fetched() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let far = server.clone();
        let mut once = true;
        server.quirk(move |command, line| {
            // Asked for by number or UID, and gone before it is sent: OK with less.
            let theirs = command.ends_with("FETCH") && has(&line, "UID 3 ") && has(&line, "BODY[] {");
            if theirs && std::mem::take(&mut once) {
                far.expunge("INBOX", &[3]);
                return Vec::new();
            }
            line
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.sync_all();
        host.assert_in_step();
        assert_eq!(host.snapshot().mailbox("INBOX").uids(), [1, 2, 4, 5], "{tier:?}");
    }
}

#[test]
fn note_69_flags_are_scanned_without_mod_sequences() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.quirk(|_, line| {
            if line.starts_with(b"* OK [HIGHESTMODSEQ") {
                return b"* OK [NOMODSEQ] none are kept\r\n".to_vec();
            }
            let Some(at) = quirks::find(&line, b" HIGHESTMODSEQ ").filter(|_| line.starts_with(b"* STATUS"))
            else {
                return line;
            };
            let len = line[at + 15..].iter().take_while(|b| b.is_ascii_digit()).count() + 15;
            [&line[..at], b" HIGHESTMODSEQ 0".as_slice(), &line[at + len..]].concat()
        });
        let mut host = settled(&server, Host::new(&server));
        for keep in [true, false] {
            if !keep {
                host.drop_connection();
            }
            // Nothing that STATUS counts changes.
            let flags: &[&str] = if keep { &["\\Flagged"] } else { &["\\Answered", "later"] };
            for uid in 1..=3 {
                server.set_flags("INBOX", uid, flags);
            }
            let summary = host.sync_all();
            assert_eq!(summary.flags_changed, 3, "{tier:?}, connection kept: {keep}");
            host.assert_in_step();
        }
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

#[test]
fn note_70_lost_index_files_cost_no_body() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<ModelServer>(tier);
        let before = host.snapshot();
        host.drop_connection();
        server.rewind_modseq("INBOX");
        server.set_flags("INBOX", 2, &["\\Flagged"]);
        host.sync_all();
        host.assert_in_step();
        assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&before, "INBOX"), "{tier:?}");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
        assert!(host.take_new_mail().is_empty(), "{tier:?}");
    }
}

#[test]
fn note_70_a_restored_snapshot_costs_only_what_is_other() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let saved = server.save("INBOX");
        server.deliver("INBOX", mail(70));
        server.deliver("INBOX", mail(71));
        let mut host = settled(&server, Host::new(&server));
        let before = host.snapshot();
        host.drop_connection();
        server.restore(saved);
        let other = Mail::new(72).text("Something else altogether\r\n").build();
        server.deliver("INBOX", other.clone());
        host.sync_all();
        host.assert_in_step();
        assert_eq!(ids(&host.snapshot(), "INBOX")[..5], ids(&before, "INBOX")[..5], "{tier:?}");
        assert_eq!(server.take_body_octets(), other.len() as u64, "{tier:?}");
    }
}

#[test]
fn note_70_the_audit_meets_flags_under_equal_numbers() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<ModelServer>(tier);
        host.drop_connection();
        // The mod-sequence goes back, and on to where it was, while nobody looks.
        let highest = server.save("INBOX").modseq;
        server.rewind_modseq("INBOX");
        while server.save("INBOX").modseq < highest {
            server.set_flags("INBOX", 2, &["\\Flagged", "later"]);
        }
        host.now.wall_ms += 8 * 86_400_000;
        host.sync_all();
        host.assert_in_step();
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

#[test]
fn note_70_the_audit_meets_another_message_under_the_same_uid() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<ModelServer>(tier);
        host.drop_connection();
        // A restored snapshot: every number is equal, and one message is another.
        let mut other = server.save("INBOX");
        other.held[4].raw = std::rc::Rc::new(Mail::new(73).text("Not what it was.\r\n").build());
        other.held[4].email_id += 10_000;
        server.restore(other);
        host.now.wall_ms += 8 * 86_400_000;
        host.sync_all();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
    }
}

/// A peer that is told what to say, for what a model does not do.
struct Says(Vec<u8>);

impl Peer for Says {
    fn receive(&mut self, _: &[u8]) {}

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn is_closed(&self) -> bool {
        false
    }
}

#[test]
fn note_46_a_greeting_that_is_none_signs_nobody_in() {
    for greeting in ["* 0 EXISTS\r\n", "* VANISHED 0\r\n", "x OK signed in\r\n"] {
        let mut host = Host::with_peers(move || Box::new(Says(greeting.into())));
        let result = host.try_sync(SyncScope::account());
        assert!(result.is_err(), "{greeting}");
        assert!(matches!(host.closed(), Some(Some(Error::Protocol(_)))), "{:?}", host.closed());
        assert!(!host.events.iter().any(|e| matches!(e, Event::NeedCredentials { .. })), "{greeting}");
    }
}
