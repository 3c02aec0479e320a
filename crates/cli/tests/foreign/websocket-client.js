'use strict';
// Client of hixie-76: the npm package `websocket-client` 1.0.0, of the summer
// of 2010. It writes 00, the text and FF in three segments, takes any head that
// Node's HTTP parser takes, and checks the sixteen octets. It ends only after
// the server's FF 00. See conversation.js.

require('./hashes-of-octets.js');
const http = require('http');
const { hold } = require('./conversation.js');

const response = { subprotocol: null };
reviveNodeOf2010();
const { WebSocket } = require('websocket-client');

hold({
  drafts: ['hixie-76'],
  connect(url, { subprotocol }, on) {
    const socket = new WebSocket(url, subprotocol, { origin: 'http://127.0.0.1' });
    let ended = false;
    socket.on('open', () => on.open(response.subprotocol));
    socket.on('message', (text) => on.message(text));
    socket.on('close', () => {
      ended = true;
      on.close(null);
    });
    // The package also calls the end of the socket after its own close an error.
    socket.on('wserror', (error) => ended || on.error(error.message));
    return { send: (text) => socket.send(text), close: () => socket.close() };
  },
});

/** Gives back what else the package needs of Node 0.2. */
function reviveNodeOf2010() {
  // A client was bound to a host, its requests made afterwards.
  http.createClient = (port, host) => {
    const client = new (require('events').EventEmitter)();
    client.end = () => {};
    client.request = (path, headers) => {
      const request = http.request({ host, port, path, headers });
      request.on('upgrade', (answer, socket, head) => {
        response.subprotocol = answer.headers['sec-websocket-protocol'] || null;
        // The package reads what came with the head from an event of its own.
        client.emit('upgrade', answer, socket, head);
      });
      request.on('response', (answer) => {
        client.emit('error', new Error(`refused with status ${answer.statusCode}`));
      });
      request.on('error', (error) => client.emit('error', error));
      return request;
    };
    return client;
  };
}
