// Hundreds of calls on the live board while they begin and end. How long after its event a row changes, how long the page
// is busy in one go, and that in the end every call stands there as what it is.
'use strict';

const { known, note, check, ask, open, go, picture, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

// What is promised is a second; this is for a machine that has other things to do.
const LATE_MS = 3000;
const BUSY_MS = 1000;
const UP = { timeout: 60000 };

// Runs in the page before its own scripts.
function watch() {
  const seen = { delays: [], busy: [], gaps: [] };
  window.seen = seen;
  new PerformanceObserver((list) => {
    for (const it of list.getEntries()) seen.busy.push(it.duration);
  }).observe({ type: 'longtask', buffered: true });
  let last = performance.now();
  const frame = (now) => {
    seen.gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  document.addEventListener('DOMContentLoaded', () => {
    const body = document.querySelector('#live-calls-table tbody');
    if (!body) return;
    const moments = { started: 'started', answered: 'answered', released: 'ended' };
    const told = new Map();
    const look = (row) => {
      const { id, state } = row.dataset;
      const at = row.dataset[moments[state]];
      if (!id || !at || told.get(id) === state) return;
      told.set(id, state);
      seen.delays.push([state, Date.now() - Date.parse(at)]);
    };
    new MutationObserver((changes) => {
      for (const it of changes) {
        if (it.type === 'attributes') look(it.target);
        else it.addedNodes.forEach((node) => node.dataset && look(node));
      }
    }).observe(body, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-state'] });
  });
}

const sorted = (list) => [...list].sort((one, other) => one - other);
const of = (list, part) => Math.round(sorted(list)[Math.min(list.length - 1, Math.floor(list.length * part))] ?? 0);

main(async (browser) => {
  const page = await open(browser);
  await go(page, '/login');
  await logIn(page, known.administrator);
  await page.addInitScript(watch);
  await go(page, '/calls');
  const count = (state) => page.locator(`tr[data-id][data-state="${state}"]`).count();
  const all = (state) => page.waitForFunction(
    ([state, calls]) => document.querySelectorAll(`tr[data-id][data-state="${state}"]`).length === calls,
    [state, known.calls], UP,
  );

  await ask('begin');
  await all('answered');
  const summary = await page.textContent('#board-status');
  note(`${await count('answered')} calls are up: ${summary.trim()}`);
  // By hand, while calls go on.
  for (const show of ['failed', 'internal', 'all']) await page.click(`[data-filter=${show}]`);
  await all('released');
  await ask('end');
  check((await count('answered')) + (await count('ringing')) + (await count('started')) === 0, 'none is up');
  const ids = await page.$$eval('tr[data-id]', (rows) => new Set(rows.map((it) => it.dataset.id)).size);
  check(ids === known.calls, `${ids} of ${known.calls} calls stand there`);
  await page.waitForFunction(() => document.querySelector('#live-calls strong')?.textContent === '0', null, UP);

  const { delays, busy, gaps } = await page.evaluate(() => window.seen);
  for (const state of ['started', 'answered', 'released']) {
    const found = delays.filter((it) => it[0] === state).map((it) => it[1]);
    const late = of(found, 1);
    note(`${state}: ${found.length} changes, after ${of(found, 0.5)} ms (half), ${of(found, 0.99)} ms (99 %), ${late} ms (all)`);
    // A call may be answered before its row was drawn as started.
    check(state === 'started' || found.length === known.calls, `${found.length} rows changed to ${state}`);
    check(late < LATE_MS, `${state} was shown ${late} ms after it`);
  }
  note(`busy in one go: ${busy.length} times over 50 ms, ${of(busy, 1)} ms at most; between frames ${of(gaps, 1)} ms at most`);
  check(of(busy, 1) < BUSY_MS, `the page was busy for ${of(busy, 1)} ms`);
  // What it costs to make one is no part of the figures.
  await picture(page, 'board');
});
