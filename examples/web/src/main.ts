import { Code, Mailkeep, MailkeepError } from 'mailkeep';
import { askPassword } from './dialogs/account.js';
import { el } from './dom.js';
import { sorry } from './mail-app.js';
import { Reader, STORE } from './reader.js';
import { save } from './view/attachments.js';
import { inWords } from './words.js';

async function start(): Promise<void> {
  const app = document.querySelector('mail-app');
  try {
    const reader = await Reader.open(askPassword);
    app?.start(reader);
  } catch (error) {
    cannotOpen(error);
  }
}

/** The store cannot be opened: its bytes can be saved, and a new one begun. */
function cannotOpen(error: unknown): void {
  const damaged: number[] = [Code.NotADatabase, Code.Corrupt, Code.NewerSchema];
  const isDamaged = error instanceof MailkeepError && damaged.includes(error.code);
  const exportIt = async (): Promise<void> => save(await Mailkeep.exportFile(STORE), 'mailkeep-reader.redb');
  const anew = async (): Promise<void> => {
    await Mailkeep.removeFile(STORE);
    location.reload();
  };
  sorry(
    el('h1', {}, 'The mail cannot be opened'),
    el('p', {}, inWords(error)),
    el('button', { type: 'button', onclick: () => location.reload() }, 'Try again'),
    ...(isDamaged
      ? [
          el('button', { type: 'button', onclick: () => void exportIt() }, 'Save the file as it is'),
          el('button', { type: 'button', onclick: () => void anew() }, 'Delete it and begin anew'),
        ]
      : []),
  );
}

// While developing, the files are not those that a build made.
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  void navigator.serviceWorker.register('./sw.js', { updateViaCache: 'none' });
}
void start();
