'use strict';
// Client of hybi-08 and hybi-13: the npm package `websocket`, Worlize's, begun
// in 2011. It sends long messages in fragments of 16 KiB. See conversation.js.

const { client: Client } = require('websocket');
const { hold } = require('./conversation.js');

hold({
  drafts: ['hybi-08', 'hybi-13'],
  connect(url, { draft, subprotocol }, on) {
    const client = new Client({ webSocketVersion: Number(draft.slice(-2)) });
    let peer;
    client.on('connectFailed', (error) => on.error(error.message || error));
    client.on('connect', (connection) => {
      peer = connection;
      peer.on('message', ({ type, utf8Data, binaryData }) => {
        if (type === 'binary') on.binary(binaryData);
        else on.message(utf8Data);
      });
      peer.on('ping', on.ping);
      peer.on('pong', (body) => on.pong(body.toString('utf8')));
      peer.on('close', (code) => on.close(code));
      peer.on('error', (error) => on.error(error.message));
      on.open(peer.protocol || null);
    });
    client.connect(url, subprotocol === undefined ? [] : [subprotocol]);
    return {
      send: (text) => peer.sendUTF(text),
      binary: (octets) => peer.sendBytes(octets),
      ping: (text) => peer.ping(text),
      close: () => peer.close(1000),
    };
  },
});
