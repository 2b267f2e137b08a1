"""A store's life: errors, closing, sleeping, copies, leaks."""

import fcntl
import gc
import os
import subprocess
import sys
import tempfile

import mailkeep
from case_running import Runner
from harness import case, equal, mailbox, raises


@case("errors")
def errors(world):
    def is_error(error, code, fault):
        equal((error.code, error.fault), (code, fault))
        assert str(error) and str(error) == error.text

    store_fault, caller, server = mailkeep.Fault.STORE, mailkeep.Fault.CALLER, mailkeep.Fault.SERVER
    path = world.path()
    user = world.server.user()
    with mailkeep.Mailkeep.open(path) as store:
        is_error(raises(mailkeep.Locked, lambda: mailkeep.Mailkeep.open(path)), 105, store_fault)
        other = subprocess.run(
            [sys.executable, "-c", "import mailkeep, sys\ntry: mailkeep.Mailkeep.open(sys.argv[1])\nexcept mailkeep.Locked as e: print(e.code)", path],
            capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        equal(other.stdout.strip(), "105", other.stderr)
        foreign = world.path()
        foreign.write_bytes(b"not a database " * 1_000)
        is_error(raises(mailkeep.NotADatabase, lambda: mailkeep.Mailkeep.open(foreign)), 102, store_fault)
        equal(foreign.read_bytes(), b"not a database " * 1_000)
        is_error(raises(mailkeep.Storage, lambda: mailkeep.Mailkeep.open(world.folder / "no" / "such")), 100, store_fault)

        account = world.imap(store, user)
        is_error(raises(mailkeep.Gone, lambda: store.message(77)), 200, caller)
        is_error(raises(mailkeep.Gone, lambda: store.mailbox(-1)), 200, caller)
        is_error(raises(mailkeep.Gone, lambda: store.mailbox(1 << 40)), 200, caller)
        is_error(raises(mailkeep.Invalid, lambda: world.imap(store, user)), 202, caller)
        is_error(raises(mailkeep.Invalid, lambda: world.imap(store, "other", port=70_000)), 202, caller)
        is_error(raises(mailkeep.Misuse, lambda: store.finish_conversion(account, mailkeep.LeftoverAction.FORGET())), 201, caller)
        local = store.create_mailbox(account, "Local", local=True)
        note = store.append(local, b"Subject: x\r\n\r\nx\r\n")
        is_error(raises(mailkeep.Invalid, lambda: store.set_flags([note], set=["no keyword"])), 202, caller)
        is_error(raises(mailkeep.Invalid, lambda: store.replace_flags([note], ["(bad"])), 202, caller)
        is_error(raises(mailkeep.Invalid, lambda: store.append(local, b"")), 202, caller)

        wrong = world.connect(store, account, password="wrong")
        is_error(raises(mailkeep.LoginRefused, wrong.sync_now), 301, server)
        declined = store.connect(account, credentials=lambda mechanisms: None, ca_file=world.server.ca)
        is_error(raises(mailkeep.LoginImpossible, declined.sync_now), 302, server)
        cut = world.connect(store, account)
        cut.sync()
        is_error(raises(mailkeep.Disconnected, lambda: cut.run(_Ended())), 304, server)
        gave_up = world.connect(store, account)
        gave_up.close()
        is_error(raises(mailkeep.Closed, gave_up.sync), 107, store_fault)
        error = raises(mailkeep.Invalid, lambda: store.engine.connect(account, mailkeep.ConnectionOptions(seed=b"short", secure=True, host_commits=False, timeout_ms=1, idle_reissue_ms=1, poll_ms=1)))
        is_error(error, 202, caller)

        store.suspend()
        is_error(raises(mailkeep.Suspended, store.accounts), 106, store_fault)
        store.resume()
    is_error(raises(mailkeep.Closed, store.accounts), 107, store_fault)


def _Ended():
    """A socket whose other end is closed."""
    import socket

    mine, theirs = socket.socketpair()
    theirs.close()
    return mine


@case("closed-while-busy")
def closed_while_busy(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 800, 40, 10_000)
    path = world.path()
    store = mailkeep.Mailkeep.open(path)
    account = world.imap(store, user)
    connection = world.connect(store, account)
    connection.sync()
    runner = Runner(connection)
    runner.wait(lambda event: event.is_PROGRESS() and event.done > 20)
    store.close()
    runner.finish()
    assert isinstance(runner.error, mailkeep.Closed), runner.error
    with mailkeep.Mailkeep.open(path, create=False) as again:
        equal(again.verify().problems, [])
        world.sync(again, account)
        equal(again.stats().messages, 800)
        equal(again.verify().problems, [])


LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("free")
    except BlockingIOError:
        print("held")
"""


def lock_of(path):
    """What another process sees of a file's lock."""
    return subprocess.run([sys.executable, "-c", LOCK, path], capture_output=True, text=True, check=True).stdout.strip()


@case("suspend")
def suspend(world):
    path = world.path()
    assert fcntl is not None
    with mailkeep.Mailkeep.open(path) as store:
        account = world.imap(store, world.server.user())
        local = store.create_mailbox(account, "Local", local=True)
        note = store.append(local, b"Subject: kept\r\n\r\nx\r\n")
        equal(lock_of(path), "held")
        store.suspend()
        equal(lock_of(path), "free")
        equal(raises(mailkeep.Suspended, lambda: store.message(note)).code, 106)
        equal(raises(mailkeep.Suspended, lambda: store.append(local, b"x")).code, 106)
        store.resume()
        equal(lock_of(path), "held")
        equal(store.message(note).row.subject, "kept")
    equal(lock_of(path), "free")


@case("backup")
def backup(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 600, 41, 8_000)
    copy = world.path()
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        connection = world.connect(store, account)
        connection.sync()
        connection.logout()
        runner = Runner(connection)
        runner.wait(lambda event: event.is_PROGRESS() and event.done > 20)
        store.backup_to(copy)
        busy = runner.thread.is_alive()
        runner.finish()
        equal(runner.error, None)
        assert busy, "the sync was over before the copy was made"
        equal(store.stats().messages, 600)
        equal(raises(mailkeep.NotADatabase, lambda: store.backup_to(copy)).code, 102)
        with mailkeep.Mailkeep.open(copy, create=False) as other:
            assert other.incarnation != store.incarnation
            equal(other.verify().problems, [])
            assert 0 < other.stats().messages <= 600
            world.sync(other, account)
            equal(other.stats().messages, 600)
            equal(len(list(other.rows(mailbox(other, account, "INBOX").id))), 600)


@case("handles")
def handles(world):
    # In memory where there is such a place: it is not the disk that is tried here.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else world.folder
    with tempfile.TemporaryDirectory(prefix="mailkeep-", dir=place) as folder:
        open_often(world, world.server.user(), os.path.join(folder, "mail.redb"))


def open_often(world, user, path):
    with mailkeep.Mailkeep.open(path) as store:
        account = world.imap(store, user)
        local = store.create_mailbox(account, "Local", local=True)
        store.append(local, b"Subject: x\r\n\r\nx\r\n")
    after_warming = 0
    for turn in range(10_000):
        store = mailkeep.Mailkeep.open(path, create=False)
        if turn % 10 == 0:
            store.page(local)
            connection = world.connect(store, account)
            connection.sync()
            connection.step()
            connection.close()
            del connection
        store.close()
        del store
        if turn in (999, 9_999):
            gc.collect()
            grown = resident() - after_warming
            after_warming = resident()
    print(f"10,000 times opened and closed: {grown >> 10} KB more after the first 1,000")
    assert grown < 5 << 20, f"the process grew by {grown / (1 << 20):.1f} MB"
    assert len(os.listdir("/proc/self/fd")) < 60, os.listdir("/proc/self/fd")


def resident():
    """Octets of memory in use."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
