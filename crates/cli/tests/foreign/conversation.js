'use strict';
// What every client script, in JavaScript and in other languages, holds with
// the server under test.
//
// Two conversations. By default each text is sent alone and its echo awaited
// (none that is longer than --up-to says, in octets), then with --binary the
// octets 0 to 255, then with --ping a ping, then three texts at once (with
// --at-once COUNT the numbers up to it), and then the connection is closed as
// the draft closes. With --say and --expect (for
// the bus, --expect as often as texts are expected) TEXT is sent when the line
// "go" arrives on stdin, and the connection is closed when "bye" arrives: the
// texts that were expected are told, in whatever order they come. If the server
// closes first, the event is "left". A ping is told in either conversation.
//
// One JSON line per event on stdout. Exit code 0: everything matched and the
// connection ended as it should; 1: it did not; 2: usage; 3: nothing happened
// for the time of the watchdog (10 s for echoes, 60 s on the bus).

const crypto = require('crypto');
const readline = require('readline');

const TEXTS = ['Hello', '', 'Grüße ✓ 𝄞', 'a'.repeat(200), 'b'.repeat(70000)];
const OCTETS = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
const PING = 'still there?';
const AT_ONCE = ['one', 'two', 'three'];

exports.print = print;
exports.fail = fail;
exports.summary = summary;

/**
 * Runs the conversation that the command line asks for.
 *
 * `peer.drafts` lists the drafts the peer speaks, the first being the default.
 * `peer.connect(url, { draft, subprotocol }, events)` opens the connection,
 * calls `events.open(subprotocol or null)`, `events.message(text)`,
 * `events.binary(octets)`, `events.ping()`, `events.pong(text)`,
 * `events.close(code or null)` and `events.error(reason)`, and returns `{ send(text), close() }`, where there is
 * binary and ping also `binary(octets)` and `ping(text)`.
 */
exports.hold = function hold(peer) {
  const options = parse(process.argv.slice(2), peer.drafts);
  const bus = options.say !== undefined;
  const watchdog = watch(bus ? 60 : 10);
  const talk = bus ? sayAndExpect(options) : echoes(options);
  let done = false;

  const heard = (arrived) => {
    watchdog.feed();
    talk.heard(arrived, connection, finish);
  };
  const connection = peer.connect(options.url, options, {
    open(subprotocol) {
      watchdog.feed();
      print({ event: 'open', draft: options.draft, subprotocol });
      const wanted = options.subprotocol === undefined ? null : options.subprotocol;
      if (subprotocol !== wanted) fail(`subprotocol ${subprotocol}, asked for ${wanted}`);
      talk.open(connection, finish);
    },
    message: (text) => heard({ event: 'message', ...summary(text) }),
    binary: (octets) => heard({ event: 'binary', ...digest(octets) }),
    ping: () => print({ event: 'ping' }),
    pong: (text) => heard({ event: 'pong', text }),
    close(code) {
      if (!done && !bus) fail('the connection ended in the middle of the conversation');
      print({ event: done ? 'close' : 'left', code });
      process.exit(0);
    },
    error: fail,
  });

  function finish() {
    done = true;
    connection.close();
  }
};

/** Turns: what is sent, and what must come back before the next one. */
function echoes({ upTo, binary, ping, atOnce }) {
  const text = (sent) => ({ event: 'message', ...summary(sent) });
  const turns = TEXTS.filter((each) => Buffer.byteLength(each) <= upTo)
    .map((each) => ({ send: (to) => to.send(each), back: [text(each)] }));
  if (binary) turns.push({ send: (to) => to.binary(OCTETS), back: [{ event: 'binary', ...digest(OCTETS) }] });
  if (ping) turns.push({ send: (to) => to.ping(PING), back: [{ event: 'pong', text: PING }] });
  turns.push({ send: (to) => atOnce.forEach((each) => to.send(each)), back: atOnce.map(text) });
  return {
    open: (connection) => turns[0].send(connection),
    heard(arrived, connection, finish) {
      print(arrived);
      const wanted = JSON.stringify(turns[0].back.shift());
      if (JSON.stringify(arrived) !== wanted) fail(`${wanted} was expected`);
      if (turns[0].back.length > 0) return;
      turns.shift();
      if (turns.length > 0) turns[0].send(connection);
      else finish();
    },
  };
}

function sayAndExpect({ say, expect }) {
  return {
    open(connection, finish) {
      readline.createInterface({ input: process.stdin }).on('line', (line) => {
        if (line === 'go') connection.send(say);
        if (line === 'bye') finish();
      });
    },
    heard: (arrived) => expect.includes(arrived.text) && print(arrived),
  };
}

function parse(args, drafts) {
  const options = { draft: drafts[0], upTo: Infinity, atOnce: AT_ONCE, expect: [] };
  while (args.length > 0) {
    const word = args.shift();
    const name = word.replace(/^--/, '');
    if (['--binary', '--ping'].includes(word)) {
      options[name] = true;
    } else if (['--draft', '--subprotocol', '--say'].includes(word) && args.length > 0) {
      options[name] = args.shift();
    } else if (word === '--expect' && args.length > 0) {
      options.expect.push(args.shift());
    } else if (word === '--up-to' && args.length > 0) {
      options.upTo = Number(args.shift());
    } else if (word === '--at-once' && args.length > 0) {
      options.atOnce = Array.from({ length: Number(args.shift()) }, (_, before) => `${before + 1}`);
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
    + '[--subprotocol NAME] [--up-to OCTETS] [--binary] [--ping] '
    + '[--at-once COUNT] [--say TEXT [--expect TEXT]...]\n');
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
  return text.length <= 100 ? { text } : digest(Buffer.from(text, 'utf8'));
}

function digest(octets) {
  return { length: octets.length, sha1: crypto.createHash('sha1').update(octets).digest('hex') };
}

function print(event) {
  // Synchronous, so that process.exit() loses nothing.
  require('fs').writeSync(1, `${JSON.stringify(event)}\n`);
}
