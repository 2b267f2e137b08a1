#!/usr/bin/env node
// A relay for development: one WebSocket is one TCP connection, its binary messages are the bytes.
//
//   node relay.mjs --allow 127.0.0.1:1143 [--allow HOST:PORT]... [--listen 127.0.0.1:8080] [--origin
// https://app.example]...
//
// The page asks for ws://127.0.0.1:8080/?to=HOST:PORT and gets it where HOST:PORT was allowed by name, and nothing
// else. It sees every byte that crosses it and has no accounts: put it on loopback, or behind something that knows
// who may use it.
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

/** Octets that may wait for a slow browser before the server's end is left unread. */
const UNSENT = 1 << 20;

const { values } = parseArgs({
  options: {
    allow: { type: 'string', multiple: true, default: [] },
    listen: { type: 'string', default: '127.0.0.1:8080' },
    origin: { type: 'string', multiple: true, default: [] },
    quiet: { type: 'boolean', default: false },
  },
});
if (values.allow.length === 0) {
  console.error('relay: name at least one server with --allow HOST:PORT');
  process.exit(2);
}
const allowed = new Set(values.allow);
const [listenHost, listenPort] = split(values.listen);
const log = values.quiet ? () => {} : console.log;

function split(address) {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  if (at < 0 || !Number.isInteger(port) || port < 0 || port > 65535) {
    console.error(`relay: ${address} is not HOST:PORT`);
    process.exit(2);
  }
  return [address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port];
}

const http = createServer((request, response) =>
  response.writeHead(426, { upgrade: 'websocket' }).end('a WebSocket is wanted\n'),
);
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 16 << 20 });

http.on('upgrade', (request, socket, head) => {
  const to = new URL(request.url, 'http://relay').searchParams.get('to') ?? '';
  const { origin } = request.headers;
  const welcome = values.origin.length === 0 || values.origin.includes(origin);
  if (!welcome || !allowed.has(to)) {
    log(`refused: ${to || 'nothing'} for ${origin ?? 'no origin'}`);
    socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    return;
  }
  sockets.handleUpgrade(request, socket, head, (webSocket) => carry(webSocket, to));
});

/** Carries bytes both ways, and holds each end back while the other is slow. */
function carry(webSocket, to) {
  const [host, port] = split(to);
  const tcp = connect({ host, port, noDelay: true });
  log(`open: ${to}`);
  const drained = () => {
    if (tcp.isPaused() && webSocket.bufferedAmount < UNSENT) tcp.resume();
  };
  tcp.on('data', (bytes) => {
    webSocket.send(bytes, { binary: true }, drained);
    if (webSocket.bufferedAmount >= UNSENT) tcp.pause();
  });
  tcp.on('drain', () => webSocket.resume());
  tcp.on('end', () => webSocket.close(1000));
  tcp.on('error', (error) => {
    log(`${to}: ${error.message}`);
    webSocket.close(1011, 'the server cannot be reached');
  });
  tcp.on('close', () => webSocket.close());
  webSocket.on('message', (bytes, isBinary) => {
    if (!isBinary) webSocket.close(1003, 'bytes are wanted');
    else if (!tcp.write(bytes)) webSocket.pause();
  });
  webSocket.on('close', () => {
    log(`closed: ${to}`);
    tcp.end();
  });
  webSocket.on('error', () => tcp.destroy());
}

http.listen(listenPort, listenHost, () => {
  const { address, port } = http.address();
  console.log(`relay: ws://${address.includes(':') ? `[${address}]` : address}:${port}/?to=HOST:PORT`);
});
