"""What the two tools share: a connection, names and quoting. Python's standard library only."""

import base64
import imaplib
import os
import re

imaplib._MAXLINE = 100_000_000


def arguments(parser):
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-env", default="IMAP_PASSWORD", help="environment variable that holds the password")
    return parser.parse_args()


def connect(args):
    connection = imaplib.IMAP4(args.host, args.port)
    checked(connection.login(args.user, os.environ[args.password_env]), "LOGIN")
    return connection


def checked(answer, what):
    kind, data = answer
    if kind != "OK":
        raise SystemExit(f"{what}: {kind} {data}")
    return data


def quoted(name):
    """A mailbox name as an argument."""
    return '"' + encode_name(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def encode_name(name):
    """Modified UTF-7, RFC 3501 section 5.1.3."""
    out = []
    for plain, other in re.findall(r"([ -~]+)|([^ -~]+)", name):
        if plain:
            out.append(plain.replace("&", "&-"))
        else:
            text = base64.b64encode(other.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            out.append(f"&{text}-")
    return "".join(out)


def decode_name(name):
    def one(match):
        text = match.group(1)
        if not text:
            return "&"
        return base64.b64decode(text.replace(",", "/") + "=" * (-len(text) % 4)).decode("utf-16-be")

    return re.sub(r"&([^-]*)-", one, name)


def mailboxes(connection):
    """The names that can be selected."""
    names = []
    for item in checked(connection.list(), "LIST"):
        if item is None:
            continue
        head = item[0] if isinstance(item, tuple) else item
        match = re.match(rb'\(([^)]*)\) (?:NIL|"(?:[^"\\]|\\.)*") (.*)$', head, re.S)
        if not match:
            raise SystemExit(f"LIST answer not understood: {item!r}")
        attributes, name = match.groups()
        if isinstance(item, tuple):
            name = item[1]
        elif name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        if not {b"\\noselect", b"\\nonexistent"} & set(attributes.lower().split()):
            names.append(decode_name(name.decode()))
    return sorted(names)
