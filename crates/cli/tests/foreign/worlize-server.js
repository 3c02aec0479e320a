'use strict';
// Echo server of hybi-08 and hybi-13: the npm package `websocket`, Worlize's,
// begun in 2011. See server.js.

const { server: Server } = require('websocket');
const server = require('./server.js');

server.listen((http) => {
  const sockets = new Server({ httpServer: http, maxReceivedFrameSize: 1 << 20 });
  sockets.on('request', (request) => {
    const agreed = request.requestedProtocols.includes(server.subprotocol);
    const peer = request.accept(agreed ? server.subprotocol : undefined, request.origin);
    const draft = `hybi-${String(request.webSocketVersion).padStart(2, '0')}`;
    server.opened(draft, peer.protocol || null, {
      ping: (text) => peer.ping(text),
      binary: (octets) => peer.sendBytes(octets),
      close: () => peer.close(1000, 'bye'),
    });
    peer.on('message', ({ type, utf8Data, binaryData }) => {
      if (type === 'binary') peer.sendBytes(binaryData);
      else peer.sendUTF(utf8Data);
    });
    peer.on('pong', (body) => server.pong(body));
    peer.on('close', (code) => server.closed(code));
    peer.on('error', (error) => server.failed(error));
  });
});
