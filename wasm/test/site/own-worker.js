// A worker of the app's own, with a layer where TLS would sit. This one turns bits over: what went through it can be
// told.
import { serve } from '/mailkeep/worker/index.js';

const turned = () => new TransformStream({ transform: (chunk, to) => to.enqueue(chunk.map((byte) => byte ^ 0x55)) });

serve({
  tls: async ({ readable, writable }, { host }) => {
    if (host !== 'mail.example') throw new Error(`the certificate is not ${host}'s`);
    const out = turned();
    out.readable.pipeTo(writable).catch(() => undefined);
    return { readable: readable.pipeThrough(turned()), writable: out.writable, secure: true };
  },
});
