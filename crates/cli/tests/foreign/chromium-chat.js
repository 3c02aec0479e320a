'use strict';
// A person at the chat page in today's browser, headless Chromium: hybi-13.
//
// node chromium-chat.js PAGE SAY EXPECT SCREENSHOT
//
// Does what phantom-chat.js does and prints the same lines.

const readline = require('readline');
const { chromium } = require('playwright-core');
const { print, fail } = require('./conversation.js');

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const PATIENCE = 60000;

const args = process.argv.slice(2);
if (args.length !== 4) {
  process.stderr.write('usage: chromium-chat.js PAGE SAY EXPECT SCREENSHOT\n');
  process.exit(2);
}
// An open stdin would keep Node alive.
chat(...args).then(() => process.exit(0), (error) => fail(error.message, 3));

async function chat(url, say, expect, screenshot) {
  // The certificates of tests are signed by nobody that a browser knows.
  const secure = url.startsWith('https:') ? ['--ignore-certificate-errors'] : [];
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...FLAGS, ...secure] });
  try {
    const page = await browser.newPage({ viewport: { width: 900, height: 640 } });
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => fail(`script error in the page: ${error.message}`, 3));
    await page.goto(url);
    const draft = await page.waitForFunction(() => {
      const spoken = document.getElementById('draft').textContent;
      const open = document.getElementById('state').textContent === 'OPEN';
      return open && spoken !== 'not known yet' ? spoken : null;
    });
    print({ event: 'open', draft: await draft.jsonValue() });
    await go();
    await page.locator('#message').fill(say);
    await page.locator('#send').click();
    const entry = page.locator('#log > *', { hasText: expect }).first();
    await entry.waitFor({ state: 'visible' });
    await page.screenshot({ path: screenshot });
    print({ event: 'message', entry: (await entry.textContent()).replace(/\s+/g, ' ') });
  } finally {
    await browser.close();
  }
}

async function go() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === 'go') return;
  }
  throw new Error('stdin ended before "go"');
}
