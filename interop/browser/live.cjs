// A real call on the live board: each state within a second, by colour, icon and word; then it is hung up here.
'use strict';

const { known, note, check, ask, open, go, picture, accessible, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

const SECOND = 1000;

main(async (browser) => {
  const page = await open(browser);
  await go(page, '/login');
  await logIn(page, known.administrator);
  await go(page, '/calls');
  await accessible(page, 'live board');
  const row = page.locator('tr[data-id]').first();

  async function becomes(state, event) {
    const begun = Date.now();
    await event();
    const happened = Date.now();
    await page.waitForSelector(`tr[data-id][data-state="${state}"]`, { timeout: 5 * SECOND });
    const took = Date.now() - happened;
    check(took < SECOND, `${state} after ${took} ms`);
    note(`${state}: ${took} ms after the phones (${happened - begun} ms)`);
    await picture(page, `live-${state}`);
  }

  await becomes('ringing', () => ask('call'));
  const text = await row.innerText();
  check(text.includes('100') && text.includes('101'), `the row says ${text}`);
  await becomes('answered', () => ask('answer'));
  await accessible(page, 'live board with a call');
  await becomes('released', async () => {
    await row.locator('[data-hangup]').click();
    await page.click('dialog[open] button[value=hangup]');
    await ask('hear the end');
  });
});
