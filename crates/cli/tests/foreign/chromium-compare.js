'use strict';
// A person at the page that `draftgate compare --format html` writes, in headless
// Chromium: points at fields and at octets, with the mouse, with a finger and
// with the keyboard, and tells what is lit.
//
// node chromium-compare.js PAGE SCREENSHOT
//
// PAGE is a file; the browser is offline. One JSON line on stdout for each thing
// that was done: {"event": "lit", "by", "scope", "octets", "bits", "fields"},
// the octets in hexadecimal, the fields by name. Exit code 0: all was done; 3:
// the page has a script error, or loads something, or the watchdog bit.

const { pathToFileURL } = require('url');
const { chromium } = require('playwright-core');
const { print, fail } = require('./conversation.js');

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const PATIENCE = 60000;

const args = process.argv.slice(2);
if (args.length !== 2) {
  process.stderr.write('usage: chromium-compare.js PAGE SCREENSHOT\n');
  process.exit(2);
}
point(...args).then(() => process.exit(0), (error) => fail(error.message, 3));

async function point(file, screenshot) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
  try {
    const context = await browser.newContext({
      viewport: { width: 1100, height: 900 }, hasTouch: true, offline: true,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => fail(`script error in the page: ${error.message}`, 3));
    const address = pathToFileURL(file).href;
    page.on('request', (request) => {
      if (request.url() !== address) fail(`the page loads ${request.url()}`, 3);
    });
    await page.goto(address);
    const count = await page.locator('.scope').count();
    for (let at = 0; at < count; at += 1) await visit(page, at, screenshot);
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    print({ event: 'narrow', room: 360, wide });
  } finally {
    await browser.close();
  }
}

// Every field of one strip, by name, and one octet of each.
async function visit(page, at, screenshot) {
  const scope = page.locator('.scope').nth(at);
  const rows = scope.locator('tbody tr');
  const names = await scope.locator('td.name').allTextContents();
  await page.mouse.move(1, 1);
  await tell(scope, at, 'nothing');
  for (const [row, name] of names.entries()) {
    await rows.nth(row).hover();
    await tell(scope, at, `field ${name}`);
  }
  if (at === 1) await page.screenshot({ path: screenshot });
  const octets = scope.locator('.octet');
  await octets.last().hover({ position: { x: 6, y: 4 } });
  await tell(scope, at, 'last octet');
  const bits = scope.locator('.bits b');
  if (await bits.count() > 0) {
    await bits.first().hover();
    await tell(scope, at, 'first bit');
  }
  await page.mouse.move(1, 1);
  await rows.first().focus();
  await tell(scope, at, 'focus on the first field');
  await page.keyboard.press('Tab');
  await tell(scope, at, 'Tab');
  await scope.locator('.cell').first().focus();
  await tell(scope, at, 'focus on the first octets');
  await page.keyboard.press('Escape');
  await tell(scope, at, 'Escape');
  await page.evaluate(() => document.activeElement.blur());
  await rows.last().tap();
  await tell(scope, at, 'tap on the last field');
  await rows.last().tap();
  await page.evaluate(() => document.activeElement.blur());
}

async function tell(scope, at, by) {
  const lit = await scope.evaluate((element) => {
    const texts = (selector, text) => [...element.querySelectorAll(selector)].map(text);
    return {
      octets: texts('.octet.lit', (octet) => octet.firstChild.textContent).join(' '),
      bits: texts('.bits .lit', (bit) => bit.textContent).join(''),
      fields: texts('tbody tr.lit td.name', (name) => name.textContent),
    };
  });
  print({ event: 'lit', by, scope: at, ...lit });
}
