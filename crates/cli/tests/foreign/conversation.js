'use strict';
// What every client script in JavaScript holds with the server under test.
//
// Two conversations. By default each text is sent alone and its echo awaited,
// then the connection is closed as the draft closes. With --say and/or --expect
// (for the bus) TEXT is sent when the line "go" arrives on stdin, and the
// connection is closed once the expected text has been received.
//
// One JSON line per event on stdout. Exit code 0: everything matched and the
// connection ended as it should; 1: it did not; 2: usage; 3: nothing happened
// for the time of the watchdog (10 s for echoes, 60 s on the bus).

const crypto = require('crypto');
const readline = require('readline');

const TEXTS = ['Hello', '', 'Grüße ✓ 𝄞', 'a'.repeat(200), 'b'.repeat(70000)];

exports.print = print;
exports.fail = fail;
exports.summary = summary;

/**
 * Runs the conversation that the command line asks for.
 *
 * `peer.drafts` lists the drafts the peer speaks, the first being the default.
 * `peer.connect(url, { draft, subprotocol }, events)` opens the connection,
 * calls `events.open(subprotocol or null)`, `events.message(text)`,
 * `events.close(code or null)` and `events.error(reason)`, and returns
 * `{ send(text), close() }`.
 */
exports.hold = function hold(peer) {
  const options = parse(process.argv.slice(2), peer.drafts);
  const bus = options.say !== undefined || options.expect !== undefined;
  const watchdog = watch(bus ? 60 : 10);
  const talk = bus ? sayAndExpect(options) : echoes();
  let done = false;

  const connection = peer.connect(options.url, options, {
    open(subprotocol) {
      watchdog.feed();
      print({ event: 'open', draft: options.draft, subprotocol });
      const wanted = options.subprotocol === undefined ? null : options.subprotocol;
      if (subprotocol !== wanted) fail(`subprotocol ${subprotocol}, asked for ${wanted}`);
      talk.open(connection, finish);
    },
    message(text) {
      watchdog.feed();
      print({ event: 'message', ...summary(text) });
      talk.message(text, connection, finish);
    },
    close(code) {
      print({ event: 'close', code });
      if (!done) fail('the connection ended in the middle of the conversation');
      process.exit(0);
    },
    error: fail,
  });

  function finish() {
    done = true;
    connection.close();
  }
};

function echoes() {
  let next = 0;
  return {
    open: (connection) => connection.send(TEXTS[next]),
    message(text, connection, finish) {
      if (text !== TEXTS[next]) {
        fail(`echo of ${JSON.stringify(summary(TEXTS[next]))} expected`);
      }
      next += 1;
      if (next < TEXTS.length) connection.send(TEXTS[next]);
      else finish();
    },
  };
}

function sayAndExpect({ say, expect }) {
  let owed = (say === undefined ? 0 : 1) + (expect === undefined ? 0 : 1);
  const settle = (finish) => {
    owed -= 1;
    if (owed === 0) finish();
  };
  return {
    open(connection, finish) {
      if (say === undefined) return;
      const lines = readline.createInterface({ input: process.stdin });
      lines.on('line', (line) => {
        if (line.trim() !== 'go') return;
        lines.close();
        connection.send(say);
        settle(finish);
      });
    },
    message(text, connection, finish) {
      if (text !== expect) return;
      expect = undefined;
      settle(finish);
    },
  };
}

function parse(args, drafts) {
  const options = { draft: drafts[0] };
  while (args.length > 0) {
    const word = args.shift();
    const name = word.replace(/^--/, '');
    if (['draft', 'subprotocol', 'say', 'expect'].includes(name) && name !== word && args.length > 0) {
      options[name] = args.shift();
    } else if (word.startsWith('ws://')) {
      options.url = word;
    } else {
      usage(`unexpected argument: ${word}`);
    }
  }
  if (options.url === undefined) usage('no ws:// URL given');
  if (!drafts.includes(options.draft)) usage(`this peer speaks ${drafts.join(', ')} only`);
  return options;
}

function usage(problem) {
  process.stderr.write(`${problem}\nusage: SCRIPT ws://HOST:PORT/PATH [--draft DRAFT] `
    + '[--subprotocol NAME] [--say TEXT] [--expect TEXT]\n');
  process.exit(2);
}

function watch(seconds) {
  const timer = setTimeout(() => fail(`nothing happened for ${seconds} s`, 3), seconds * 1000);
  return { feed: () => timer.refresh() };
}

function fail(reason, exitCode = 1) {
  print({ event: 'error', reason: String(reason) });
  process.exit(exitCode);
}

/** Long texts are told by their length in octets and their SHA-1. */
function summary(text) {
  if (text.length <= 100) return { text };
  const octets = Buffer.from(text, 'utf8');
  return { length: octets.length, sha1: crypto.createHash('sha1').update(octets).digest('hex') };
}

function print(event) {
  // Synchronous, so that process.exit() loses nothing.
  require('fs').writeSync(1, `${JSON.stringify(event)}\n`);
}
