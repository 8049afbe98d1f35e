// What all scripts share: a browser that may ask nobody but the server, and the line to the test that started it.
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { chromium } = require('playwright-core');

const known = JSON.parse(process.env.BROWSER_CASE);
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function say(value) {
  fs.writeSync(1, JSON.stringify(value) + '\n');
}

const note = (text) => say({ note: text });
const failure = (text) => say({ failure: text });

function check(holds, text) {
  if (!holds) failure(text);
}

// Something that only the test can do.
async function ask(word, more = {}) {
  say({ ask: word, ...more });
  const { value } = await answers.next();
  return JSON.parse(value).given;
}

// A page of a browser that was never here. What goes wrong in it is a failure of the case: an error of a script, what
// the policy for contents refused, a request to anybody else.
async function open(browser, { language = 'en', width = 1366, height = 768 } = {}) {
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB';
  const context = await browser.newContext({ locale, viewport: { width, height } });
  const page = await context.newPage();
  const home = new URL(known.url).origin;
  page.on('pageerror', (error) => failure(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    // What the server refuses on purpose is on the console too.
    const refused = /Failed to load resource/.test(message.text());
    if (message.type() === 'error' && !refused) failure(`${page.url()}: ${message.text()}`);
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    const own = url.origin === home || url.protocol === 'data:' || url.protocol === 'blob:';
    check(own, `a request to ${request.url()}`);
  });
  // A text that got into a page as markup would call this.
  page.on('dialog', (dialog) => {
    failure(`${page.url()}: a dialog says ${dialog.message()}`);
    dialog.dismiss();
  });
  return page;
}

async function go(page, to) {
  const response = await page.goto(new URL(to, known.url).href);
  check(response.ok(), `${to}: ${response.status()}`);
  const came = new URL(page.url()).pathname;
  check(came === new URL(to, known.url).pathname, `${to} led to ${came}`);
  return response;
}

// Screenshots stay, for whoever looks at the pages.
async function picture(page, name) {
  await page.screenshot({ path: path.join(known.output, `${name}.png`), fullPage: true });
}

// Serious findings of axe-core are failures.
async function accessible(page, name) {
  await page.evaluate(fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  for (const it of found.violations.filter((it) => ['serious', 'critical'].includes(it.impact))) {
    failure(`${name}: ${it.id}: ${it.help}: ${it.nodes[0].html.slice(0, 120)}`);
  }
}

async function fits(page, name) {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  check(wide <= seen, `${name}: ${wide} pixels wide on a screen of ${seen}`);
}

// Runs the body with a browser; the process ends with it.
async function main(body) {
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  const browser = await chromium.launch({ executablePath: known.chromium, args });
  try {
    await body(browser);
  } catch (error) {
    failure(error.message.split('\n').slice(0, 3).join(' '));
  }
  await browser.close();
  process.exit(0);
}

module.exports = { known, note, failure, check, ask, open, go, picture, accessible, fits, main };
