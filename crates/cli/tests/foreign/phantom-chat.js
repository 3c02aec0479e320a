// A person at the chat page in PhantomJS 1.9.8, a WebKit of 2011: hixie-76; or in
// 2.1.1, of 2013: hybi-13.
//
// phantomjs phantom-chat.js PAGE SAY EXPECT SCREENSHOT
//
// Waits until #state is OPEN and the gateway has greeted the page, so that
// #draft says what is spoken, and prints {"event":"open","draft":…}. When the
// line "go" arrives on stdin, types SAY into #message and clicks #send; when an
// entry of #log holds EXPECT, prints {"event":"message","entry":…}, saves the
// screenshot and ends. Exit code 0: all of it happened; 2: usage; 3: it did not
// in 60 s.
//
// Reading stdin holds up the page's events too. That is harmless: what others
// say meanwhile waits in the socket.

var system = require('system');
var page = require('webpage').create();

if (system.args.length !== 5) {
  system.stderr.writeLine('usage: phantom-chat.js PAGE SAY EXPECT SCREENSHOT');
  phantom.exit(2);
} else {
  chat(system.args[1], system.args[2], system.args[3], system.args[4]);
}

function chat(url, say, expect, screenshot) {
  var waiting = 'for the page to load';

  page.viewportSize = { width: 900, height: 640 };
  page.onError = function (message) {
    give(3, { event: 'error', reason: 'script error in the page: ' + message });
  };
  setTimeout(function () {
    give(3, {
      event: 'error',
      reason: 'waited 60 s ' + waiting,
      page: page.evaluate(function () { return document.body.innerText; })
    });
  }, 60000);

  page.open(url, function (status) {
    if (status !== 'success') {
      give(3, { event: 'error', reason: 'cannot load ' + url });
      return;
    }
    waiting = 'for #state to be OPEN and #draft to be known';
    until(draftSpoken, null, function (draft) {
      print({ event: 'open', draft: draft });
      if (system.stdin.readLine() !== 'go') {
        give(3, { event: 'error', reason: 'stdin ended before "go"' });
        return;
      }
      page.evaluate(function (words) {
        var click = document.createEvent('MouseEvents');
        click.initEvent('click', true, true);
        document.getElementById('message').value = words;
        document.getElementById('send').dispatchEvent(click);
      }, say);
      waiting = 'for ' + expect + ' in #log';
      until(entryWith, expect, function (entry) {
        page.clipRect = { top: 0, left: 0, width: 900, height: 640 };
        page.render(screenshot);
        give(0, { event: 'message', entry: entry });
      });
    });
  });
}

function draftSpoken() {
  var draft = document.getElementById('draft').textContent;
  var open = document.getElementById('state').textContent === 'OPEN';
  return open && draft !== 'not known yet' ? draft : null;
}

function entryWith(words) {
  var entries = document.getElementById('log').children;
  for (var i = 0; i < entries.length; i += 1) {
    if (entries[i].textContent.indexOf(words) !== -1) {
      return entries[i].textContent.replace(/\s+/g, ' ');
    }
  }
  return null;
}

function until(inPage, argument, then) {
  var timer = setInterval(function () {
    var answer = page.evaluate(inPage, argument);
    if (!answer) return;
    clearInterval(timer);
    then(answer);
  }, 25);
}

function give(exitCode, event) {
  print(event);
  phantom.exit(exitCode);
}

function print(event) {
  system.stdout.writeLine(JSON.stringify(event));
  system.stdout.flush();
}
