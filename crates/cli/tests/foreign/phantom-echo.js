// PhantomJS 1.9.8, a WebKit of 2011, as a client of hixie-76 by itself: no page
// but an empty one, whose origin is `null`.
//
// phantomjs phantom-echo.js ws://HOST:PORT/PATH
//
// Sends five texts, each when the echo of the one before it is there, and
// closes. Prints {"event":"open"}; {"event":"message","text"|"length":…} for
// each echo that is what was sent; {"event":"close","done":…}, where done says
// whether all five came back (this WebKit does not tell whether a close was
// clean). Exit code 0: done; 1: not done; 2: usage; 3: nothing happened for 10 s.

var system = require('system');
var page = require('webpage').create();
var TEXTS = ['Hello', '', 'Grüße ✓ \uD834\uDD1E', repeated('a', 200), repeated('b', 70000)];
var watchdog;

if (system.args.length !== 2) {
  system.stderr.writeLine('usage: phantom-echo.js ws://HOST:PORT/PATH');
  phantom.exit(2);
} else {
  echo(system.args[1]);
}

function echo(url) {
  page.onError = function (message) { give(1, { event: 'error', reason: message }); };
  page.onCallback = function (event) {
    feed();
    if (event.event === 'close') give(event.done ? 0 : 1, event);
    else if (event.event === 'error') give(1, event);
    else print(event);
  };
  feed();
  page.evaluate(function (address, texts) {
    var socket = new WebSocket(address);
    var next = 0;
    socket.onopen = function () {
      window.callPhantom({ event: 'open' });
      socket.send(texts[0]);
    };
    socket.onmessage = function (event) {
      var text = event.data;
      if (text !== texts[next]) {
        window.callPhantom({ event: 'error', reason: 'not what was sent: ' + text.substring(0, 100) });
        return;
      }
      window.callPhantom(text.length > 100
        ? { event: 'message', length: text.length } : { event: 'message', text: text });
      next += 1;
      if (next < texts.length) socket.send(texts[next]);
      else socket.close();
    };
    socket.onclose = function () {
      window.callPhantom({ event: 'close', done: next === texts.length });
    };
  }, url, TEXTS);
}

function feed() {
  clearTimeout(watchdog);
  watchdog = setTimeout(function () {
    give(3, { event: 'error', reason: 'nothing happened for 10 s' });
  }, 10000);
}

function repeated(letter, times) {
  return new Array(times + 1).join(letter);
}

function give(exitCode, event) {
  print(event);
  // PhantomJS 1.9.8 complains on stdout if it ends while it has a page.
  page.close();
  setTimeout(function () { phantom.exit(exitCode); }, 0);
}

function print(event) {
  system.stdout.writeLine(JSON.stringify(event));
  system.stdout.flush();
}
