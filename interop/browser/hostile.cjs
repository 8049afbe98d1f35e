// Texts that want to be more than texts, from phones (planted by the test) and through forms, the API, sheets, and
// addresses: on every page they stand as what they are. What would fire is heard by every page (lib.cjs).
'use strict';

const { known, note, check, open, go, picture, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

const TEXTS = [
  '<script>alert(1)</script>', '"><img src=x onerror=alert(2)>', "'-alert(3)-'", '</textarea><svg onload=alert(4)>',
  'javascript:alert(5)', '{{7*7}}${7*7}', "'; DROP TABLE extensions; --", "' OR '1'='1", '1); DELETE FROM call_records; --',
  "x' UNION SELECT password FROM users --", '%_%', '\u202egnp.exe', '=cmd|\' /C calc\'!A0', '+1+1', '-2+3', '@SUM(1)',
];
// Those for forms and addresses of pages, where each takes its time; the API gets all.
const TYPED = TEXTS.filter((it) => /[<"{=]/.test(it));
const INSERTED = 'script:not([src]), img[src=x], [onerror], [onload], a[href^="javascript:" i], iframe, object';
const LISTS = ['extensions', 'external-lines', 'sip-trunks', 'call-records', 'audit-entries', 'webhooks', 'calls',
  'registrations', 'users', 'api-keys', 'sessions', 'settings', 'feature-codes'];
const PARAMETERS = ['q', 'cursor', 'after', 'limit', 'search', 'state', 'lang', 'from', 'to', 'way', 'code', 'result',
  'number', 'kind', 'name', 'sim-from', 'sim-dial', 'sim-way', 'sim-at', 'saved'];

let seen = '';
let visits = 0;

// A page, whatever it answers: it is whole, and nothing in it was text before.
async function visit(page, path) {
  visits += 1;
  const answer = await page.goto(new URL(path, known.url).href);
  check(answer.status() < 500, `${path}: ${answer.status()}`);
  check((await page.locator(INSERTED).count()) === 0, `${path}: a text became an element`);
  // What is folded, and what stands in fields, is text too.
  seen += await page.evaluate(() => {
    const values = [...document.querySelectorAll('input, textarea')].map((it) => it.value);
    return document.body.textContent + values.join('\n');
  });
}

// The API with the rights of who looks at the page.
async function send(page, method, path, body, type = 'application/json') {
  const token = await page.locator('input[name=csrf]').first().inputValue();
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await page.evaluate(async ([method, path, sent, type, token]) => {
    const headers = { 'Content-Type': type, 'X-CSRF-Token': token };
    const answer = await fetch(path, { method, headers, body: method === 'GET' ? undefined : sent });
    return { status: answer.status, text: await answer.text() };
  }, [method, path, sent, type, token]);
  check(answer.status < 500, `${method} ${path} with ${sent}: ${answer.status} ${answer.text}`);
  return answer;
}

// What people can name, by its form. Whatever is not refused must be there afterwards.
async function plantByForms(page) {
  const save = (fields) => async () => {
    for (const [name, value] of Object.entries(fields)) {
      const field = page.locator(`[name="${name}"]`).first();
      const tab = await field.evaluate((it) => it.closest('fieldset[id^=panel-]')?.id.slice(6));
      if (tab) await page.click(`label[for=tab-${tab}]`);
      await field.fill(value);
    }
    const at = page.url();
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Control+s')]).catch((error) => {
      throw new Error(`${at} with ${JSON.stringify(fields)}: ${error.message}`);
    });
    check((await page.locator(INSERTED).count()) === 0, `a text became an element after ${JSON.stringify(fields)}`);
  };
  const numbers = ['100', '101', '102', '103', '104', '105', '106', '107', '108', '109'];
  for (const [index, text] of TYPED.entries()) {
    const number = numbers[index % numbers.length];
    await go(page, `/extensions/${number}`);
    await save({ name: text })();
    await go(page, '/external-lines/new');
    await save({ account: `555${index}`, domain: '127.0.0.9', description: text, auth_user: text })();
    await go(page, '/sip-trunks/new');
    await save({ id: String(10 + index), addresses: '127.0.0.8', options_s: '0', description: text })();
    for (const [path, fields] of [['/extensions/new', { number: text, name: text }],
      ['/external-lines/new', { account: text, domain: text }], ['/sip-trunks/new', { id: text, addresses: text }],
      ['/settings', { realm: text }], ['/feature-codes', { echo: text }], ['/administrators', { name: text, password: text }]]) {
      await go(page, path);
      await save(fields)();
    }
    for (const table of ['transitions', 'analyze-caller', 'analyze-called', 'black-list']) {
      await go(page, `/dial-plan/${table}`);
      const place = await page.locator('#grid tbody tr[id^=row-]').count() - 3;
      const prefix = { 'black-list': 'caller', transitions: 'string' }[table] || 'prefix';
      await save({ [`r${place}.${prefix}`]: text, [`r${place}.description`]: text })();
    }
  }
  await go(page, '/settings');
  await save({ realm: 'dialtone' })();
}

async function plantByApi(page) {
  await go(page, '/');
  for (const text of TEXTS) {
    await send(page, 'POST', '/api/v1/api-keys', { name: text, scopes: ['read'] });
    await send(page, 'POST', '/api/v1/users', { name: text, password: 'Long-enough-4-you' });
    await send(page, 'POST', '/api/v1/webhooks', { url: `http://127.0.0.1:9/${text}`, description: text });
    await send(page, 'POST', '/api/v1/webhooks', { url: text });
    await send(page, 'PATCH', '/api/v1/settings/out_group_prefix', { value: text });
    await send(page, 'DELETE', '/api/v1/settings/out_group_prefix', {});
    await send(page, 'POST', '/api/v1/dial-plan:simulate', { from: text, dial: text, at: text });
    const cell = (it) => `"${it.replaceAll('"', '""')}"`;
    const sheet = `number,name\n100,${cell(text)}\n${cell(text)},${cell(text)}\n`;
    await send(page, 'POST', '/api/v1/extensions:import?dry_run=true', sheet, 'text/csv');
    await send(page, 'POST', '/api/v1/extensions:import', `number,name\n109,${cell(text)}\n`, 'text/csv');
    for (const path of [`/api/v1/extensions/${encodeURIComponent(text)}`, `/api/v1/calls/${encodeURIComponent(text)}`]) {
      await send(page, 'GET', path);
      await send(page, 'DELETE', path, {});
    }
    for (const place of ['assets', 'provision']) await send(page, 'GET', `/${place}/${encodeURIComponent(text)}`);
    for (const list of LISTS) {
      const query = ['limit', 'cursor', 'search', 'kind', 'name'].map((it) => `${it}=${encodeURIComponent(text)}`);
      for (const one of [...query, query.slice(1).join('&')]) await send(page, 'GET', `/api/v1/${list}?${one}`);
    }
  }
}

// A cell that a spreadsheet would run.
async function sheetIsInert(page) {
  const { text } = await send(page, 'GET', '/api/v1/extensions:export');
  const cells = text.split(/\r?\n|,/).map((it) => it.replace(/^"/, ''));
  const runs = cells.filter((it) => /^[=+\-@\t＝＋－＠]/.test(it));
  check(runs.length === 0, `cells that run: ${runs}`);
  check(/'=cmd|'\+1\+1|'-2\+3|'@SUM/.test(text), `no such text is in the sheet: ${text}`);
}

main(async (browser) => {
  const page = await open(browser);
  await go(page, '/login');
  await logIn(page, known.administrator);
  await plantByForms(page);
  await plantByApi(page);
  await sheetIsInert(page);

  await go(page, '/');
  const links = await page.$$eval('nav a[href^="/"]', (all) => all.map((it) => it.getAttribute('href')));
  const numbers = [...Array(10).keys()].map((it) => `/extensions/10${it}`);
  const pages = [...new Set(links), ...numbers, ...known.calls, '/extensions/new', '/external-lines/5550',
    '/external-lines/5551/doctor', '/sip-trunks/10', '/administrators/lin/password', '/registrations/100'];
  for (const path of pages) await visit(page, path);
  while (await page.locator('#next').count()) await visit(page, await page.getAttribute('#next', 'href'));
  for (const path of ['/audit', '/webhooks']) {
    await visit(page, path);
    for (let next; (next = page.locator('#next')) && (await next.count()); ) await visit(page, await next.getAttribute('href'));
  }
  await picture(page, 'audit');
  for (const text of TYPED) {
    const encoded = encodeURIComponent(text);
    await visit(page, `/${encoded}`);
    for (const path of ['/', '/extensions', '/call-records', '/audit', '/dial-plan', '/calls', '/login']) {
      await visit(page, `${path}?${PARAMETERS.map((it) => `${it}=${encoded}`).join('&')}`);
    }
    for (const path of ['extensions', 'calls', 'external-lines', 'sip-trunks', 'dial-plan']) {
      await visit(page, `/${path}/${encoded}`);
    }
  }
  for (const path of ['/extensions', '/call-records']) {
    for (const text of TYPED) {
      await go(page, `${path}?lang=en`);
      const box = page.locator('[name=q]');
      await box.fill(text);
      await Promise.all([page.waitForNavigation(), box.press('Enter')]);
      check((await page.locator(INSERTED).count()) === 0, `${path}: searching ${text}`);
      check((await page.inputValue('[name=q]')) === text, `${path}: what was looked for is not in its box: ${text}`);
    }
  }
  await visit(page, known.calls[0]);
  await picture(page, 'call');
  for (const text of [...known.texts, ...TEXTS]) check(seen.includes(text), `${text} stands nowhere`);
  note(`${TEXTS.length} texts, ${visits} pages`);
});
