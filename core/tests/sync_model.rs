//! Syncing against a model server: what is here is what the server has, and no more was asked than needed.

mod support;

use mailkeep::{BodyPolicy, Error, MessageId, Role, SyncScope, Window};
use support::quirks;
use support::snapshot::assert_in_step_but_bodies;
use support::{FarSide, Host, Mail, ModelServer, Tier, mail};

both! {
    a_first_sync_brings_everything,
    nothing_changed_costs_next_to_nothing,
    every_change_by_another_client_arrives,
    new_mail_is_told_once,
    a_moved_message_keeps_its_id_and_is_not_fetched_again,
    a_copy_is_not_fetched_again,
    a_renamed_mailbox_keeps_its_id_and_its_mail,
    a_name_stays_for_what_is_below_it,
    note_06_a_new_uid_validity_downloads_no_body_again,
    without_bodies_there_are_headers_and_previews,
    the_newest_bodies_come,
    a_window_keeps_the_newest,
    a_window_of_days_keeps_those_received_since,
    a_large_message_streams_in,
}

/// INBOX with five messages, Sent with one, Lists with three.
fn server<S: FarSide>(tier: Tier) -> S {
    let server = S::new(tier);
    server.create_as("Sent", Some("\\Sent"));
    server.create("Lists");
    for n in 1..=4 {
        server.deliver("INBOX", mail(n));
    }
    server.deliver("INBOX", Mail::new(5).attachment(3_000).build());
    server.deliver_with("Sent", mail(20), &["\\Seen"], None);
    for n in 30..=32 {
        server.deliver_with("Lists", mail(n), &["\\Seen", "$Forwarded", "work"], None);
    }
    server
}

fn synced<S: FarSide>(tier: Tier) -> (S, Host) {
    let server = server::<S>(tier);
    let mut host = Host::new(&server);
    host.sync_all();
    host.assert_in_step();
    server.take_log();
    server.take_body_octets();
    host.take_new_mail();
    (server, host)
}

fn id_of(host: &Host, mailbox: &str, uid: u32) -> u64 {
    host.snapshot().mailbox(mailbox).uid(uid).id
}

fn a_first_sync_brings_everything<S: FarSide>() {
    for tier in Tier::ALL {
        let server = server::<S>(tier);
        let mut host = Host::new(&server);
        let summary = host.sync_all();
        assert_eq!(summary.messages_added, 9, "{tier:?}");
        host.assert_in_step();
        let here = host.snapshot();
        assert_eq!(here.mailbox("INBOX").role, Some(Role::Inbox));
        assert_eq!(here.mailbox("Sent").role, Some(Role::Sent));
        assert_eq!(here.mailbox("INBOX").uid(1).preview.as_deref(), Some("This is the text of message 1."));
        assert!(host.take_new_mail().is_empty(), "{tier:?}: nothing is new at first");
        assert_eq!(host.take_problems(), Vec::<String>::new(), "{tier:?}");
    }
}

fn nothing_changed_costs_next_to_nothing<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        host.drop_connection();
        let before = host.snapshot();
        let summary = host.sync_all();
        let log = server.take_log();
        assert_eq!((summary.messages_added, summary.messages_removed, summary.flags_changed), (0, 0, 0));
        assert_eq!(host.snapshot(), before, "{tier:?}");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
        let fetches = log.iter().filter(|c| c.contains("BODY")).count();
        assert_eq!(fetches, 0, "{tier:?}: {log:?}");
        match tier {
            Tier::Qresync | Tier::Everything => assert_eq!(summary.round_trips, 2, "{tier:?}: {log:?}"),
            Tier::Condstore => assert!(summary.round_trips <= 3, "{}: {log:?}", summary.round_trips),
            Tier::Bare => assert!(summary.round_trips <= 10, "{}: {log:?}", summary.round_trips),
        }
        // On the connection that is open already.
        let summary = host.sync_all();
        assert_eq!(server.take_body_octets(), 0);
        assert_eq!((summary.messages_added, summary.messages_removed, summary.flags_changed), (0, 0, 0));
        assert_eq!(host.snapshot(), before, "{tier:?}");
    }
}

/// What another client, or the server's keeper, does, and what it is called.
type Act<S> = (&'static str, fn(&S));

/// After each of these: in step again, whether the connection was kept or not.
fn arrive<S: FarSide>(acts: &[Act<S>]) {
    for tier in Tier::ALL {
        for (name, act) in acts {
            for keep in [false, true] {
                let (server, mut host) = synced::<S>(tier);
                if !keep {
                    host.drop_connection();
                }
                host.label = format!("{tier:?}, {name}, connection kept: {keep}");
                act(&server);
                // A server ends a connection whose mailbox is deleted or numbered anew under it.
                if let Err(error) = host.try_sync(SyncScope::account()) {
                    assert!(keep && matches!(error, Error::Disconnected(_)), "{name}: {error}");
                    host.sync_all();
                }
                host.assert_in_step();
                host.sync_all();
                host.assert_in_step();
            }
        }
    }
}

fn every_change_by_another_client_arrives<S: FarSide>() {
    let acts: &[Act<S>] = &[
        ("deliver", |s| {
            s.deliver("INBOX", mail(50));
        }),
        ("deliver elsewhere", |s| {
            s.deliver("Lists", mail(51));
        }),
        ("flags", |s| s.set_flags("INBOX", 2, &["\\Seen", "\\Flagged", "later"])),
        ("no flags", |s| s.set_flags("Lists", 1, &[])),
        ("expunge", |s| s.expunge("INBOX", &[3])),
        ("expunge the last", |s| s.expunge("INBOX", &[5])),
        ("expunge all", |s| s.expunge("INBOX", &[1, 2, 3, 4, 5])),
        ("expunge and deliver", |s| {
            s.expunge("INBOX", &[1, 5]);
            s.deliver("INBOX", mail(52));
            s.deliver("INBOX", mail(53));
        }),
        ("deliver and expunge it", |s| {
            let uid = s.deliver("INBOX", mail(54));
            s.expunge("INBOX", &[uid]);
        }),
        ("move", |s| {
            s.move_message("INBOX", 2, "Lists");
        }),
        ("copy", |s| {
            s.copy("INBOX", 2, "Lists");
        }),
        ("copy within", |s| {
            s.copy("INBOX", 2, "INBOX");
        }),
        ("leave and come back", |s| {
            let there = s.move_message("INBOX", 2, "Lists");
            s.move_message("Lists", there, "INBOX");
        }),
        ("create", |s| {
            s.create("New");
            s.deliver("New", mail(55));
        }),
        ("rename", |s| s.rename("Lists", "Groups")),
        ("delete", |s| s.delete("Lists")),
        ("delete and create", |s| {
            s.delete("Lists");
            s.create("Lists");
            s.deliver("Lists", mail(56));
        }),
        ("new UIDVALIDITY", |s| s.reset_uid_validity("INBOX")),
        ("everything at once", |s| {
            s.set_flags("INBOX", 1, &["\\Seen"]);
            s.move_message("INBOX", 3, "Sent");
            s.deliver("INBOX", mail(57));
            s.expunge("Lists", &[1, 3]);
            s.deliver("Lists", mail(58));
            s.create("More");
        }),
    ];
    arrive(acts);
}

#[test]
fn what_a_server_forgets_arrives() {
    arrive::<ModelServer>(&[
        ("mod-sequences lost", |s| s.rewind_modseq("INBOX")),
        ("mod-sequences lost, flags changed", |s| {
            s.rewind_modseq("INBOX");
            s.set_flags("INBOX", 1, &["\\Answered"]);
        }),
        ("expunges forgotten", |s| {
            s.expunge("INBOX", &[2]);
            s.forget_expunges("INBOX");
        }),
    ]);
}

#[test]
fn a_restored_snapshot_is_noticed() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let saved = server.save("INBOX");
        server.deliver("INBOX", mail(60));
        server.deliver("INBOX", mail(61));
        let mut host = Host::new(&server);
        host.sync_all();
        host.drop_connection();
        server.restore(saved);
        server.deliver("INBOX", mail(62));
        host.sync_all();
        host.assert_in_step();
    }
}

fn new_mail_is_told_once<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        server.deliver("INBOX", mail(70));
        server.deliver_with("INBOX", mail(71), &["\\Seen"], None);
        host.sync_all();
        let new = host.take_new_mail();
        assert_eq!(new.len(), 1, "{tier:?}: what was read elsewhere is not news");
        assert_eq!(new[0].0, id_of(&host, "INBOX", 6), "{tier:?}");
        assert_eq!(host.engine.new_mail(10).unwrap(), new);
        host.sync_all();
        host.drop_connection();
        host.sync_all();
        assert!(host.take_new_mail().is_empty(), "{tier:?}: told again");
        host.engine.acknowledge_new_mail(&new).unwrap();
        assert!(host.engine.new_mail(10).unwrap().is_empty());
    }
}

fn a_moved_message_keeps_its_id_and_is_not_fetched_again<S: FarSide>() {
    for tier in Tier::ALL {
        // Once to a mailbox that is synced later, once to one that is synced before.
        for (from, to) in [("INBOX", "Lists"), ("Lists", "INBOX")] {
            let (server, mut host) = synced::<S>(tier);
            host.drop_connection();
            let id = id_of(&host, from, 2);
            let uid = server.move_message(from, 2, to);
            host.sync_all();
            host.assert_in_step();
            assert_eq!(id_of(&host, to, uid), id, "{tier:?} {from} to {to}");
            assert_eq!(server.take_body_octets(), 0, "{tier:?} {from} to {to}");
            assert!(host.take_new_mail().is_empty(), "{tier:?}: a moved message is not new");
        }
    }
}

fn a_copy_is_not_fetched_again<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        let uid = server.copy("INBOX", 2, "Lists");
        host.sync_all();
        host.assert_in_step();
        assert_ne!(id_of(&host, "Lists", uid), id_of(&host, "INBOX", 2));
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

fn a_renamed_mailbox_keeps_its_id_and_its_mail<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        host.drop_connection();
        let before = host.snapshot();
        server.rename("Lists", "Groups");
        host.sync_all();
        host.assert_in_step();
        let after = host.snapshot();
        assert_eq!(after.mailbox("Groups").id, before.mailbox("Lists").id, "{tier:?}");
        assert_eq!(after.mailbox("Groups").messages, before.mailbox("Lists").messages, "{tier:?}");
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
    }
}

fn a_name_stays_for_what_is_below_it<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        host.drop_connection();
        server.create("Lists/a");
        server.deliver("Lists/a", mail(85));
        // The name was subscribed to, and goes on being so.
        server.try_delete("Lists").expect("deleted");
        host.sync_all();
        // Where a server can say `\NonExistent` of the name, it is nothing to show.
        let all = host.engine.mailboxes(host.account).unwrap();
        let name = all.iter().find(|m| m.name == "Lists");
        assert!(name.is_none_or(|lists| !lists.selectable && lists.total == 0), "{tier:?}: {name:?}");
        assert!(name.is_some() || tier.capabilities().contains("LIST-EXTENDED"), "{tier:?}: {all:?}");
        assert_eq!(host.snapshot().mailbox("Lists/a").uids(), [1], "{tier:?}");
    }
}

fn note_06_a_new_uid_validity_downloads_no_body_again<S: FarSide>() {
    for tier in Tier::ALL {
        let (server, mut host) = synced::<S>(tier);
        host.drop_connection();
        server.expunge("INBOX", &[1]);
        host.sync_all();
        host.drop_connection();
        let before = host.snapshot();
        server.take_body_octets();
        server.reset_uid_validity("INBOX");
        host.sync_all();
        host.assert_in_step();
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
        let after = host.snapshot();
        let ids =
            |s: &support::Snapshot| s.mailbox("INBOX").messages.iter().map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(ids(&after), ids(&before), "{tier:?}: messages keep their ids");
        assert!(host.take_new_mail().is_empty(), "{tier:?}: old mail is not new");
    }
}

fn without_bodies_there_are_headers_and_previews<S: FarSide>() {
    for tier in Tier::ALL {
        let server = server::<S>(tier);
        let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
        host.sync_all();
        assert_eq!(server.take_body_octets(), 0, "{tier:?}");
        assert_in_step_but_bodies(&host.engine, host.account, &server);
        let here = host.snapshot();
        for message in here.mailboxes.iter().flat_map(|m| &m.messages) {
            assert!(message.raw.is_none());
            assert!(
                message.preview.as_ref().is_some_and(|p| p.starts_with("This is the text")),
                "{message:?}"
            );
        }
        // Opened, one comes whole.
        let id = MessageId(here.mailbox("INBOX").uid(5).id);
        let request = host.connect().fetch(id);
        host.run_request(request).unwrap();
        let raw = host.engine.body(id, 0, u64::MAX).unwrap();
        assert_eq!(raw, Some(Mail::new(5).attachment(3_000).build()), "{tier:?}");
        assert_eq!(id_of(&host, "INBOX", 5), id.0, "{tier:?}: it is the same message");
    }
}

fn the_newest_bodies_come<S: FarSide>() {
    for tier in Tier::ALL {
        let server = server::<S>(tier);
        let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::Newest(2));
        host.sync_all();
        let whole = |host: &Host| -> Vec<u32> {
            let here = host.snapshot();
            here.mailbox("INBOX").messages.iter().filter(|m| m.raw.is_some()).map(|m| m.uid).collect()
        };
        assert_eq!(whole(&host), [4, 5], "{tier:?}");
        server.deliver("INBOX", mail(80));
        host.sync_all();
        assert_eq!(whole(&host), [4, 5, 6], "{tier:?}");
        assert_in_step_but_bodies(&host.engine, host.account, &server);
        // The same account, now with everything.
        let all = SyncScope::account().with_bodies(BodyPolicy::All);
        host.drop_connection();
        let inbox = host.inbox();
        host.try_sync(SyncScope::only([inbox]).with_bodies(BodyPolicy::All)).unwrap();
        assert_eq!(whole(&host).len(), 6, "{tier:?}");
        host.try_sync(all).unwrap();
    }
}

fn a_window_keeps_the_newest<S: FarSide>() {
    for tier in Tier::ALL {
        let server = server::<S>(tier);
        let mut host = Host::new(&server).settings(|s| s.window = Window::Newest(2));
        host.sync_all();
        assert!(host.snapshot().mailbox("INBOX").uids().ends_with(&[4, 5]), "{tier:?}");
        assert_eq!(host.snapshot().mailbox("Lists").uids(), [2, 3], "{tier:?}");
        host.sync_all();
        assert_eq!(host.snapshot().mailbox("Lists").uids(), [2, 3], "{tier:?}");
        server.deliver("Lists", mail(81));
        host.sync_all();
        assert!(host.snapshot().mailbox("Lists").uids().contains(&4), "{tier:?}");
    }
}

fn a_window_of_days_keeps_those_received_since<S: FarSide>() {
    for tier in Tier::ALL {
        let server = S::new(tier);
        server.create("Lists");
        let now = Host::new(&server).now.wall_ms;
        for days in [30, 20, 5, 1] {
            server.deliver_with("Lists", mail(days), &[], Some(now - i64::from(days) * 86_400_000));
        }
        let mut host = Host::new(&server).settings(|s| s.window = Window::LastDays(7));
        host.sync_all();
        assert_eq!(host.snapshot().mailbox("Lists").uids(), [3, 4], "{tier:?}");
        host.sync_all();
        assert_eq!(host.snapshot().mailbox("Lists").uids(), [3, 4], "{tier:?}");
        let problems = host.take_problems();
        assert!(problems.is_empty(), "{tier:?}: {problems:?}");
    }
}

#[test]
fn a_uid_behind_the_body_is_believed() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.quirk(quirks::uid_last);
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
    }
}

fn a_large_message_streams_in<S: FarSide>() {
    let server = S::new(Tier::Everything);
    let big = Mail::new(1).attachment(6 << 20).build();
    assert!(big.len() > 8 << 20);
    server.deliver("INBOX", big);
    server.deliver("INBOX", mail(2));
    let mut host = Host::new(&server).knobs(|k| k.chunk = 1 << 16);
    host.sync_all();
    host.assert_in_step();
    // Cut again and again, it goes on where it was.
    let mut host = Host::new(&server).knobs(|k| {
        k.chunk = 1 << 16;
        k.cut_every = Some(3 << 20);
    });
    host.sync_all();
    host.assert_in_step();
    assert!(host.received.len() <= 6, "{:?}", host.received);
}

/// A first sync, a change by another client and a second sync with a quirk on; the store is in step after each.
fn stands(tier: Tier, quirk: fn(&str, Vec<u8>) -> Vec<u8>) -> Host {
    let server = server::<ModelServer>(tier);
    server.quirk(quirk);
    let mut host = Host::new(&server);
    host.label = format!("{tier:?}, first");
    host.sync_all();
    host.assert_in_step();
    host.drop_connection();
    server.set_flags("INBOX", 2, &["\\Flagged"]);
    server.expunge("INBOX", &[4]);
    server.deliver("INBOX", Mail::new(90).attachment(2_000).build());
    host.label = format!("{tier:?}, second");
    host.sync_all();
    host.assert_in_step();
    host
}

#[test]
fn note_12_no_enabled_line() {
    for tier in Tier::ALL {
        let host = stands(tier, |_, line| if line.starts_with(b"* ENABLED") { Vec::new() } else { line });
        let resyncs = quirks::find(&host.transcript, b" (QRESYNC (").is_some();
        let offered = matches!(tier, Tier::Qresync | Tier::Everything);
        assert_eq!(resyncs, offered, "{tier:?}: it is enabled all the same");
    }
}

#[test]
fn note_13_sizes_that_lie() {
    for tier in Tier::ALL {
        stands(tier, |_, line| quirks::replace(line, "RFC822.SIZE 2", "RFC822.SIZE 92"));
    }
}

#[test]
fn note_15_no_uidnext_on_select() {
    for tier in Tier::ALL {
        stands(tier, |_, line| if line.starts_with(b"* OK [UIDNEXT") { Vec::new() } else { line });
    }
}

#[test]
fn note_17_a_mod_sequence_below_zero() {
    for tier in Tier::ALL {
        stands(tier, |_, line| match quirks::find(&line, b"MODSEQ (") {
            Some(_) => quirks::replace(line, "MODSEQ (", "MODSEQ (-"),
            None => line,
        });
    }
}

#[test]
fn note_19_a_structure_that_cannot_be_read() {
    for tier in Tier::ALL {
        let mut host =
            stands(tier, |_, line| quirks::replace(line, "BODYSTRUCTURE (", "BODYSTRUCTURE (NIL (("));
        assert!(!host.take_problems().is_empty());
    }
}

#[test]
fn note_11_unsolicited_lines_in_between() {
    for tier in Tier::ALL {
        stands(tier, |command, line| match command {
            "UID FETCH" | "FETCH" | "EXAMINE" => {
                let mut out = b"* OK still here\r\n* FLAGS (\\Seen)\r\n* X-NOISE (1 2)\r\n".to_vec();
                out.extend(line);
                out
            }
            _ => line,
        });
    }
}

#[test]
fn note_41_every_line_twice() {
    for tier in Tier::ALL {
        stands(tier, |command, line| match command {
            "UID FETCH" | "FETCH" if line.starts_with(b"*") => line.repeat(2),
            _ => line,
        });
    }
}

#[test]
fn note_67_a_body_that_is_nil_the_first_time() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let mut left = 3;
        server.quirk(move |_, line| {
            if left > 0 && quirks::find(&line, b"BODY[] {").is_some() {
                left -= 1;
                return quirks::nil_body(line);
            }
            line
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_67_a_fetch_that_ends_in_expunge_issued() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let far = server.clone();
        let mut once = true;
        server.quirk(move |command, line| {
            if command != "UID FETCH" || line.starts_with(b"*") || !once {
                return line;
            }
            once = false;
            far.expunge("INBOX", &[3]);
            quirks::replace(line, "OK fetched", "NO [EXPUNGEISSUED] some are gone")
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_02_vanished_that_contradicts_exists() {
    for tier in [Tier::Qresync, Tier::Everything] {
        let (server, mut host) = synced::<ModelServer>(tier);
        host.drop_connection();
        let before = host.snapshot();
        server.set_flags("INBOX", 1, &["\\Seen"]);
        server.quirk(|command, line| match command {
            "EXAMINE" if line.starts_with(b"* OK [HIGHESTMODSEQ") => {
                [line, b"* VANISHED (EARLIER) 1:26183\r\n".to_vec()].concat()
            }
            _ => line,
        });
        host.sync_all();
        host.assert_in_step();
        let after = host.snapshot();
        for message in &before.mailbox("INBOX").messages {
            assert_eq!(after.mailbox("INBOX").uid(message.uid).id, message.id);
        }
        assert_eq!(server.take_body_octets(), 0);
    }
}

#[test]
fn note_19_a_line_that_cannot_be_read_lends_its_body_to_no_other() {
    for tier in Tier::ALL {
        let server = ModelServer::new(tier);
        for n in 1..=3 {
            server.deliver("INBOX", Mail::new(n).text(&format!("{n} text\r\n").repeat(100)).build());
        }
        let mut once = true;
        server.quirk(move |_, line| {
            if quirks::find(&line, b"BODY[] {").is_some() && std::mem::take(&mut once) {
                return [&line[..line.len() - 3], b" ((\r\n".as_slice()].concat();
            }
            line
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
    }
}
