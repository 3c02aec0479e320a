'use strict';
// Echo server of hybi-13: today's npm package `ws`. See server.js.

const { WebSocketServer } = require('ws');
const server = require('./server.js');

server.listen((http) => {
  const sockets = new WebSocketServer({ server: http });
  sockets.on('error', (error) => server.fail(error.message));
  sockets.on('connection', (socket) => {
    server.opened('hybi-13', socket.protocol || null, {
      ping: (text) => socket.ping(text),
      binary: (octets) => socket.send(octets),
      close: () => socket.close(1000, 'bye'),
    });
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('pong', (body) => server.pong(body));
    socket.on('close', (code) => server.closed(code));
    socket.on('error', (error) => server.failed(error));
  });
});
