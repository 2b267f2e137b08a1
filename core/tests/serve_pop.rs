//! The project's POP3 client and its POP3 server, over a pipe in memory.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use mailkeep::flags::FlagSet;
use mailkeep::sasl::Secret;
use mailkeep::sasl::server::Verifier;
use mailkeep::serve::backend::{Appended, Backend, SharedSecrets, Users};
use mailkeep::serve::memory::{MemoryMail, MemoryUsers};
use mailkeep::serve::{PopSession, Session, SessionEvent, SessionOptions};
use mailkeep::wire::text_size;
use mailkeep::{
    AccountSettings, CommitMode, Error, Event, Keep, MailboxId, MemoryStorage, Now, Security, SyncScope,
    WorkLimit,
};
use support::pop_model::{bodies, rows, sync, try_sync};
use support::{Host, Mail, Peer, mail};

/// A server session at the other end of the pipe.
struct Server<U: Users> {
    session: PopSession<U>,
    inbox: Vec<u8>,
    out: Vec<u8>,
    clock: AtomicU64,
}

impl<U: Users> Server<U> {
    fn new(users: U, options: SessionOptions) -> Server<U> {
        let session = PopSession::new(users, options);
        let mut server = Server { session, inbox: Vec::new(), out: Vec::new(), clock: AtomicU64::new(1) };
        server.drain();
        server
    }

    fn now(&self) -> Now {
        Now::new(self.clock.fetch_add(1, Ordering::Relaxed), 1_768_867_200_000)
    }

    fn drain(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            self.out.extend_from_slice(&bytes);
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Trouble { text } => panic!("{text}"),
                SessionEvent::StartTls => {
                    self.session.handle_tls_started(self.now(), None).expect("it was asked for");
                }
                _ => {}
            }
        }
    }

    fn feed(&mut self) {
        while !self.session.is_closed() {
            let progress = self.session.handle_input(self.now(), &self.inbox).expect("it was drained");
            self.drain();
            self.inbox.drain(..progress.consumed);
            if !progress.more {
                return;
            }
        }
    }
}

impl<U: Users> Peer for Server<U> {
    fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.feed();
        // Answers that are held back come by the server's own clock; silence does not pass so.
        while let Some(due) = self.session.poll_timeout()
            && due < self.clock.load(Ordering::Relaxed) + 60_000
        {
            self.clock.store(due, Ordering::Relaxed);
            self.session.handle_timeout(self.now()).expect("it was drained");
            self.drain();
            self.feed();
        }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn is_closed(&self) -> bool {
        self.session.is_closed() && self.out.is_empty()
    }
}

/// Users whose passwords can be read.
#[derive(Clone)]
struct Readable(MemoryUsers);

impl Users for Readable {
    type Backend = MemoryMail;

    fn verifier(&self, user: &str) -> Option<Verifier> {
        self.0.verifier(user)
    }

    fn open(&self, user: &str) -> mailkeep::serve::backend::Result<MemoryMail> {
        self.0.open(user)
    }

    fn shared_secrets(&self) -> Option<&dyn SharedSecrets> {
        Some(self)
    }
}

impl SharedSecrets for Readable {
    fn secret(&self, user: &str) -> Option<Secret> {
        (user == "ann").then(|| Secret::new("secret"))
    }
}

struct World {
    users: MemoryUsers,
    mail: MemoryMail,
}

fn options() -> SessionOptions {
    SessionOptions::new([3; 32], [4; 32], true)
}

impl World {
    fn new(count: u32) -> World {
        let users = MemoryUsers::default();
        let store = users.add("ann", Verifier::new("secret", [9; 16], 4_096).expect("a password"));
        let world = World { users, mail: store };
        (1..=count).for_each(|number| world.put(mail(number)));
        world
    }

    fn host(&self, keep: Keep) -> Host {
        self.host_of(self.users.clone(), options(), |settings| settings.keep = keep)
    }

    fn host_of<U: Users + Clone + 'static>(
        &self,
        users: U,
        options: SessionOptions,
        set: impl FnOnce(&mut AccountSettings),
    ) -> Host {
        let engine = support::host::open(MemoryStorage::new()).expect("memory opens");
        let mut settings = AccountSettings::pop3("pop", "pop.example.org", "ann");
        set(&mut settings);
        engine.add_account(settings).expect("the account");
        Host::with_engine_and_peers(engine, move || Box::new(Server::new(users.clone(), options.clone())))
    }

    fn inbox(&self) -> MailboxId {
        let list = self.mail.mailboxes().expect("a list");
        list.into_iter()
            .find(|mailbox| mailbox.name == "INBOX")
            .and_then(|mailbox| mailbox.id)
            .expect("INBOX")
    }

    fn put(&self, raw: Vec<u8>) {
        let message = Appended { upload: raw, flags: FlagSet::default(), internal_date: 1_768_800_000_000 };
        self.mail.append(self.inbox(), vec![message], None).expect("there is room");
    }

    /// The messages on the server as POP3 hands them out, sorted.
    fn texts(&self) -> Vec<Vec<u8>> {
        let rows = self.mail.rows(self.inbox(), 1, usize::MAX).expect("rows");
        let mut texts: Vec<Vec<u8>> = rows
            .iter()
            .map(|row| {
                let content = self.mail.content(self.inbox(), row.uid).expect("works").expect("it is there");
                let raw = self.mail.read(&content, 0..u64::MAX).expect("works");
                let text = as_lines(&raw);
                assert_eq!(text.len() as u64, text_size(&raw));
                text
            })
            .collect();
        texts.sort();
        texts
    }
}

/// A text with its lines ended in CRLF.
fn as_lines(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &octet in raw {
        if octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(octet);
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[test]
fn a_first_sync_brings_everything_and_a_second_moves_nothing() {
    let world = World::new(30);
    world.put(Mail::new(31).attachment(300_000).build());
    let mut host = world.host(Keep::Forever);
    assert_eq!(sync(&mut host).messages_added, 31);
    assert_eq!(bodies(&host), world.texts());
    let before = host.engine.stats().unwrap();
    let summary = sync(&mut host);
    assert_eq!(summary.messages_added, 0);
    assert!(summary.bytes_received < 3_000, "{summary:?}");
    // CAPA, SCRAM's three, and one flight behind the greeting.
    assert_eq!(summary.round_trips, 6);
    assert_eq!(host.engine.stats().unwrap(), before, "nothing was written");
    world.put(mail(32));
    assert_eq!(sync(&mut host).messages_added, 1);
    assert_eq!(bodies(&host), world.texts());
    assert_eq!(host.take_new_mail().len(), 1);
}

#[test]
fn texts_of_every_kind_come_across() {
    let world = World::new(0);
    for text in [
        &b"Subject: bare\n\n.\n..\nline\n"[..],
        b"Subject: no end\r\n\r\n.",
        b"Subject: mixed\r\n\r\na\n.b\r\n\r\n.\r\n",
        b"Subject: binary\r\n\r\n\0\xff\x80\r.\r\n\r\r\n",
        b"\r\n.\r\n",
        b"Subject: gr\xc3\xbcn\r\n\r\nx\r\n",
    ] {
        world.put(text.to_vec());
    }
    for chunk in [usize::MAX, 1, 7] {
        for commits in [CommitMode::Inline, CommitMode::Host] {
            let mut host = world.host(Keep::Forever).knobs(|k| {
                (k.chunk, k.commits, k.commit_delay) = (chunk, commits, 2);
                k.limit = WorkLimit { bytes: 900, responses: 3 };
            });
            sync(&mut host);
            assert_eq!(bodies(&host), world.texts(), "in pieces of {chunk}");
            assert_eq!(sync(&mut host).messages_added, 0);
        }
    }
}

#[test]
fn what_is_here_is_deleted_there_and_only_by_quit() {
    let world = World::new(6);
    let all = world.texts();
    let mut host = world.host(Keep::Delete);
    sync(&mut host);
    assert_eq!(bodies(&host), all);
    assert_eq!(world.texts(), Vec::<Vec<u8>>::new());
    world.put(mail(7));
    assert_eq!(sync(&mut host).messages_added, 1);
    assert_eq!(rows(&host).len(), 7);
    assert!(world.texts().is_empty());
}

#[test]
fn wherever_it_breaks_nothing_is_lost_and_nothing_comes_twice() {
    let whole = {
        let mut host = World::new(4).host(Keep::Delete);
        host.sync_all();
        host.received[0]
    };
    // Every octet of the sign-in and of the end, and some between.
    let cuts = (1..900).step_by(7).chain((900..whole.saturating_sub(400)).step_by(97));
    for cut in cuts.chain(whole.saturating_sub(400)..=whole) {
        let world = World::new(4);
        let all = world.texts();
        let mut host = world.host(Keep::Delete).knobs(|k| k.cuts = vec![cut]);
        let request = host.connect().sync(SyncScope::account());
        let result = host.run_request(request);
        host.quiesce();
        let asked = host.transcript.windows(9).any(|said| said == b"C: QUIT\r\n");
        assert!(asked || world.texts() == all, "cut at {cut}: nobody said QUIT");
        assert!(result.is_ok() || host.was_cut, "cut at {cut}: {result:?}");
        host.drop_connection();
        sync(&mut host);
        assert_eq!(bodies(&host), all, "cut at {cut}");
        assert!(world.texts().is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_maildrop_in_use_is_waited_for() {
    let world = World::new(2);
    let mut host = world.host(Keep::Forever);
    let taken = world.mail.lock_maildrop().expect("it is free");
    assert!(matches!(host.try_sync(SyncScope::account()), Err(Error::TryLater { after_ms: 300_000, .. })));
    assert!(host.take_problems().iter().any(|problem| problem.contains("another session")));
    drop(taken);
    host.drop_connection();
    sync(&mut host);
    assert_eq!(rows(&host).len(), 2);
    // A second device, while the first stays connected.
    let request = host.connect().sync(SyncScope::account());
    host.run_request(request).unwrap();
    let mut second = world.host(Keep::Forever);
    assert!(matches!(second.try_sync(SyncScope::account()), Err(Error::TryLater { .. })));
    host.drop_connection();
    second.drop_connection();
    sync(&mut second);
    assert_eq!(rows(&second).len(), 2);
}

#[test]
fn every_way_of_signing_in() {
    let world = World::new(3);
    for mechanism in
        [None, Some("USER"), Some("PLAIN"), Some("LOGIN"), Some("SCRAM-SHA-1"), Some("SCRAM-SHA-256")]
    {
        let options = SessionOptions { offers_pop_utf8: mechanism == Some("USER"), ..options() };
        let mut host =
            world.host_of(world.users.clone(), options, |s| s.mechanism = mechanism.map(Into::into));
        sync(&mut host);
        assert_eq!(bodies(&host), world.texts(), "{mechanism:?}");
    }
    // APOP, on a connection without encryption.
    let clear = SessionOptions { secure: false, ..options() };
    let mut host = world.host_of(Readable(world.users.clone()), clear.clone(), |s| {
        (s.mechanism, s.security) = (Some("APOP".into()), Security::Insecure);
    });
    host.knobs.secure = false;
    sync(&mut host);
    assert_eq!(bodies(&host), world.texts());
    // Without a secret that can be read there is none.
    let mut host = world.host_of(world.users.clone(), clear, |s| {
        (s.mechanism, s.security) = (Some("APOP".into()), Security::Insecure);
    });
    host.knobs.secure = false;
    assert!(try_sync(&mut host).is_err());
    assert!(matches!(host.closed(), Some(Some(Error::LoginImpossible(_)))), "{:?}", host.closed());
}

#[test]
fn a_wrong_password_is_told_as_one() {
    let world = World::new(1);
    for mechanism in ["USER", "PLAIN", "SCRAM-SHA-256"] {
        let mut host =
            world.host_of(world.users.clone(), options(), |s| s.mechanism = Some(mechanism.into()));
        host.knobs.answer_credentials = false;
        let request = host.connect().sync(SyncScope::account());
        host.quiesce();
        let wrong = mailkeep::sasl::Credentials::Password {
            user: "ann".into(),
            authzid: None,
            password: Secret::new("secrets"),
        };
        host.connect().provide_credentials(wrong).unwrap();
        assert!(host.run_request(request).is_err());
        match host.closed() {
            Some(Some(Error::LoginRefused(why))) => {
                assert!(why.contains("wrong user name or password"), "{why}")
            }
            other => panic!("{mechanism}: {other:?}"),
        }
    }
}

#[test]
fn tls_begins_in_the_middle() {
    let world = World::new(3);
    let clear = SessionOptions { secure: false, offers_tls: true, ..options() };
    let mut host = world.host_of(world.users.clone(), clear, |s| s.security = Security::StartTls);
    host.knobs.secure = false;
    let request = host.connect().sync(SyncScope::account());
    host.quiesce();
    assert!(host.events.iter().any(|event| matches!(event, Event::StartTls)));
    let now = host.now;
    host.connect().handle_tls_started(now, None).unwrap();
    host.run_request(request).unwrap();
    assert_eq!(bodies(&host), world.texts());
}

#[test]
fn a_phone_over_pop_and_a_desktop_over_imap() {
    let world = World::new(8);
    let all = world.texts();
    let users = world.users.clone();
    let mut desktop = Host::with_peers(move || Box::new(Imap::new(&users)));
    desktop.sync_all();
    let mut phone = world.host(Keep::Forever);
    sync(&mut phone);
    assert_eq!(bodies(&phone), all);
    // What was fetched over POP3 is as unread as before.
    desktop.sync_all();
    assert_eq!(desktop.engine.mailbox(desktop.inbox()).unwrap().unseen, 8);
    // The phone deletes everything; the desktop sees it.
    let mut phone = phone.settings(|s| s.keep = Keep::Delete);
    sync(&mut phone);
    assert_eq!(bodies(&phone), all);
    world.put(mail(9));
    desktop.sync_all();
    let page = desktop.engine.messages(desktop.inbox(), None, 100).unwrap();
    assert_eq!(page.rows.iter().map(|row| row.uid).collect::<Vec<_>>(), [9]);
}

/// An IMAP session at the other end of the pipe.
struct Imap {
    session: Session<MemoryUsers>,
    inbox: Vec<u8>,
    out: Vec<u8>,
    clock: u64,
}

impl Imap {
    fn new(users: &MemoryUsers) -> Imap {
        let session = Session::new(users.clone(), options());
        let mut imap = Imap { session, inbox: Vec::new(), out: Vec::new(), clock: 1 };
        imap.drain();
        imap
    }

    fn drain(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            self.out.extend_from_slice(&bytes);
        }
        while self.session.poll_event().is_some() {}
    }
}

impl Peer for Imap {
    fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        while !self.session.is_closed() {
            self.clock += 1;
            let now = Now::new(self.clock, 1_768_867_200_000);
            let progress = self.session.handle_input(now, &self.inbox).expect("it was drained");
            self.drain();
            self.inbox.drain(..progress.consumed);
            if !progress.more {
                return;
            }
        }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn is_closed(&self) -> bool {
        self.session.is_closed() && self.out.is_empty()
    }
}
