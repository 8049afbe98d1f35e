// What must not go wrong: a sheet that was not touched changes nothing, and strangers with wrong passwords lock nobody
// out who administers from a trusted address.
'use strict';

const { known, note, check, open, go, picture, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

// As a proxy tells of it: not this machine, and on no list.
const STRANGER = '198.51.100.7';
const WRONG = 12;

async function send(page, method, path, body) {
  const token = await page.locator('input[name=csrf]').first().inputValue();
  return page.evaluate(async ([method, path, body, token]) => {
    const headers = { 'Content-Type': 'text/csv', 'X-CSRF-Token': token };
    const answer = await fetch(path, { method, headers, body });
    const text = await answer.text();
    return { ok: answer.ok, text, json: answer.headers.get('content-type').includes('json') ? JSON.parse(text) : null };
  }, [method, path, body, token]);
}

async function roundTrip(page) {
  await go(page, '/');
  const sheet = await send(page, 'GET', '/api/v1/extensions:export');
  const lines = sheet.text.trim().split('\n').length - 1;
  check(lines >= 10, `a sheet of ${lines} extensions`);
  for (const text of [sheet.text, `\ufeff${sheet.text.replace(/\r?\n/g, '\r\n')}`]) {
    for (const dry of [true, false]) {
      const report = await send(page, 'POST', `/api/v1/extensions:import?dry_run=${dry}`, text);
      const changes = report.ok ? report.json.added.length + report.json.changed.length + report.json.problems.length : -1;
      check(changes === 0, `an untouched sheet (dry run: ${dry}): ${report.text}`);
    }
  }
  const at = sheet.text.split('\n')[0].split(',').indexOf('name');
  const changed = sheet.text.replace(/^109,.*/m, (row) => row.split(',').map((cell, it) => (it === at ? 'Night watch' : cell)).join(','));
  check(changed !== sheet.text, 'there is no row of 109');
  const dry = await send(page, 'POST', '/api/v1/extensions:import?dry_run=true', changed);
  check(dry.ok && dry.json.changed.length === 1, `one cell: ${dry.text}`);
  await go(page, '/extensions/109');
  check((await page.inputValue('[name=name]')) !== 'Night watch', 'a dry run changes something');
  await go(page, '/');
  await send(page, 'POST', '/api/v1/extensions:import', changed);
  await go(page, '/extensions/109');
  check((await page.inputValue('[name=name]')) === 'Night watch', 'the import changes nothing');
}

async function lockOut(browser) {
  const stranger = await open(browser);
  await stranger.context().setExtraHTTPHeaders({ 'X-Forwarded-For': STRANGER });
  let waits = false;
  for (let attempt = 0; attempt < WRONG && !waits; attempt += 1) {
    await go(stranger, '/login');
    await stranger.fill('input[name=name]', known.administrator.name);
    await stranger.fill('input[name=password]', `guess-number-${attempt}`);
    const [answer] = await Promise.all([stranger.waitForNavigation(), stranger.press('input[name=password]', 'Enter')]);
    check(answer.status() < 500, `a wrong password: ${answer.status()}`);
    check(new URL(stranger.url()).pathname === '/login', 'a wrong password opens');
    waits = answer.status() === 429 || /wait|later|again in/i.test(await stranger.innerText('main'));
  }
  check(waits, `${WRONG} wrong passwords of a stranger in a row cost him nothing`);
  await picture(stranger, 'stranger');
  const trusted = await open(browser);
  await go(trusted, '/login');
  const begun = Date.now();
  await logIn(trusted, known.administrator);
  note(`signed in from the trusted address meanwhile: ${Date.now() - begun} ms`);
}

main(async (browser) => {
  const page = await open(browser);
  await go(page, '/login');
  await logIn(page, known.administrator);
  await roundTrip(page);
  await lockOut(browser);
});
