'use strict';
// Client of hybi-13: today's npm package `ws`. See conversation.js.

const WebSocket = require('ws');
const { hold } = require('./conversation.js');

hold({
  drafts: ['hybi-13'],
  connect(url, { subprotocol }, on) {
    const socket = new WebSocket(url, subprotocol === undefined ? [] : [subprotocol]);
    socket.on('open', () => on.open(socket.protocol || null));
    socket.on('message', (data, isBinary) => {
      if (isBinary) on.binary(data);
      else on.message(data.toString('utf8'));
    });
    socket.on('ping', on.ping);
    socket.on('pong', (body) => on.pong(body.toString('utf8')));
    socket.on('close', (code) => on.close(code));
    socket.on('error', (error) => on.error(error.message));
    return {
      send: (text) => socket.send(text),
      binary: (octets) => socket.send(octets),
      ping: (text) => socket.ping(text),
      close: () => socket.close(1000),
    };
  },
});
