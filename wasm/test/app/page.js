// What the quick starts take from their page, and what they say.
globalThis.askForPassword = async () => '…';
globalThis.redraw = () => undefined;
globalThis.said = [];
const { log } = console;
console.log = (...values) => {
  globalThis.said.push(values.map(String).join(' '));
  log(...values);
};
globalThis.mailkeep = true;
