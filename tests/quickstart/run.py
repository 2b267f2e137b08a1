#!/usr/bin/env python3
"""Runs the quick starts as they are written, as root: run.py MAIL-SERVER NAME PROGRAM [NAME PROGRAM]...

They sync imap.example.org and list what came. Here that name leads to a private Dovecot, on the port that mail clients expect and
with a certificate for it, whose authority is named in SSL_CERT_FILE. A PROGRAM is a command for sh, run in an empty folder.
The last line is "N passed, N failed".
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

HOST = "imap.example.org"
IMAPS = 993
MESSAGES = 7
PATIENCE = 120
"""Seconds."""


def main() -> int:
    server, *rest = sys.argv[1:]
    programs = list(zip(rest[::2], rest[1::2]))
    with subprocess.Popen([server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as dovecot:
        about = json.loads(dovecot.stdout.readline())
        # Signing in prepares the password … to three dots (RFC 4013).
        for command in ("user anna ...", f"fill anna INBOX {MESSAGES} 1 1000"):
            print(command, file=dovecot.stdin, flush=True)
            dovecot.stdout.readline()
        address = forward_to(about["imaps"])
        failures = [name for name, program in programs if not runs(name, program, address, about["ca"])]
        dovecot.stdin.close()
    print(f"{len(programs) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


def runs(name: str, program: str, address: str, authority: str) -> bool:
    """Runs one and says how that went: each message must be a line that begins with its UID."""
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("w", suffix=".hosts") as hosts:
        with open("/etc/hosts", encoding="utf-8") as real:
            hosts.write(f"{real.read()}\n{address} {HOST}\n")
        hosts.flush()
        # The name is known to this program only.
        inside = ["unshare", "--mount", "--propagation", "private", "sh", "-euc"]
        inside += ['mount --bind "$1" /etc/hosts; exec sh -euc "$2"', "sh", hosts.name, program]
        environment = {**os.environ, "SSL_CERT_FILE": authority}
        try:
            done = subprocess.run(inside, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, timeout=PATIENCE)
            said, status = done.stdout, f"status {done.returncode}"
        except subprocess.TimeoutExpired as late:
            said, status = (late.stdout or b"").decode(), f"not done after {PATIENCE} s"
    rows = len(re.findall(r"^ *[0-9]+ \S", said, re.MULTILINE))
    if status == "status 0" and rows == MESSAGES:
        print(f"quick start {name} ... ok", flush=True)
        return True
    print(f"{said}\nquick start {name} ... FAILED: {status}, {rows} rows of {MESSAGES}", flush=True)
    return False


def forward_to(port: int) -> str:
    """Listens where a mail server would, on a loopback address of its own, and carries all connections to `port`."""
    for last in range(2, 255):
        try:
            listener = socket.create_server((f"127.0.93.{last}", IMAPS))
            break
        except OSError as error:
            taken = error
    else:
        raise taken
    threading.Thread(target=accept, args=(listener, port), daemon=True).start()
    return listener.getsockname()[0]


def accept(listener: socket.socket, port: int) -> None:
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One end is gone: let the other see it.
        source.close()
        sink.close()


if __name__ == "__main__":
    sys.exit(main())
