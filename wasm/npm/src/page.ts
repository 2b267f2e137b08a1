// What the package needs of the page around it: how long it lives, and that its storage stays.

/** A page that the browser freezes lets another tab lead, and comes back when it is shown again. Answers how to stop. */
export function followPage(post: (message: { t: 'sleep' } | { t: 'wake' }) => void): () => void {
  const sleep = (): void => post({ t: 'sleep' });
  const wake = (): void => post({ t: 'wake' });
  const hidden = (event: PageTransitionEvent): void => {
    if (event.persisted) sleep();
  };
  document.addEventListener('freeze', sleep);
  document.addEventListener('resume', wake);
  addEventListener('pagehide', hidden);
  addEventListener('pageshow', wake);
  return () => {
    document.removeEventListener('freeze', sleep);
    document.removeEventListener('resume', wake);
    removeEventListener('pagehide', hidden);
    removeEventListener('pageshow', wake);
  };
}

/** Asks the browser to keep what is stored; `null` where it cannot be asked. */
export async function askToPersist(): Promise<boolean | null> {
  try {
    return (await navigator.storage?.persist?.()) ?? null;
  } catch {
    return null;
  }
}
