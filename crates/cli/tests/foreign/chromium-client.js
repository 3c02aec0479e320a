'use strict';
// Today's browser, headless Chromium, as a client of hybi-13: a page of no
// origin opens the socket. It cannot ping. See conversation.js. The subprotocol
// in $OFFERS_FIRST, if there is one, is offered in front of the other.

const { chromium } = require('playwright-core');
const { hold, fail } = require('./conversation.js');

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

// Before the conversation, whose watchdog does not wait for a browser to start.
chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS })
  .then((browser) => browser.newPage())
  .then(converse)
  .catch((error) => fail(error.message, 3));

async function converse(page) {
  let heard;
  await page.exposeFunction('tell', (event, what) => heard(event, what));
  hold({
    drafts: ['hybi-13'],
    connect(url, { subprotocol }, on) {
      heard = (event, what) => {
        if (event === 'binary') on.binary(Buffer.from(what, 'base64'));
        else on[event](what);
      };
      page.evaluate(connected, [url, [process.env.OFFERS_FIRST, subprotocol].filter(Boolean)]);
      return {
        send: (text) => page.evaluate((said) => window.socket.send(said), text),
        binary: (octets) => page.evaluate((said) => window.socket.send(Uint8Array.from(said)), [...octets]),
        close: () => page.evaluate(() => window.socket.close(1000)),
      };
    },
  });
}

/** In the page. */
function connected([url, subprotocols]) {
  const socket = new WebSocket(url, subprotocols);
  window.socket = socket;
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => window.tell('open', socket.protocol || null);
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') window.tell('message', data);
    else window.tell('binary', btoa(String.fromCharCode(...new Uint8Array(data))));
  };
  socket.onclose = ({ code }) => window.tell('close', code);
}
