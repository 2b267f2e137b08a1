"""The run loop: cancelling, watching, several connections, limits, threads of commits, STARTTLS."""

import socket
import threading
import time

import mailkeep
from harness import case, equal, mailbox, ordered, raises, seen


class Runner:
    """Runs a connection on a thread of its own, and keeps its events."""

    def __init__(self, connection, **how):
        self.connection = connection
        self.events = []
        self.moments = []
        self.error = None
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self._run, kwargs=how)
        self.thread.start()

    def _run(self, **how):
        try:
            self.connection.run(on_event=self._told, **how)
        except Exception as error:
            self.error = error
        with self.news:
            self.news.notify_all()

    def _told(self, event):
        with self.news:
            self.events.append(event)
            self.moments.append(time.monotonic())
            self.news.notify_all()

    def wait(self, wanted, seconds=20):
        """The first event that is wanted, and when it came."""
        with self.news:
            found = lambda: next((at for at, event in enumerate(self.events) if wanted(event)), None)
            ended = lambda: found() is not None or not self.thread.is_alive() or self.error is not None
            assert self.news.wait_for(ended, seconds) and found() is not None, f"not told: {self.events} {self.error}"
            return self.events[found()], self.moments[found()]

    def finish(self, seconds=20):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the loop does not end"


@case("cancel")
def cancel(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 1_500, 12, 20_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        connection = world.connect(store, account)
        request = connection.sync()
        runner = Runner(connection)
        runner.wait(lambda event: event.is_PROGRESS() and event.done > 50)
        asked = time.monotonic()
        connection.cancel(request)
        took = time.monotonic() - asked
        assert took < 0.1, f"cancel() itself waited {took:.3f} s"
        done, moment = runner.wait(lambda event: event.is_DONE() and event.request == request)
        assert isinstance(done.error, mailkeep.Cancelled), done
        # A checkpoint is a commit or the end of what the server was asked for. A busy machine needs room.
        assert moment - asked < 10.0, f"{moment - asked:.3f} s until the request ended"
        here = store.stats().messages
        assert 50 <= here < 1_500, f"{here} messages were here when it was cancelled"
        connection.logout()
        runner.finish()
        equal(runner.error, None)
        world.sync(store, account)
        equal(store.stats().messages, 1_500)
        equal(store.verify().problems, [])


@case("two-connections")
def two_connections(world):
    users = [world.server.user(), world.server.user()]
    for seed, user in enumerate(users):
        world.server.ask("fill", user, "INBOX", 300, 20 + seed, 6_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        accounts = [world.imap(store, user) for user in users]
        idle = world.imap(store, world.server.user())
        place = store.create_mailbox(idle, "Notes", local=True)
        note = store.append(place, b"Subject: a note\r\n\r\nx\r\n")
        runners = []
        for account in accounts:
            connection = world.connect(store, account)
            connection.sync()
            connection.logout()
            runners.append(Runner(connection))
        longest = count = 0
        while any(runner.thread.is_alive() for runner in runners):
            started = time.monotonic()
            store.set_flags([note], **({"set": ["\\Seen"]} if count % 2 else {"clear": ["\\Seen"]}))
            longest = max(longest, time.monotonic() - started)
            count += 1
            time.sleep(0.005)
        for runner in runners:
            runner.finish()
            equal(runner.error, None)
        for user, account in zip(users, accounts):
            equal(seen(store, account), ordered(world.server.ask("imap", user, "secret")))
        assert count > 10 and longest < 5.0, f"{count} flags set, the slowest in {longest:.3f} s"
        equal(store.verify().problems, [])


@case("watch")
def watch(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 3, 30, 1_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        world.sync(store, account)
        store.acknowledge_new_mail(store.new_mail())
        inbox = mailbox(store, account, "INBOX").id
        connection = world.connect(store, account)
        synced = connection.sync()
        connection.watch([inbox])
        runner = Runner(connection)
        runner.wait(lambda event: event.is_DONE() and event.request == synced)
        time.sleep(0.3)
        raw = b"From: a@example.org\r\nSubject: just now\r\n\r\nhello\r\n"
        world.server.deliver(user, "INBOX", raw)
        told, _ = runner.wait(lambda event: event.is_NEW_MAIL())
        equal(told.mailbox, inbox)
        equal(store.message(told.message).row.subject, "just now")
        equal(store.new_mail(), [told.message])
        store.acknowledge_new_mail([told.message])
        equal(store.new_mail(), [])
        connection.stop_watching()
        connection.logout()
        runner.finish()
        equal(runner.error, None)
        equal(sum(event.is_NEW_MAIL() for event in runner.events), 1)
        world.sync(store, account)
        equal(store.new_mail(), [])


@case("wake")
def wake(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 3, 31, 1_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        world.sync(store, account)
        inbox = mailbox(store, account, "INBOX").id
        connection = world.connect(store, account)
        synced = connection.sync()
        connection.watch([inbox])
        runner = Runner(connection)
        runner.wait(lambda event: event.is_DONE() and event.request == synced)
        time.sleep(0.3)
        row = next(store.rows(inbox))
        store.set_flags([row.id], set=["woken"])
        deadline = time.monotonic() + 10
        while store.pending() and time.monotonic() < deadline:
            time.sleep(0.02)
        equal(store.pending(), [], "the watching connection told the server")
        there = world.server.ask("imap", user, "secret")
        equal([found["uid"] for found in there if "woken" in found["flags"]], [row.uid])
        connection.logout()
        runner.finish()
        equal(runner.error, None)


@case("commit-thread")
def commit_thread(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 400, 33, 20_000)
    with mailkeep.Mailkeep.open(world.path(), small=True) as store:
        account = world.imap(store, user)
        with world.connect(store, account, commit_thread=True) as connection:
            assert connection.inner.has_host_commits()
            equal(connection.sync_now().messages_added, 400)
        equal(seen(store, account), ordered(world.server.ask("imap", user, "secret")))
        equal(store.verify().problems, [])


@case("work-limit")
def work_limit(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 40, 34, 20_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        connection = world.connect(store, account)
        takes = []
        step = connection.step

        def noted(octets=b"", limit=0):
            taken = step(octets, limit)
            takes.append(taken.consumed)
            return taken

        connection.step = noted
        connection.sync()
        connection.logout()
        connection.run(limit=2_000)
        equal(store.stats().messages, 40)
        assert max(takes) <= 2_000 + 16_384, f"{max(takes)} octets in one step"
        assert sum(takes) > 700_000 and len(takes) > 150, (sum(takes), len(takes), max(takes))
        equal(store.verify().problems, [])


@case("starttls")
def starttls(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 5, 35, 1_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user, security=mailkeep.Security.START_TLS, port=world.server.imap)
        connection = world.connect(store, account)
        connection.sync()
        connection.logout()
        connection.run(tls=world.tls())
        equal(store.stats().messages, 5)

        # The same port, held to be encrypted by the account and not so by the host: nothing is said of the password.
        settings = store.account(account).settings
        settings.security = mailkeep.Security.TLS
        store.update_account(account, settings)
        connection = world.connect(store, account, secure=False)
        connection.sync()
        said = []
        plain = Recording(socket.create_connection(("localhost", world.server.imap)), said)
        error = raises(mailkeep.MailkeepError, lambda: connection.run(plain))
        equal(error.code, 302)
        assert b"secret" not in b"".join(said) and b"LOGIN" not in b"".join(said).upper()


class Recording:
    """A socket that keeps what is sent."""

    def __init__(self, sock, said):
        self.sock, self.said = sock, said

    def send(self, octets):
        sent = self.sock.send(octets)
        self.said.append(bytes(octets[:sent]))
        return sent

    def sendall(self, octets):
        self.said.append(bytes(octets))
        return self.sock.sendall(octets)

    def __getattr__(self, name):
        return getattr(self.sock, name)
