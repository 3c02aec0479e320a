// PhantomJS 1.9.8 or 2.1.1, WebKits of 2011 and 2013, as clients of hixie-76 and
// of hybi-13 by themselves: no page but an empty one, whose origin is `null`.
//
// phantomjs phantom-echo.js ws://HOST:PORT/PATH [--hybi]
//
// Sends five texts, each when the echo of the one before it is there, with
// --hybi the octets 0 to 255 as well, and closes, with --hybi by a code of its
// own. Prints {"event":"open"}, with --hybi the extensions agreed on;
// {"event":"message","text"|"length":…} or {"event":"binary","length":…} for
// each echo that is what was sent; {"event":"close","done":…}, where done says
// whether all came back, with --hybi the code and whether the close was clean
// (that of 2011 does not tell). Exit code 0: done; 1: not done; 2: usage; 3:
// nothing happened for 10 s.

var system = require('system');
var page = require('webpage').create();
var TEXTS = ['Hello', '', 'Grüße ✓ \uD834\uDD1E', repeated('a', 200), repeated('b', 70000)];
var watchdog;

var hybi = system.args[2] === '--hybi';
if (system.args.length !== (hybi ? 3 : 2)) {
  system.stderr.writeLine('usage: phantom-echo.js ws://HOST:PORT/PATH [--hybi]');
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
  page.evaluate(function (address, texts, hybi) {
    var socket = new WebSocket(address);
    var next = 0;
    if (hybi) socket.binaryType = 'arraybuffer';
    socket.onopen = function () {
      window.callPhantom(hybi ? { event: 'open', extensions: socket.extensions } : { event: 'open' });
      socket.send(texts[0]);
    };
    socket.onmessage = function (event) {
      var text = event.data;
      if (next === texts.length) {
        if (!octetsFrom0To255(text)) {
          window.callPhantom({ event: 'error', reason: 'not the octets that were sent' });
          return;
        }
        window.callPhantom({ event: 'binary', length: text.byteLength });
        next += 1;
        socket.close(4000, 'enough');
        return;
      }
      if (text !== texts[next]) {
        window.callPhantom({ event: 'error', reason: 'not what was sent: ' + text.substring(0, 100) });
        return;
      }
      window.callPhantom(text.length > 100
        ? { event: 'message', length: text.length } : { event: 'message', text: text });
      next += 1;
      if (next < texts.length) socket.send(texts[next]);
      else if (hybi) sendOctetsFrom0To255();
      else socket.close();
    };
    socket.onclose = function (event) {
      var done = next === texts.length + (hybi ? 1 : 0);
      window.callPhantom(hybi
        ? { event: 'close', done: done, code: event.code, clean: event.wasClean }
        : { event: 'close', done: done });
    };

    function sendOctetsFrom0To255() {
      var octets = new Uint8Array(256);
      for (var i = 0; i < octets.length; i += 1) octets[i] = i;
      socket.send(octets.buffer);
    }

    function octetsFrom0To255(data) {
      var octets = new Uint8Array(data);
      for (var i = 0; i < 256; i += 1) if (octets[i] !== i) return false;
      return octets.length === 256;
    }
  }, url, TEXTS, hybi);
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
