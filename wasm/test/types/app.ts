// What an app writes, as the compiler must see it.
import { type Change, Code, Mailkeep, MailkeepError, type MessageRow, type Page } from 'mailkeep';
import { type TlsLayer, serve } from 'mailkeep/worker';

export async function app(signal: AbortSignal): Promise<MessageRow[]> {
  await using mail = await Mailkeep.open({ name: 'typed' });
  const account: number = await mail.addAccount({
    name: 'a',
    host: 'h',
    user: 'u',
    window: { lastDays: 30 },
    keep: { days: 7 },
  });
  // @ts-expect-error a security that there is not
  await mail.updateAccount(account, { security: 'none' });
  const connection = await mail.connect(account, {
    transport: { webSocket: 'ws://127.0.0.1:1/' },
    credentials: async ({ mechanisms }) => (mechanisms.includes('XOAUTH2') ? { token: 't' } : { password: 'p' }),
    signal,
  });
  const { messagesAdded } = await connection.sync({ bodies: { newest: 10 } }, { signal });
  console.log(messagesAdded.toFixed());
  for await (const event of connection.events()) {
    if (event.type === 'progress') console.log(event.done / event.total);
    // @ts-expect-error only progress has it
    if (event.type === 'alert') console.log(event.done);
  }
  let page: Page = await mail.messages(1);
  if (page.next) page = await mail.messages(1, { after: page.next });
  page = await mail.messagesAt(1, 500, { limit: 20 });
  // @ts-expect-error a position is a number, a cursor is not
  await mail.messagesAt(1, page.next);
  for await (const { changes } of mail.changes()) changes.forEach(draw);
  const body: ReadableStream<Uint8Array> | null = await mail.bodyStream(1);
  await body?.cancel();
  try {
    await mail.move([1], 2);
  } catch (error) {
    if (error instanceof MailkeepError && error.code === Code.Gone) return [];
    throw error;
  }
  return page.rows;
}

function draw(change: Change): void {
  if (change.type === 'message-added') console.log(change.mailbox, change.message);
}

const tls: TlsLayer = async (transport, { host }) => ({ ...transport, secure: host !== '' });
serve({ tls });
