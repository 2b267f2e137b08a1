// An IMAP server of a few lines in the page, which knows STARTTLS; what is said after it has its bits turned over.
export function scripted({ startsSecure = false } = {}) {
  let secure = startsSecure;
  let toClient;
  let waiting = '';
  let continued = null;
  const clear = [];
  const turn = (bytes) => (secure ? bytes.map((byte) => byte ^ 0x55) : bytes);
  const say = (text) => toClient.enqueue(turn(new TextEncoder().encode(text)));
  const capabilities = () => `IMAP4rev1 ${secure ? 'AUTH=PLAIN SASL-IR' : 'STARTTLS LOGINDISABLED'}`;
  const obey = (line) => {
    if (!secure) clear.push(line);
    if (continued) {
      say(`${continued} OK done\r\n`);
      continued = null;
      return;
    }
    const [tag, command, , initial] = line.split(' ');
    switch (command.toUpperCase()) {
      case 'CAPABILITY':
        say(`* CAPABILITY ${capabilities()}\r\n${tag} OK done\r\n`);
        break;
      case 'STARTTLS':
        say(`${tag} OK begin\r\n`);
        secure = true;
        break;
      case 'AUTHENTICATE':
        if (initial) say(`${tag} OK done\r\n`);
        else {
          continued = tag;
          say('+ \r\n');
        }
        break;
      case 'LOGIN':
        say(`${tag} OK done\r\n`);
        break;
      default:
        say(`${tag} BAD not here\r\n`);
    }
  };
  const readable = new ReadableStream({
    start(controller) {
      toClient = controller;
      say(`* OK [CAPABILITY ${capabilities()}] a script\r\n`);
    },
  });
  const writable = new WritableStream({
    write(chunk) {
      waiting += new TextDecoder().decode(turn(chunk));
      const lines = waiting.split('\r\n');
      waiting = lines.pop();
      lines.forEach(obey);
    },
  });
  return { transport: { readable, writable, secure: false }, clear };
}
