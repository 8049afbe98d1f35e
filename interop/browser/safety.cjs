// What must not go wrong: a sheet that was not touched changes nothing, and strangers with wrong passwords lock nobody
// out who administers from a trusted address.
'use strict';

const crypto = require('crypto');
const { known, note, check, ask, open, go, picture, accessible, fits, main } = require('./lib.cjs');
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

const STEP_S = 30;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

// What an authenticator shows, so many steps from now (RFC 6238). A code is good once.
function code(secret, later) {
  const bits = [...secret.replace(/[\s=]/g, '')].map((it) => BASE32.indexOf(it).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((it) => parseInt(it, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000 / STEP_S) + later));
  const digest = crypto.createHmac('sha1', key).update(counter).digest();
  const at = digest[19] & 0xf;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

// Without the code the password opens nothing; a code for emergencies opens once.
async function secondFactor(browser) {
  const person = { name: 'mei', password: (await ask('run', { arguments: ['admin', 'add', 'mei'] })).password };
  const page = await open(browser);
  await go(page, '/login');
  await logIn(page, person);
  await go(page, '/administrators/mei/totp');
  await page.fill('#current', person.password);
  await Promise.all([page.waitForNavigation(), page.click('#begin')]);
  const secret = await page.innerText('#secret');
  check((await page.locator('svg#qr').count()) === 1, 'no code for the camera');
  await accessible(page, 'second factor');
  await fits(page, 'second factor');
  await picture(page, 'second-factor');
  await page.fill('#code', code(secret, 0));
  await Promise.all([page.waitForNavigation(), page.click('#confirm')]);
  const emergency = await page.locator('#recovery-codes code').allInnerTexts();
  check(emergency.length >= 5, `${emergency.length} recovery codes`);

  const enter = async (typed) => {
    const other = await open(browser);
    await go(other, '/login');
    await other.fill('input[name=name]', person.name);
    await other.fill('input[name=password]', person.password);
    await Promise.all([other.waitForNavigation(), other.press('input[name=password]', 'Enter')]);
    check((await other.locator('#code').count()) === 1, 'the password alone opens');
    const meanwhile = await other.context().newPage();
    await meanwhile.goto(new URL('/extensions', known.url).href);
    check(new URL(meanwhile.url()).pathname === '/login', 'the password alone opens the extensions');
    await meanwhile.close();
    await other.fill('#code', typed);
    await Promise.all([other.waitForNavigation(), other.press('#code', 'Enter')]);
    await other.goto(new URL('/extensions', known.url).href);
    const opens = new URL(other.url()).pathname === '/extensions';
    await other.context().close();
    return opens;
  };
  check(!(await enter('000000')), 'a wrong code opens');
  check(await enter(code(secret, 1)), 'the right code does not open');
  check(await enter(emergency[0]), 'a recovery code does not open');
  check(!(await enter(emergency[0])), 'a recovery code opens twice');
  await go(page, '/administrators/mei/totp');
  await accessible(page, 'second factor that is on');
  await page.fill('#current-renew', person.password);
  await Promise.all([page.waitForNavigation(), page.click('#renew')]);
  const others = await page.locator('#recovery-codes code').allInnerTexts();
  check(others.length === emergency.length && !others.includes(emergency[1]), 'the same recovery codes');
  check(!(await enter(emergency[1])), 'an earlier recovery code opens');
  check(await enter(others[0]), 'a new recovery code does not open');
}

main(async (browser) => {
  const page = await open(browser);
  await go(page, '/login');
  await logIn(page, known.administrator);
  await roundTrip(page);
  await lockOut(browser);
  await secondFactor(browser);
});
