// What the mail reader writes, read by a mail library that shares nothing with it: Python's.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import * as esbuild from 'esbuild';
import { tree } from './lib/processes.mjs';

const READ = `
import email, email.policy, json, sys
raw = sys.stdin.buffer.read()
message = email.message_from_bytes(raw, policy=email.policy.default)
people = lambda name: [[a.display_name, a.addr_spec] for a in (message[name].addresses if message[name] else [])]
json.dump({
    "defects": [str(d) for d in message.defects] + [f"{n}: {d}" for n in message.keys() for d in message[n].defects],
    "names": message.keys(), "from": people("from"), "to": people("to"), "cc": people("cc"),
    "subject": message["subject"], "date": message["date"].datetime.isoformat(), "id": message["message-id"],
    "references": (message["references"] or "").split(), "in_reply_to": (message["in-reply-to"] or "").split(),
    "text": message.get_content().replace("\\r\\n", "\\n"), "longest": max(len(line) for line in raw.split(b"\\r\\n")),
    "bare": raw.replace(b"\\r\\n", b"").count(b"\\n") + raw.replace(b"\\r\\n", b"").count(b"\\r"),
    "ascii": raw.isascii(),
}, sys.stdout)
`;

const { write } = await (async () => {
  const { outputFiles } = await esbuild.build({
    entryPoints: [`${tree}examples/web/src/compose/letter.ts`],
    bundle: true,
    format: 'esm',
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
})();

/** A letter, written and read again. */
function read(letter) {
  const empty = { from: 'me@mail.example', to: '', cc: '', subject: '', text: '', inReplyTo: [], references: [] };
  const raw = write({ ...empty, ...letter }, new Date(Date.UTC(2026, 1, 3, 4, 5, 6)));
  const done = spawnSync('python3', ['-c', READ], { input: raw, encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  const seen = JSON.parse(done.stdout);
  assert.deepEqual([seen.bare, seen.ascii], [0, true]);
  assert.ok(seen.longest <= 78, `a line of ${seen.longest} octets`);
  return seen;
}

/** The same, with nothing wrong in it. */
function sound(letter) {
  const seen = read(letter);
  assert.deepEqual(seen.defects, []);
  return seen;
}

test('a plain letter', () => {
  const seen = sound({
    to: 'ada@example.org, "Hopper, Grace" <grace@example.org>',
    cc: 'Charles Babbage <charles@example.org>',
    subject: 'Lunch',
    text: 'Noon?\n\nYours\n',
    inReplyTo: ['<a@x>'],
    references: ['<b@x>', '<a@x>'],
  });
  assert.deepEqual(seen.from, [['', 'me@mail.example']]);
  assert.deepEqual(seen.to, [
    ['', 'ada@example.org'],
    ['Hopper, Grace', 'grace@example.org'],
  ]);
  assert.deepEqual(seen.cc, [['Charles Babbage', 'charles@example.org']]);
  assert.deepEqual([seen.subject, seen.date, seen.text], ['Lunch', '2026-02-03T04:05:06+00:00', 'Noon?\n\nYours\n']);
  assert.deepEqual([seen.in_reply_to, seen.references], [['<a@x>'], ['<b@x>', '<a@x>']]);
  assert.match(seen.id, /^<[0-9a-f-]{36}@mail\.example>$/);
});

test('words that are not ASCII, short and long', () => {
  const subject = 'Grüße aus Köln: 日本語の件名は長くてもよい、そして絵文字も 🎈🎈🎈 bis zum Ende der Zeile und weiter';
  const seen = sound({ to: 'Zoë Ünal <zoe@example.org>', subject, text: 'Käse – “süß” 🎈\n' });
  assert.deepEqual([seen.subject, seen.text], [subject, 'Käse – “süß” 🎈\n']);
  assert.deepEqual(seen.to, [['Zoë Ünal', 'zoe@example.org']]);
});

test('what a person types begins no header field of its own', () => {
  const seen = read({ to: 'ada@example.org\r\nBcc: eve@example.org', subject: 'One\r\nX-Evil: yes\n\nbody' });
  assert.equal(seen.subject, 'One X-Evil: yes body');
  assert.ok(!seen.names.some((name) => /^(bcc|x-evil)$/i.test(name)), seen.names.join());
});

test('a large text, and one with every kind of line end', () => {
  const text = `${'line of words that goes on\n'.repeat(20_000)}end`;
  assert.equal(sound({ text }).text.replace(/\n$/, ''), text);
  assert.equal(sound({ text: 'a\rb\r\nc\nd\n' }).text, 'a\nb\nc\nd\n');
});
