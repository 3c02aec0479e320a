'use strict';
// What npm's servers have in common: a free port of the loopback, whose address
// is printed, and an end when the input ends. `--broadcast` asks for messages to
// be sent to all connections instead of back.

const http = require('http');

exports.broadcast = process.argv[2] === '--broadcast';

/** Listens, once `attach` has been given the HTTP server. */
exports.listen = function listen(attach) {
  const server = http.createServer();
  attach(server);
  const options = { host: '127.0.0.1', port: 0, backlog: 32768 };
  server.listen(options, () => process.stdout.write(`127.0.0.1:${server.address().port}\n`));
  process.stdin.resume().on('end', () => process.exit(0));
};
