// The processes around a test: a private Dovecot, the relay, an IMAP client that shares nothing with the engine.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const tree = fileURLToPath(new URL('../../../', import.meta.url));
const programs = process.env.MAILKEEP_TEST_PROGRAMS ?? `${tree}target/debug`;

/** A child whose lines can be awaited one by one. It is asked to end by closing its input. */
class Child {
  constructor(command, args) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stdin.on('error', () => {});
  }

  async line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${this.process.spawnargs.join(' ')} ended`);
    return value;
  }

  async end() {
    this.process.stdin.end();
    await this.gone;
  }
}

export class MailServer {
  static async start(...args) {
    const server = new MailServer();
    // The server changes users: where we are not root, it alone runs as root.
    const asRoot = process.getuid() === 0 ? [] : ['sudo', '-n'];
    const [command, ...rest] = [...asRoot, `${programs}/mail_server`, ...args];
    server.child = new Child(command, rest);
    server.ports = JSON.parse(await server.child.line());
    return server;
  }

  async #do(line) {
    this.child.process.stdin.write(`${line}\n`);
    const answer = await this.child.line();
    // It panics where it cannot do something, and then there is no answer.
    JSON.parse(answer);
  }

  user(name, password = 'secret') {
    return this.#do(`user ${name} ${password}`);
  }

  real(user, mailbox, count) {
    return this.#do(`real ${user} ${mailbox} ${count}`);
  }

  generate(user, mailbox, count, average) {
    return this.#do(`fill ${user} ${mailbox} ${count} 1 ${average}`);
  }

  /** One message, octet for octet; the date in seconds since 1970. */
  deliver(user, mailbox, date, raw) {
    return this.#do(`deliver ${user} ${mailbox} ${date} ${Buffer.from(raw).toString('base64')}`);
  }

  stop() {
    return this.#do('stop');
  }

  start() {
    return this.#do('start');
  }

  end() {
    return this.child.end();
  }

  /** What Python's imaplib sees: a list of messages with their mailbox. */
  dump(user) {
    const rows = this.#python('imap_dump.py', user, '')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    let mailbox = '';
    const messages = [];
    for (const row of rows) {
      if ('uidvalidity' in row) mailbox = row.mailbox;
      else messages.push({ ...row, mailbox });
    }
    return messages;
  }

  /** Another mail program at work. */
  act(user, steps) {
    this.#python('imap_act.py', user, JSON.stringify(steps));
  }

  #python(tool, user, input) {
    const args = [`${tree}tests/tools/${tool}`, '--port', String(this.ports.imap), '--user', user];
    const env = { ...process.env, IMAP_PASSWORD: 'secret' };
    const done = spawnSync('python3', args, { input, env, encoding: 'utf8', maxBuffer: 1 << 30 });
    if (done.status !== 0) throw new Error(`${tool}: ${done.stderr}`);
    return done.stdout;
  }
}

export class Relay {
  static async start(port, ...args) {
    const relay = new Relay();
    const program = `${tree}examples/relay/relay.mjs`;
    relay.child = new Child('node', [
      program,
      '--listen',
      '127.0.0.1:0',
      '--allow',
      `127.0.0.1:${port}`,
      '--quiet',
      ...args,
    ]);
    const address = /ws:\/\/[^/]+/.exec(await relay.child.line())[0];
    relay.url = `${address}/?to=127.0.0.1:${port}`;
    return relay;
  }

  async end() {
    this.child.process.kill();
    await this.child.gone;
  }
}
