'use strict';
// Echo server of hixie-75, hixie-76 and hybi-13: the npm package
// `websocket-driver` 0.6.5. It sends a hixie-76 head before it has read key3.
// Prints `PORT n`, one JSON line per connection and its end, and stops when
// stdin closes. `--subprotocol NAME` names the one it speaks to hybi-13 clients;
// to those of hixie it has none.

const http = require('http');
const driver = require('websocket-driver');
const { print, fail } = require('./conversation.js');

const [flag, name] = process.argv.slice(2);
if (flag !== undefined && (flag !== '--subprotocol' || name === undefined)) {
  process.stderr.write('usage: websocket-driver-server.js [--subprotocol NAME]\n');
  process.exit(2);
}

const server = http.createServer();
server.on('upgrade', (request, socket, head) => {
  const peer = driver.http(request, name === undefined ? {} : { protocols: [name] });
  peer.on('open', () => {
    print({ event: 'open', draft: peer.version, subprotocol: peer.protocol || null });
  });
  peer.on('message', ({ data }) => {
    if (typeof data === 'string') peer.text(data);
    else peer.binary(data);
  });
  peer.on('error', (error) => print({ event: 'error', reason: error.message }));
  peer.on('close', ({ code }) => {
    print({ event: 'close', code });
    socket.end();
  });
  // hixie-75 closes by the end of TCP alone; Node keeps its half open.
  socket.on('end', () => {
    peer.close();
    socket.end();
  });
  socket.on('error', () => peer.close());
  peer.io.write(head);
  socket.pipe(peer.io).pipe(socket);
  peer.start();
});
server.on('error', (error) => fail(error.message));
server.listen(0, '127.0.0.1', () => process.stdout.write(`PORT ${server.address().port}\n`));
process.stdin.on('end', () => process.exit(0)).resume();
