'use strict';
// Node's own `http2` as a client of RFC 8441, and two frames of hybi-13 written by
// hand, masked with zeros: a text that comes back, and a Close. URL: argv[2].

const http2 = require('http2');

const url = new URL(process.argv[2]);
const tell = (event) => console.log(JSON.stringify(event));
const session = http2.connect(url.origin, { rejectUnauthorized: false });
session.on('error', (error) => tell({ event: 'error', message: error.message }));
session.on('remoteSettings', (settings) => {
  tell({ event: 'settings', connect: settings.enableConnectProtocol });
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': url.protocol.slice(0, -1),
    ':authority': url.host,
    ':path': url.pathname,
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'chat',
  }, { endStream: false });
  let heard = Buffer.alloc(0);
  stream.on('response', (head) => {
    tell({
      event: 'open',
      status: head[':status'],
      accept: 'sec-websocket-accept' in head,
      subprotocol: head['sec-websocket-protocol'] ?? null,
      protocol: session.alpnProtocol,
    });
    const text = Buffer.from('Hello from Node');
    stream.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  });
  stream.on('data', (octets) => {
    const open = heard.length < 2;
    heard = Buffer.concat([heard, octets]);
    if (open && heard.length >= 2) {
      stream.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
    }
  });
  stream.on('end', () => {
    tell({ event: 'end', heard: heard.toString('hex') });
    stream.end();
  });
  stream.on('close', () => session.close());
});
