'use strict';
// Client of hybi-13: today's npm package `ws`, which only listens. It comes
// again and again, until nobody listens at the URL any more.

const WebSocket = require('ws');

const [url] = process.argv.slice(2);

function come() {
  let gone = false;
  const socket = new WebSocket(url, ['x'], { perMessageDeflate: false, maxPayload: 16 << 20 });
  socket.on('error', (error) => { gone = error.code === 'ECONNREFUSED'; });
  socket.on('close', () => { if (!gone) come(); });
}

come();
