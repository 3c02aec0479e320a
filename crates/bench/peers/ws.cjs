'use strict';
// npm's ws, after the examples "Echo server" and "Server broadcast" of its
// README. What makes it fastest: no compression (its default), and bufferutil,
// which masks in C and which it loads by itself when it is there.

const { WebSocketServer } = require('ws');
const { broadcast, listen } = require('./serve.cjs');

listen((server) => {
  const websockets = new WebSocketServer({ server });
  websockets.on('connection', (connection) => {
    connection.on('error', () => {});
    connection.on('message', (data, binary) => {
      if (!broadcast) return connection.send(data, { binary });
      for (const client of websockets.clients) client.send(data, { binary });
    });
  });
});
