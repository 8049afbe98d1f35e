// Texts that a phone chose stand on the pages as texts. What would fire is heard by every page (lib.cjs).
'use strict';

const { known, check, open, go, picture, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

main(async (browser) => {
  const page = await open(browser);
  await go(page, '/login');
  await logIn(page, known.administrator);
  let seen = '';
  for (const path of ['/', '/registrations', '/extensions/100', '/call-records', ...known.calls]) {
    await go(page, path);
    const made = await page.$$eval('script:not([src]), img[src=x], [onerror]', (all) => all.length);
    check(made === 0, `${path}: a text became an element`);
    // What is folded is text too.
    seen += await page.evaluate(() => document.body.textContent);
  }
  for (const text of known.texts) check(seen.includes(text), `${text} stands nowhere`);
  await picture(page, 'call');
});
