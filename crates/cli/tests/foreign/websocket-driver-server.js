'use strict';
// Echo server of hixie-75, hixie-76, hybi-07, hybi-08 and hybi-13: the npm
// package `websocket-driver` 0.6.5. It sends a hixie-76 head before it has read
// key3, and agrees to a subprotocol from hybi-07 on alone. See server.js.

const driver = require('websocket-driver');
const server = require('./server.js');

server.listen((http) => http.on('upgrade', (request, socket, head) => {
  const { subprotocol } = server;
  const peer = driver.http(request, subprotocol === undefined ? {} : { protocols: [subprotocol] });
  peer.on('open', () => {
    // It calls 7, 8 and 13 "hybi-N".
    const draft = peer.version.replace(/-(\d)$/, '-0$1');
    server.opened(draft, peer.protocol || null, {
      ping: (text) => peer.ping(text, () => server.pong(text)),
      binary: (octets) => peer.binary(octets),
      close: () => peer.close('bye', 1000),
    });
  });
  peer.on('message', ({ data }) => {
    if (typeof data === 'string') peer.text(data);
    else peer.binary(data);
  });
  peer.on('error', (error) => server.failed(error));
  peer.on('close', ({ code }) => {
    server.closed(code);
    socket.end();
  });
  // hixie-75 closes by the end of TCP alone; Node keeps its half open.
  socket.on('end', () => {
    peer.close();
    socket.end();
  });
  socket.on('error', () => peer.close());
  // Some keys and frames of hixie make it throw: here that costs the
  // connection, and not the process with all the others.
  const guarded = (what) => (...given) => {
    try {
      what(...given);
    } catch (error) {
      server.failed(error);
      socket.destroy();
    }
  };
  const hear = guarded((octets) => peer.io.write(octets));
  hear(head);
  socket.on('data', hear);
  peer.io.pipe(socket);
  guarded(() => peer.start())();
}));
