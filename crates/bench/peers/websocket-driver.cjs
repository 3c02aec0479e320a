'use strict';
// npm's websocket-driver, which speaks hixie-75 and hixie-76 besides RFC 6455,
// when it is asked to, after "Server-side with HTTP" of its README. It has no
// setting that makes it faster.

const websocket = require('websocket-driver');
const { broadcast, listen } = require('./serve.cjs');

const all = new Set();

listen((server) => server.on('upgrade', (request, socket, body) => {
  if (!websocket.isWebSocket(request)) return socket.destroy();
  const driver = websocket.http(request, { allowDrafts: true });
  socket.setNoDelay(true);
  socket.on('error', () => {}).on('close', () => all.delete(driver));
  all.add(driver);
  driver.io.write(body);
  socket.pipe(driver.io).pipe(socket);
  driver.messages.on('data', (message) => {
    if (!broadcast) return driver.messages.write(message);
    for (const other of all) other.messages.write(message);
  });
  driver.start();
}));
