'use strict';
// Client of hybi-08 and hybi-13: the npm package `ws` 0.4.32, of 2014. See
// conversation.js.
//
// It would say `Origin: HOST`, which is no origin: it is given one. Its key is
// the draft's number and the time, 16 octets in hybi-13 and 15 in hybi-08:
// --whole-key makes them 16 there too.

require('./hashes-of-octets.js');
const WebSocket = require('ws04');
const { hold } = require('./conversation.js');

const wholeKey = process.argv.indexOf('--whole-key');
if (wholeKey !== -1) {
  process.argv.splice(wholeKey, 1);
  const { now } = Date;
  Date.now = () => now() + 1e13;
}

hold({
  drafts: ['hybi-08', 'hybi-13'],
  connect(url, { draft, subprotocol }, on) {
    const socket = new WebSocket(url, {
      protocolVersion: Number(draft.slice(-2)),
      protocol: subprotocol === undefined ? null : subprotocol,
      headers: { Origin: 'http://127.0.0.1' },
    });
    socket.on('open', () => on.open(socket.protocol || null));
    socket.on('message', (data, { binary }) => (binary ? on.binary(data) : on.message(data)));
    socket.on('ping', on.ping);
    socket.on('pong', (body) => on.pong(body.toString('utf8')));
    socket.on('close', (code) => on.close(code));
    socket.on('error', (error) => on.error(error.message || error));
    return {
      send: (text) => socket.send(text),
      binary: (octets) => socket.send(octets, { binary: true }),
      ping: (text) => socket.ping(text),
      close: () => socket.close(1000),
    };
  },
});
