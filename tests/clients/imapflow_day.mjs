// A day of a program on imapflow: imapflow_day.mjs PORT CA, with the user in IMAP_USER and the password in IMAP_PASSWORD.
//
// INBOX holds twelve messages. Ends with an error at the first answer that is not what it must be.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ImapFlow } from "imapflow";

const [port, ca] = process.argv.slice(2);

function client() {
  return new ImapFlow({
    host: "localhost",
    port: Number(port),
    secure: false,
    doSTARTTLS: true,
    tls: { ca: readFileSync(ca) },
    auth: { user: process.env.IMAP_USER, pass: process.env.IMAP_PASSWORD },
    logger: false,
  });
}

const mine = client();
const other = client();
await mine.connect();
await other.connect();
assert.ok(mine.secureConnection && mine.capabilities.has("IDLE"));

// Mailboxes.
assert.equal((await mine.mailboxCreate(["Größe", "Æ & Ø"])).created, true);
assert.equal((await mine.mailboxCreate(["Größe", "Æ & Ø"])).created, false);
const renamed = await mine.mailboxRename("Größe/Æ & Ø", "Ablage");
assert.equal(renamed.newPath, "Ablage");
const names = (await mine.list()).map((mailbox) => mailbox.path);
assert.deepEqual(names.sort(), ["Ablage", "Größe", "INBOX"]);
await mine.mailboxDelete("Größe");
assert.deepEqual((await mine.status("INBOX", { messages: true, uidNext: true })).messages, 12);

// Reading.
const opened = await mine.mailboxOpen("INBOX");
assert.equal(opened.exists, 12);
const seen = [];
for await (const message of mine.fetch("1:*", { uid: true, flags: true, envelope: true, bodyStructure: true, size: true, source: true })) {
  assert.equal(message.size, message.source.length);
  assert.ok(message.envelope.messageId);
  seen.push(message.uid);
}
assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
const { content } = await mine.download("7", undefined, { uid: true });
let length = 0;
for await (const piece of content) length += piece.length;
assert.equal(length, (await mine.fetchOne("7", { size: true }, { uid: true })).size);

// Finding and flags.
const text = "Subject: =?utf-8?q?Z=C3=BCrich?=\r\nFrom: anna@b.example\r\n\r\nHello.\r\n";
const appended = await mine.append("INBOX", text, ["\\Flagged", "Reise"], new Date(1614834367000));
assert.equal(appended.uid, 13);
assert.deepEqual(await mine.search({ keyword: "Reise", flagged: true }, { uid: true }), [13]);
assert.deepEqual(await mine.search({ subject: "zürich" }, { uid: true }), [13]);
assert.equal(await mine.messageFlagsAdd("2:3", ["\\Seen", "Later"], { uid: true }), true);
assert.equal(await mine.messageFlagsRemove("3", ["Later"], { uid: true }), true);
assert.ok(!(await mine.fetchOne("3", { flags: true }, { uid: true })).flags.has("Later"));

// Idle, while another connection writes.
const told = new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error("nothing came while idle")), 30_000);
  mine.on("exists", (event) => {
    if (event.count === 14) {
      clearTimeout(timer);
      resolve();
    }
  });
});
const idling = mine.idle();
await other.append("INBOX", "Subject: new\r\n\r\nNew.\r\n");
await told;
assert.equal((await mine.fetchOne("*", { uid: true })).uid, 14);
await idling;

// Moving and deleting.
assert.equal((await mine.messageCopy("1", "Ablage", { uid: true })).uidMap.get(1), 1);
assert.equal((await mine.messageMove("13", "Ablage", { uid: true })).uidMap.get(13), 2);
assert.equal(await mine.messageDelete("5", { uid: true }), true);
await other.mailboxOpen("Ablage", { readOnly: true });
const moved = await other.fetchOne("2", { source: true, flags: true, internalDate: true }, { uid: true });
assert.equal(moved.source.toString(), text);
assert.ok(moved.flags.has("Reise"));
assert.equal(moved.internalDate.getTime(), 1614834367000);
await mine.logout();
await other.logout();
