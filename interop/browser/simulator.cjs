// Some forty calls, each first on the page of the simulator, then placed: the same route, and the page of the call says
// the same again.
'use strict';

const { known, note, check, ask, open, go, picture, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

const WORDS = {
  en: { rings: /would ring extension (\d+)/, answers: /start|feature|echo/i },
  zh: { rings: /分机 (\d+) 振铃/, answers: /启动业务/ },
};
const called = (id, prefix, route, more = {}) => ({ id, prefix, route, ...more });
const none = { plans: [], transitions: [], callers: [], called: [], refine_caller: [], refine_called: [], black_list: [] };

// Tables, and the calls: who, what he dials, and for calls from outside by whom.
const PLANS = [
  { title: 'no rows', calls: [['100', '101'], ['100', '104'], ['100', '9138'], ['100', '*43'], ['100', '5555'],
    ['100', '911'], ['100', '9'], ['0211234', '102', 'trunk-1'], ['0211234', '777', 'trunk-2']] },
  { title: 'routes', tables: {
    transitions: [{ id: 1, type: 'delete', start: 0, length: 1 }],
    called: [
      called(1, '77', { reject: 403 }), called(2, '777', { reject: 486 }),
      called(3, '8', 'local-user', { transition: 1, reanalyze: true }),
      called(4, '0', { 'sip-trunk': { listed: [1] } }), called(5, '00', { 'sip-trunk': { listed: [2, 1] } }),
      called(6, '0138', { 'external-line': { line: '5678' } }), called(7, '6', { 'sip-trunk': { group: 2 } }, { level: 3 }),
      called(8, '101', 'local-user', { time: '2020-01-01' }), called(9, '50', { 'feature-code': 'echo' }),
    ] },
  calls: [['100', '7712'], ['100', '7771'], ['100', '8102'], ['100', '89138'], ['101', '021555'], ['101', '001555'],
    ['101', '013855'], ['100', '6138'], ['103', '6138'], ['100', '101'], ['100', '50']] },
  { title: 'numbers', tables: {
    plans: ['night'],
    transitions: [{ id: 1, type: 'replace', start: 0, length: 1, string: '0086' },
      { id: 2, type: 'insert', start: 0, string: '9021' }, { id: 3, type: 'delete', start: 1, length: 3 }],
    callers: [{ id: 1, prefix: '102', to_plan: 'night' }],
    called: [called(1, '0', { 'sip-trunk': { group: 1 } }), called(2, '00', { 'sip-trunk': { group: 2 } }),
      called(3, '0', { 'sip-trunk': { listed: [2] } }, { plan: 'night', transition: 3 }),
      called(4, '', { reject: 480 }, { plan: 'night' })],
    refine_caller: [{ id: 1, group: 1, prefix: '10', transition: 2 }],
    refine_called: [{ id: 1, group: 1, prefix: '0', transition: 1 }, { id: 2, group: 2, prefix: '', transition: 3 }],
  },
  calls: [['100', '02155'], ['101', '0021666'], ['102', '021555'], ['102', '5'], ['103', '91385'],
    ['102', '101', 'trunk-1']] },
  { title: 'black list', tables: {
    black_list: [{ id: 1, caller: '400', called: '*', rate: 100 }, { id: 2, caller: '*', called: '9900', rate: 100 },
      { id: 3, caller: '101', called: '102', rate: 100 }],
  },
  calls: [['4008888', '101', 'trunk-1'], ['4118888', '101', 'trunk-1'], ['100', '99001'], ['100', '9138'],
    ['101', '102'], ['101', '103']] },
  // Each of these has a record for every extension that sends it on.
  { title: 'forwarding', records: false,
    before: ['ext set 102 --forward-always 103', 'ext set 104 --forward-unreachable 101', 'ext set 106 --forward-always 90138',
      'ext set 105 --do-not-disturb true', 'ext set 107 --forward-always 108', 'ext set 108 --forward-always 107'],
    calls: [['100', '102'], ['100', '104'], ['100', '106'], ['100', '105'], ['100', '107'],
      ['0211234', '102', 'trunk-1']] },
];

// Without the moment, which goes on between the page and the call.
const timeless = (text) => text.trim().replace(/ (at|时间) \S+ .*/, '');

async function change(page, tables) {
  const csrf = await page.locator('input[name=csrf]').first().inputValue();
  const answer = await page.evaluate(async ([csrf, body]) => {
    const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf };
    const answer = await fetch('/api/v1/dial-plan', { method: 'PUT', headers, body });
    return answer.ok ? '' : await answer.text();
  }, [csrf, JSON.stringify({ tables, only: Object.keys(none) })]);
  check(answer === '', `the tables are refused: ${answer}`);
}

async function simulated(page, [from, dial, way]) {
  await go(page, '/dial-plan');
  await page.fill('#sim-from', from);
  if (way) await page.selectOption('#sim-way', way.replace('-', ':'));
  await page.fill('#sim-dial', dial);
  const begins = (dial) => document.querySelector('#steps').textContent.split('\n')[0].includes(` ${dial} `);
  await page.waitForFunction(begins, dial);
  return page.innerText('#steps');
}

// What the steps name is what happened.
function compare(name, text, happened, record, words) {
  const result = text.trim().split('\n').filter((line) => /^(Result: |结果：)/.test(line)).pop() || '';
  const sends = [...text.matchAll(/INVITE (\S+)\s+From <?([^>\s]+)/g)];
  const told = JSON.stringify({ happened, code: record && record.release_code });
  const isRecorded = (code) => !record || record.release_code === code;
  const rings = result.match(words.rings);
  const refused = result.match(/(\d{3})（?\s*\(?([a-z]+\.[a-z_]+)/);
  if (sends.length > 0) {
    const way = (uri, from) => `${uri} ${from.replace(/^sip:|@.*/g, '')}`;
    const expected = sends.map(([, uri, from]) => way(uri, from)).join(', ');
    const real = happened.rung.map((it) => way(it.uri, it.from)).join(', ');
    check(expected === real, `${name}: it says ${expected}, it was ${real}`);
  } else if (rings) {
    const present = !/no phone|没有话机|disturbed|免打扰/.test(result);
    const expected = present ? rings[1] : '';
    check(happened.rung.map((it) => it.who).join() === expected, `${name}: ${result} and ${told}`);
    if (!present) check(isRecorded('callee.not_registered'), `${name}: ${result} and ${told}`);
  } else if (refused) {
    const same = happened.rung.length === 0 && happened.status === Number(refused[1]) && isRecorded(refused[2]);
    check(same, `${name}: ${result} and ${told}`);
  } else {
    const answered = words.answers.test(result) && happened.rung.length === 0 && happened.status === 200;
    check(answered, `${name}: ${result} and ${told}`);
  }
}

main(async (browser) => {
  const pages = {};
  for (const language of ['en', 'zh']) {
    pages[language] = await open(browser, { language });
    await go(pages[language], `/login?lang=${language}`);
    await logIn(pages[language], known.administrator);
  }
  const run = (line, ...more) => ask('run', { arguments: [...line.split(' '), ...more] });
  for (const id of ['1', '2']) {
    await run(`trunk add ${id} --group ${id} --health-check 0 --address`, known.peers[`trunk-${id}`]);
  }
  await run(`line add 5678 --password Line-7-otter --register false --shared true --domain ${known.peers.line}`,
    '--uri-parameters', '');
  await run('ext set 103 --levels 3');
  let done = 0;
  for (const { title, tables, calls, before, records: isRecorded } of PLANS) {
    await change(pages.en, { ...none, ...tables });
    for (const line of before || []) await run(line);
    const rows = [];
    for (const [index, call] of calls.entries()) {
      const language = (done + index) % 2 === 0 ? 'en' : 'zh';
      const name = `${title}: ${call.join(' ')}`;
      const text = await simulated(pages[language], call);
      const happened = await ask('call', { from: call[0], dial: call[1], way: call[2] || '' });
      rows.push({ name, language, text, happened });
    }
    await picture(pages.en, title.replace(' ', '-'));
    done += calls.length;
    const records = isRecorded === false ? [] : await ask('records', { count: done });
    for (const [index, { name, language, text, happened }] of rows.entries()) {
      const record = records[done - calls.length + index];
      compare(name, text, happened, record, WORDS[language]);
      if (!record) continue;
      await go(pages[language], `/calls/${record.call_id}`);
      const replay = await pages[language].innerText('#replay');
      check(timeless(replay) === timeless(text), `${name}: the page of the call says ${replay}`);
    }
  }
  note(`${done} calls go where the simulator said`);
});
