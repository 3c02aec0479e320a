'use strict';
// A controller of 2011: the npm package `ws` 0.4.32, which here speaks hixie-76
// alone and has one connection to give. It says `NAME 1`, `NAME 2` and so on, ten
// a second. Prints `READY`, then one JSON line per event: a connection, its end,
// one too many. Stops when stdin closes. Usage: SCRIPT HOST PORT NAME

require('./hashes-of-octets.js');
const http = require('http');
const WebSocket = require('ws04');
const { print, fail } = require('./conversation.js');

const [host, port, name] = process.argv.slice(2);
const server = http.createServer();
const sockets = new WebSocket.Server({ server });
const [answer] = server.listeners('upgrade');
let taken = false;

server.removeListener('upgrade', answer);
server.on('upgrade', (request, socket, head) => {
  if (request.headers['sec-websocket-version'] !== undefined) return socket.destroy();
  if (taken) {
    print({ event: 'refused' });
    return socket.destroy();
  }
  taken = true;
  answer(request, socket, head);
});
sockets.on('error', (error) => fail(error.message));
sockets.on('connection', (socket) => {
  print({ event: 'open', path: socket.upgradeReq.url, draft: socket.protocolVersion });
  let count = 0;
  const saying = setInterval(() => socket.send(`${name} ${++count}`), 100);
  socket.on('message', (text) => print({ event: 'message', text }));
  // The package takes the listeners of its socket away: this is the end it tells.
  socket.on('close', () => {
    clearInterval(saying);
    taken = false;
    print({ event: 'close' });
  });
  socket.on('error', () => clearInterval(saying));
});
server.on('error', (error) => fail(error.message));
server.listen(Number(port), host, () => process.stdout.write('READY\n'));
process.stdin.on('end', () => process.exit(0)).resume();
