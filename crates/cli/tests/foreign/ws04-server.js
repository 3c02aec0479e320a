'use strict';
// Echo server of hixie-76, hybi-08 and hybi-13: the npm package `ws` 0.4.32, of
// 2014. It agrees to the first subprotocol that is asked for. Held to one draft,
// it answers others as it answers versions that it does not know. See server.js.

require('./hashes-of-octets.js');
const WebSocket = require('ws04');
const server = require('./server.js');

const DRAFTS = { 'hixie-76': 'hixie-76', 8: 'hybi-08', 13: 'hybi-13' };

server.listen((http) => {
  const sockets = new WebSocket.Server({ server: http });
  const [answer] = http.listeners('upgrade');
  http.removeListener('upgrade', answer);
  http.on('upgrade', (request, socket, head) => {
    const draft = DRAFTS[request.headers['sec-websocket-version'] || 'hixie-76'];
    if (server.only !== undefined && server.only !== draft) request.headers['sec-websocket-version'] = '99';
    answer(request, socket, head);
  });
  sockets.on('error', (error) => server.fail(error.message));
  sockets.on('connection', (socket) => {
    server.opened(DRAFTS[socket.protocolVersion], socket.protocol || null, {
      ping: (text) => socket.ping(text),
      binary: (octets) => socket.send(octets, { binary: true }),
      close: () => socket.close(1000, 'bye'),
    });
    socket.on('message', (data, { binary }) => socket.send(data, { binary }));
    socket.on('pong', (body) => server.pong(body));
    socket.on('close', (code) => server.closed(code));
    socket.on('error', (error) => server.failed(error));
  });
});
