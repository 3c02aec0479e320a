'use strict';
// What every echo server in JavaScript has in common, and those in other
// languages do likewise. Prints `PORT n`, then one JSON line per event: a
// connection, a pong, an end. The line "ping" on stdin pings the client that
// came last; "binary" sends it the octets 0 to 255; "close" closes it as its
// draft closes, with 1000 and "bye" if it can. The server stops when stdin closes.
// `--subprotocol NAME` names the one it speaks, `--only DRAFT` the one draft, of
// a server that can be held to one.

const http = require('http');
const readline = require('readline');
const { print, fail } = require('./conversation.js');

const [flag, name] = process.argv.slice(2);
if (flag !== undefined && (!['--subprotocol', '--only'].includes(flag) || name === undefined)) {
  process.stderr.write('usage: SCRIPT [--subprotocol NAME | --only DRAFT]\n');
  process.exit(2);
}

let last;

exports.subprotocol = flag === '--subprotocol' ? name : undefined;
exports.only = flag === '--only' ? name : undefined;
exports.fail = fail;
exports.pong = (body) => print({ event: 'pong', text: body.toString('utf8') });
exports.closed = (code) => print({ event: 'close', code: code === undefined ? null : code });
exports.failed = (error) => print({ event: 'error', reason: error.message || String(error) });

/** A client is there; `peer` is how to ping it, send it binary, and close it. */
exports.opened = function opened(draft, subprotocol, peer) {
  last = peer;
  print({ event: 'open', draft, subprotocol });
};

/** Listens on a free port, once `attach` has been given the HTTP server. */
exports.listen = function listen(attach) {
  const server = http.createServer();
  attach(server);
  server.on('error', (error) => fail(error.message));
  server.listen(0, '127.0.0.1', () => process.stdout.write(`PORT ${server.address().port}\n`));
  readline.createInterface({ input: process.stdin })
    .on('line', (line) => {
      if (line === 'ping') last.ping('still there?');
      if (line === 'close') last.close();
      if (line === 'binary') last.binary(Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)));
    })
    .on('close', () => process.exit(0));
};
