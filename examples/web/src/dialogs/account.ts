// Adding an account, asking for its password.
import type { Account, NewAccount, Protocol } from 'mailkeep';
import { el } from '../dom.js';
import { ask, labelled } from './dialog.js';

const RELAY = 'ws://127.0.0.1:8080/';

/** Asks for the settings of a new account. */
export function askAccount(names: readonly string[]): Promise<NewAccount | null> {
  const text = (name: string, value = ''): HTMLInputElement =>
    el('input', {
      type: 'text',
      name,
      value,
      autocomplete: 'off',
      autocapitalize: 'none',
      spellcheck: 'false',
      required: true,
    });
  const name = text('name');
  const address = text('address');
  const host = text('host');
  const port = el('input', { type: 'number', name: 'port', value: 143, min: 1, max: 65535, required: true });
  const user = text('user');
  const relay = text('relay', RELAY);
  const protocol = el(
    'select',
    { name: 'protocol' },
    el('option', { value: 'imap' }, 'IMAP'),
    el('option', { value: 'pop3' }, 'POP3'),
  );
  protocol.addEventListener('change', () => (port.value = protocol.value === 'pop3' ? '110' : '143'));
  return ask<NewAccount>({
    title: 'Add an account',
    agree: 'Add account',
    content: [
      labelled('Name', name, 'What this account is called here.'),
      labelled('Your address', address, 'What drafts are from.'),
      labelled('User', user, 'Who you are to the mail server.'),
      el('div', { class: 'side-by-side' }, labelled('Server speaks', protocol), labelled('Port', port)),
      labelled('Mail server', host),
      labelled(
        'Relay',
        relay,
        'Browsers open no connections to mail servers: a relay carries the bytes. It sees your mail and your password: use your own.',
      ),
    ],
    answer: () => {
      const value = (input: HTMLInputElement): string => input.value.trim();
      for (const input of [name, user, host, relay]) {
        if (value(input) !== '') continue;
        input.focus();
        return { wrong: `${input.labels?.[0]?.textContent ?? 'Something'} is needed.` };
      }
      if (names.includes(value(name))) return { wrong: 'An account of this name is there already.' };
      if (!URL.canParse(value(relay)) || !/^wss?:$/.test(new URL(value(relay)).protocol))
        return { wrong: 'The relay needs an address such as ws://127.0.0.1:8080/.' };
      if (!port.checkValidity()) return { wrong: 'The port is a number from 1 to 65535.' };
      return {
        name: value(name),
        host: value(host),
        port: Number(port.value),
        user: value(user),
        protocol: protocol.value as Protocol,
        security: 'insecure',
        extra: { relay: value(relay), ...(value(address) && { address: value(address) }) },
      };
    },
  });
}

/** Asks for a password, which is kept in this page's memory and nowhere else. */
export function askPassword({ settings }: Account, refused: boolean): Promise<string | null> {
  const password = el('input', { type: 'password', name: 'password', autocomplete: 'off', required: true });
  return ask({
    title: `Password for ${settings.name}`,
    agree: 'Connect',
    content: [
      refused ? el('p', { class: 'wrong' }, 'The server refused the last one.') : '',
      labelled(
        `Password of ${settings.user} at ${settings.host}`,
        password,
        'It is never stored: closing the page forgets it.',
      ),
    ],
    answer: () => {
      if (password.value !== '') return password.value;
      password.focus();
      return { wrong: 'A password is needed.' };
    },
  });
}

/** Asks whether an account and its mail are to go from this device. */
export async function askRemoval({ settings }: Account): Promise<boolean> {
  const words =
    'Its mail goes from this device, with what was done here and never told to the server. The server keeps what it has.';
  const answer = await ask({
    title: `Remove ${settings.name}?`,
    agree: 'Remove account',
    content: [el('p', {}, words)],
    answer: () => true,
  });
  return answer ?? false;
}
