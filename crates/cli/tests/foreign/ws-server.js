'use strict';
// Echo server of hybi-13: today's npm package `ws`. Prints `PORT n`, one JSON
// line per connection and its end, and stops when stdin closes.

const { WebSocketServer } = require('ws');
const { print, fail } = require('./conversation.js');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.on('listening', () => process.stdout.write(`PORT ${server.address().port}\n`));
server.on('error', (error) => fail(error.message));
server.on('connection', (socket) => {
  print({ event: 'open', draft: 'hybi-13', subprotocol: socket.protocol || null });
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('close', (code) => print({ event: 'close', code }));
  socket.on('error', (error) => print({ event: 'error', reason: error.message }));
});
process.stdin.on('end', () => process.exit(0)).resume();
