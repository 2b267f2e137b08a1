// The smallest app: every bundler builds it, and a browser runs what comes of it.
import { Mailkeep } from 'mailkeep';

const outcome = (async () => {
  const mail = await Mailkeep.open({ name: 'bundled', ...globalThis.placesForMailkeep });
  const account = await mail.addAccount({ name: 'a', host: 'mail.example', user: 'a' });
  const mailbox = await mail.createMailbox(account, { name: 'Here', local: true });
  await mail.append(mailbox, { raw: new TextEncoder().encode('Subject: bundled\r\n\r\nText\r\n') });
  const { rows } = await mail.messages(mailbox);
  return { subjects: rows.map((row) => row.subject), backend: mail.storage.backend };
})();
globalThis.outcome = outcome.catch((error) => String(error));
globalThis.mailkeep = true;
