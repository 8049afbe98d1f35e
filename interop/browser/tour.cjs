// The pictures of the README: an office at work, in both languages. They are kept in docs/tour.
'use strict';

const path = require('path');
const { known, check, ask, open, go, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

const SCREEN = { width: 1020, height: 590 };
const NAMES = {
  en: { 100: 'Front desk', 101: 'Mei Wang', 102: 'Workshop', 103: 'Accounts', line: 'Main number', trunk: 'Shanghai' },
  zh: { 100: '前台', 101: '王梅', 102: '车间', 103: '财务', line: '总机', trunk: '上海分公司' },
};
const run = (line, ...more) => ask('run', { arguments: [...line.split(' '), ...more] });

async function office() {
  const { carrier, peers } = known;
  await run(`line add ${carrier.account} --password ${carrier.password} --owner 100 --domain ${carrier.address}`,
    '--uri-parameters', '', '--caller-number', 'caller');
  await run(`trunk add 1 --health-check 0 --address ${peers['trunk-1']}`);
  await run('ext set 102 --forward-no-answer 100');
  await run('ext set 105 --do-not-disturb true');
}

async function named(language) {
  const names = NAMES[language];
  for (const number of ['100', '101', '102', '103']) await run(`ext set ${number} --name`, names[number]);
  await run(`line set ${known.carrier.account} --description`, names.line);
  await run('trunk set 1 --description', names.trunk);
}

// Rows by the API, as the grid saves them.
async function plan(page) {
  await go(page, '/');
  const token = await page.locator('input[name=csrf]').first().inputValue();
  const tables = {
    transitions: [{ id: 1, type: 'delete', start: 0, length: 1 },
      { id: 2, type: 'replace', start: 0, length: 1, string: '0086' }],
    called: [{ id: 1, prefix: '2', route: { 'sip-trunk': { listed: [1] } } },
      { id: 2, prefix: '9', route: { 'external-line': { line: known.carrier.account } },
        transition: 1 },
      { id: 3, prefix: '900', route: { reject: 403 } }],
    refine_called: [{ id: 1, group: 0, prefix: '0', transition: 2 }],
  };
  const ok = await page.evaluate(async ([token, body]) => {
    const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': token };
    return (await fetch('/api/v1/dial-plan', { method: 'PUT', headers, body })).text();
  }, [token, JSON.stringify({ tables, only: ['transitions', 'called', 'refine_called'] })]);
  check(!/"code"/.test(ok), `the dial plan: ${ok}`);
}

main(async (browser) => {
  await office();
  const pages = {};
  for (const language of ['en', 'zh']) {
    pages[language] = await open(browser, { language, ...SCREEN });
    await go(pages[language], `/login?lang=${language}`);
    await logIn(pages[language], known.administrator);
  }
  await plan(pages.en);
  for (const [from, dial] of [['100', '104'], ['101', '90138'], ['101', '7777'], ['100', '*43']]) {
    await ask('call', { from, dial, way: '' });
  }
  await ask('ring', { from: '100', dial: '102' });
  await ask('pick up');
  await ask('hang up');
  await ask('ring', { from: '100', dial: '101' });
  await ask('pick up');
  await ask('ring', { from: '102', dial: '103' });
  const records = await ask('records', { count: 5 });
  const failed = records.find((it) => it.release_code === 'line.rejected_from');

  for (const [language, page] of Object.entries(pages)) {
    await named(language);
    const shot = async (name, height = SCREEN.height, end = false) => {
      await page.setViewportSize({ ...SCREEN, height });
      await page.evaluate((end) => window.scrollTo(0, end ? document.body.scrollHeight : 0), end);
      await page.screenshot({ path: path.join(known.output, `${name}-${language}.png`), animations: 'disabled' });
    };
    await go(page, '/');
    await shot('home');
    await go(page, '/calls');
    await shot('live-calls');
    await go(page, `/calls/${failed.call_id}`);
    await shot('call', 840);
    await go(page, '/dial-plan/analyze-called');
    await page.fill('#sim-from', '100');
    await page.fill('#sim-dial', '90138');
    await page.waitForFunction(() => /90138/.test(document.querySelector('#steps').textContent));
    await shot('dial-plan', 1030, true);
    await go(page, `/external-lines/${known.carrier.account}/doctor`);
    await page.fill('[name=call]', '10000');
    await Promise.all([page.waitForNavigation({ timeout: 60000 }), page.press('[name=call]', 'Enter')]);
    await shot('doctor');
  }
});
