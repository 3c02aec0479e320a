'use strict';
// Today's Chromium as a reader of an event stream, and as the browser of
// somebody who reads a page that means no good.
//
// node chromium-events.js http://HOST:PORT/PATH COUNT
//
// First the page http://localhost:3000/, which the gateway accepts: publishes
// with fetch, after a preflight, and reads COUNT events. Prints
// {"event":"open"}, {"event":"published","status":…,"id":…} and
// {"event":"message","kind":…,"data":…,"id":…}. Then the page
// http://evil.example/: tries to publish and to read in every way that a page
// has, and prints {"event":"tried","way":…,"got":…} for each. Exit code 0 when all was
// tried; 1: an error; 2: usage.

const { chromium } = require('playwright-core');
const { print, fail } = require('./conversation.js');

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  // Today's Chromium keeps pages from loopback by itself, which would leave
  // nothing for the gateway to do. Other browsers do not.
  '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests',
];
const BLANK = { contentType: 'text/html', body: '<!DOCTYPE html><title>page</title><body>' };

const args = process.argv.slice(2);
if (args.length !== 2) {
  process.stderr.write('usage: chromium-events.js http://HOST:PORT/PATH COUNT\n');
  process.exit(2);
}
run(args[0], Number(args[1])).then(() => process.exit(0), (error) => fail(error.message, 1));

async function run(url, count) {
  // The certificates of tests are signed by nobody that a browser knows.
  const secure = url.startsWith('https:') ? ['--ignore-certificate-errors'] : [];
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...FLAGS, ...secure] });
  try {
    await reads(browser, url, count);
    await means_no_good(browser, url);
  } finally {
    await browser.close();
  }
}

async function visit(browser, address) {
  const page = await browser.newPage();
  page.setDefaultTimeout(60000);
  await page.route(`${address}**`, (route) => route.fulfill(BLANK));
  await page.goto(address);
  return page;
}

async function reads(browser, url, count) {
  const page = await visit(browser, 'http://localhost:3000/');
  await page.exposeFunction('tell', print);
  const done = page.evaluate(([address, wanted]) => new Promise((resolve) => {
    // The page closes when all was heard, and when the answer to its own
    // publication is read: the event may come before that.
    let left = wanted + 1;
    const settled = () => {
      left -= 1;
      if (left === 0) { events.close(); resolve(); }
    };
    const events = new EventSource(address);
    const heard = (kind) => (event) => {
      tell({ event: 'message', kind, data: event.data, id: event.lastEventId }).then(settled);
    };
    events.onmessage = heard('message');
    events.addEventListener('binary', heard('binary'));
    events.addEventListener('gap', heard('gap'));
    events.onerror = () => { tell({ event: 'error', state: events.readyState }); resolve(); };
    events.onopen = async () => {
      tell({ event: 'open' });
      const answer = await fetch(address, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '"from the page"',
      });
      await tell({ event: 'published', status: answer.status, id: (await answer.json()).id });
      settled();
    };
  }), [url, count]);
  await done;
  await page.close();
}

async function means_no_good(browser, url) {
  const page = await visit(browser, 'http://evil.example/');
  const tried = await page.evaluate(async (address) => {
    const results = [];
    const attempt = async (way, act) => {
      let got;
      try { got = await act(); } catch (error) { got = `error: ${error.name}`; }
      results.push({ event: 'tried', way, got: String(got) });
    };
    const post = (options) => fetch(address, { method: 'POST', body: 'evil', ...options });
    await attempt('post without a preflight', async () => (await post({ mode: 'no-cors' })).type);
    await attempt('post of text', async () => (await post({})).status);
    await attempt('post of json', async () => (await post({ headers: { 'Content-Type': 'application/json' } })).status);
    await attempt('post without a referrer', async () => (await post({ mode: 'no-cors', referrerPolicy: 'no-referrer' })).type);
    await attempt('poll', async () => (await fetch(`${address}?poll=0`)).status);
    await attempt('beacon', () => navigator.sendBeacon(address, 'evil'));
    await attempt('form', () => new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.name = 'target';
      frame.onload = () => resolve('loaded');
      document.body.append(frame);
      const form = document.createElement('form');
      Object.assign(form, { method: 'POST', action: address, target: 'target', enctype: 'text/plain' });
      form.append(Object.assign(document.createElement('input'), { name: 'evil', value: '1' }));
      document.body.append(form);
      form.submit();
      setTimeout(() => resolve('sent'), 2000);
    }));
    await attempt('events', () => new Promise((resolve) => {
      const events = new EventSource(address);
      events.onopen = () => resolve('open');
      events.onerror = () => resolve(`error, ${events.readyState}`);
    }));
    return results;
  }, url);
  tried.forEach(print);
  await page.close();
}
