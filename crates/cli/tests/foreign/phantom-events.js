// PhantomJS 1.9.8 or 2.1.1, WebKits of 2011 and 2013, as readers of an event
// stream: their own EventSource, in a page of another port of this machine.
//
// phantomjs phantom-events.js http://HOST:PORT/PATH COUNT
//
// Prints {"event":"open"}, {"event":"message","data":…,"id":…} for each event,
// with "kind" if it is not an ordinary one. Exit code 0 after COUNT of them;
// 1: an error, or nothing happened for 30 s; 2: usage.

var system = require('system');
var page = require('webpage').create();
var left = Number(system.args[2]);
var watchdog;

if (system.args.length !== 3) {
  system.stderr.writeLine('usage: phantom-events.js http://HOST:PORT/PATH COUNT');
  phantom.exit(2);
} else {
  read(system.args[1]);
}

function read(url) {
  page.onError = function (message) { give(1, { event: 'error', reason: message }); };
  page.onCallback = function (event) {
    feed();
    print(event);
    if (event.event === 'message' && (left -= 1) === 0) phantom.exit(0);
  };
  feed();
  // A page of the gateway's own origin that loads nothing.
  page.setContent('<!DOCTYPE html><title>reads</title>', url.replace(/^(http:\/\/[^\/]*).*/, '$1/empty'));
  page.evaluate(function (address) {
    var events = new EventSource(address);
    var tell = function (kind) {
      return function (event) {
        window.callPhantom({ event: 'message', kind: kind, data: event.data, id: event.lastEventId });
      };
    };
    events.onopen = function () { window.callPhantom({ event: 'open' }); };
    events.onmessage = tell('message');
    events.addEventListener('binary', tell('binary'), false);
    events.addEventListener('gap', tell('gap'), false);
  }, url);
}

function feed() {
  clearTimeout(watchdog);
  watchdog = setTimeout(function () { give(1, { event: 'error', reason: 'nothing happened' }); }, 30000);
}

function print(event) { console.log(JSON.stringify(event)); }

function give(code, event) {
  print(event);
  phantom.exit(code);
}
