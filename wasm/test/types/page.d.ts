// What the quick starts take from their page.
declare function askForPassword(): Promise<string>;
declare function redraw(changes: import('mailkeep').Change[]): void;
