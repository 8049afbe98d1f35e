// Everything that is kept is made, changed, found and deleted on the pages, in both languages, as by a person who
// prefers the keyboard; what is wrong is said beside its field, in his language.
'use strict';

const { known, note, check, open, go, picture, accessible, fits, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

const CHINESE = /[\u4e00-\u9fff]/;
const SCREENS = [{ width: 360, height: 740 }, { width: 1366, height: 768 }];

// What one person does in one language; `own` makes numbers that the other has not.
class Person {
  constructor(page, language) {
    Object.assign(this, { page, language, steps: 0 });
    this.own = (number) => String(number + (language === 'zh' ? 1 : 0));
  }

  at(path) {
    check(new URL(this.page.url()).pathname === path, `instead of ${path}: ${this.page.url()}`);
  }

  speaks(text, where) {
    check(text.trim() !== '', `${where}: nothing is said`);
    check(CHINESE.test(text) === (this.language === 'zh'), `${where}, in the wrong language: ${text}`);
  }

  // The page as it is now, on both screens.
  async look(name) {
    for (const screen of SCREENS) {
      await this.page.setViewportSize(screen);
      await fits(this.page, `${name} ${this.language}`);
      await picture(this.page, `${name}-${this.language}-${screen.width}`);
    }
    await accessible(this.page, `${name} ${this.language}`);
  }

  // Fields by name: a text is written, yes and no ticked, what begins with = chosen.
  async fill(fields) {
    for (const [name, value] of Object.entries(fields)) {
      const field = this.page.locator(`[name="${name}"]`);
      const tab = await field.first().evaluate((it) => it.closest('fieldset[id^=panel-]')?.id.slice(6));
      if (tab) await this.page.click(`label[for=tab-${tab}]`);
      if (typeof value === 'boolean') await field.setChecked(value);
      else if (value.startsWith('=')) await field.selectOption(value.slice(1));
      else await field.fill(value);
    }
  }

  async leave(act) {
    await Promise.all([this.page.waitForNavigation(), act()]);
    this.steps += 1;
  }

  // Saves by the keyboard.
  async save(fields) {
    await this.fill(fields);
    await this.leave(() => this.page.keyboard.press('Control+s'));
  }

  async saves(fields, name) {
    await this.save(fields);
    check((await this.page.locator('#saved').count()) === 1, `${name}: it is not saved: ${await this.trouble()}`);
  }

  // The field is shown with what is wrong with it.
  async isRefused(fields, name) {
    await this.save(fields);
    const wrong = this.page.locator('.field.wrong .error:visible').first();
    if ((await wrong.count()) === 0) return check(false, `${name}: no field is wrong: ${await this.trouble()}`);
    this.speaks(await wrong.innerText(), name);
    await this.look(name);
  }

  async trouble() {
    const wrong = this.page.locator('#wrong, .error');
    return (await wrong.allInnerTexts()).join(' ').replace(/\s+/g, ' ');
  }

  // From its own page, by the button and the question.
  async deletes(home) {
    await this.leave(() => this.page.click('#delete'));
    await this.leave(() => this.page.click('main form #delete'));
    this.at(home);
  }

  async undo() {
    await go(this.page, '/audit');
    await this.leave(() => this.page.locator('button[id^=undo-]').first().click());
  }
}

async function extensions(it) {
  const { page } = it;
  const number = it.own(210);
  await go(page, '/extensions');
  await it.leave(() => page.click('#add'));
  await it.isRefused({ number: '100' }, 'extension-refused');
  await it.isRefused({ number, calls: '2000' }, 'extension-calls-refused');
  await it.save({ calls: '3', name: 'Gate <b>&' });
  check((await page.locator(`#card-${number} svg.code`).count()) === 1, `no card of ${number}: ${await it.trouble()}`);
  await go(page, '/extensions');
  const row = page.locator('#rows tbody tr');
  const is = async (count, what) => {
    await page.waitForFunction((count) => document.querySelectorAll('#rows tbody tr').length === count, count);
    check((await row.allInnerTexts()).every((text) => text.includes(number)), what);
  };
  await page.locator('#q').pressSequentially('gate <B');
  await is(1, 'found by description');
  check(new URL(page.url()).searchParams.get('q') === 'gate <B', 'what is looked for stands in the address');
  await it.look('extension-found');
  await it.leave(() => row.locator('a').click());
  await it.saves({ name: 'Door', 'forward.busy': '100' }, 'extension');
  check((await page.inputValue('[name=name]')) === 'Door', 'the new description');
  await it.deletes('/extensions');
  await page.fill('#q', number);
  await is(0, 'a deleted extension is not found');
  await it.undo();
  // His phone has its password still: there is no new one to show.
  it.at('/audit');
  await it.look('extension-again');
  await go(page, `/extensions/${number}`);
  check((await page.inputValue('[name=name]')) === 'Door', 'as it was');
  check((await page.inputValue('[name="forward.busy"]')) === '100', 'with its forwarding');
}

async function outside(it) {
  const { page } = it;
  const account = it.own(5551230);
  await go(page, '/external-lines/new');
  await it.isRefused({ account, domain: '127.0.0.9', password: 'x-7-secret', expires_s: '5' }, 'line-refused');
  await it.saves({ expires_s: '600', password: 'x-7-secret', register: false }, 'line');
  await it.saves({ description: 'Main', incoming: '=number', 'incoming.value': '100' }, 'line');
  check((await page.content()).includes('x-7-secret') === false, 'a password comes back');
  await go(page, '/external-lines');
  check((await page.innerText('#rows')).includes(account), 'the line is in the list');
  await it.look('lines');
  await it.leave(() => page.click(`text="${account}"`));
  await it.deletes('/external-lines');

  const id = it.own(7);
  await go(page, '/sip-trunks/new');
  await it.isRefused({ id, addresses: '127.0.0.8', options_s: '1' }, 'trunk-refused');
  await it.saves({ options_s: '0' }, 'trunk');
  await it.saves({ description: 'Shanghai' }, 'trunk');
  await go(page, '/sip-trunks');
  await it.leave(() => page.click(`#rows >> text="${id}"`));
  await it.deletes('/sip-trunks');
}

// Each table: a wrong row, a right one, changed, and gone. Rows are known by their numbers.
async function tables(it) {
  const { page } = it;
  const id = it.own(50);
  const every = {
    'transitions': [{ type: '=delete', start: '0', length: 'two' }, { length: '2' }, { description: 'Cut' }],
    'analyze-caller': [{ prefix: '13', transition: '99' }, { transition: id }, { prefix: '138' }],
    'analyze-called': [{ prefix: '7', route: '=trunk', 'route.value': 'x' },
      { route: '=reject', 'route.value': '403' }, { prefix: '77' }],
    'refine-caller': [{ prefix: '9', transition: '98' }, { transition: id }, { prefix: '90' }],
    'refine-called': [{ prefix: '9', transition: 'x' }, { transition: id }, { prefix: '90' }],
    'black-list': [{ caller: '400', rate: '200' }, { rate: '100' }, { description: 'Ads' }],
  };
  for (const [table, [wrong, right, changed]] of Object.entries(every)) {
    await go(page, `/dial-plan/${table}`);
    const place = await page.locator('#grid tbody tr[id^=row-]').count() - 3;
    const named = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [`r${place}.${name}`, value]));
    await it.save(named({ id, ...wrong }));
    check((await page.locator('#wrong').count()) === 1, `${table}: ${JSON.stringify(wrong)} is saved`);
    check((await page.locator(`#row-${place}.wrong`).count()) === 1, `${table}: the wrong row is not marked`);
    it.speaks(await it.trouble(), table);
    await it.look(`${table}-refused`);
    await it.saves(named(right), table);
    await it.saves(named(changed), table);
    await it.look(table);
    const [[name, value]] = Object.entries(named(changed));
    check((await page.inputValue(`[name="${name}"]`)) === value, `${table}: ${name} is not ${value}`);
  }
  for (const table of Object.keys(every).reverse()) {
    await go(page, `/dial-plan/${table}`);
    const rows = await page.locator('#grid tbody tr[id^=row-]').count();
    await it.saves({ [`r${rows - 4}.delete`]: true }, `deleting in ${table}`);
    check((await page.locator('#grid tbody tr[id^=row-]').count()) === rows - 1, `${table}: the row is still there`);
  }
}

async function codesAndSettings(it) {
  const { page } = it;
  await go(page, '/feature-codes');
  const echo = page.locator('[name=echo]');
  const usual = await echo.inputValue();
  await it.isRefused({ echo: 'echo' }, 'code-refused');
  await it.saves({ echo: '*77*' }, 'code');
  await it.saves({ echo: usual }, 'code');
  await go(page, '/settings');
  const before = await page.inputValue('[name=no_answer_s]');
  await it.isRefused({ no_answer_s: '9999' }, 'setting-refused');
  await it.saves({ no_answer_s: '25' }, 'setting');
  check((await page.inputValue('[name=no_answer_s]')) === '25', 'the setting');
  await it.undo();
  await go(page, '/settings');
  check((await page.inputValue('[name=no_answer_s]')) === before, 'the setting is as before');
}

async function people(it, browser) {
  const { page } = it;
  await go(page, '/api-keys');
  await it.isRefused({ name: 'Board' }, 'key-refused');
  check((await page.inputValue('[name=name]')) === 'Board', 'what was entered is lost');
  await it.fill({ name: 'Board' });
  await page.check('#scope-read');
  await it.leave(() => page.press('[name=name]', 'Enter'));
  const key = await page.innerText('#key');
  const answers = async () => {
    const headers = { Authorization: `Bearer ${key}` };
    return (await fetch(new URL('/api/v1/extensions', known.url), { headers })).status;
  };
  check((await answers()) === 200, 'the new key is of no use');
  await go(page, '/api-keys');
  check(!(await page.content()).includes(key), 'the key is shown again');
  await it.leave(() => page.locator('tbody button').first().click());
  check((await answers()) === 401, 'a revoked key opens');

  const other = { name: it.language === 'zh' ? '王芳' : 'wang', password: 'Lamp-52-river' };
  await go(page, '/administrators');
  await it.isRefused({ name: other.name, password: 'short' }, 'administrator-refused');
  await it.save(other);
  const second = await open(browser, { language: it.language });
  await go(second, '/login');
  await logIn(second, other);
  await go(page, '/administrators');
  await it.look('administrators');
  await it.leave(() => page.locator(`#users tr:has-text("${other.name}") a`).last().click());
  await it.leave(() => page.click('main form #delete'));
  await second.goto(new URL('/extensions', known.url).href);
  check(new URL(second.url()).pathname === '/login', 'the session of a deleted administrator goes on');
  await second.context().close();
}

// Two windows on one extension: who saves last is told, and nothing of the first is lost.
async function conflict(it) {
  const { page } = it;
  const other = await page.context().newPage();
  await go(page, '/extensions/105');
  await go(other, '/extensions/105');
  await other.fill('[name=name]', `First ${it.language}`);
  await Promise.all([other.waitForNavigation(), other.click('#save')]);
  await it.save({ name: `Second ${it.language}` });
  const said = await it.trouble();
  it.speaks(said, 'conflict');
  check(said.includes(known.administrator.name), `who changed it is not said: ${said}`);
  await it.look('conflict');
  await go(other, '/extensions/105');
  check((await other.inputValue('[name=name]')) === `First ${it.language}`, 'the first change is lost');

  // The same in a grid, where one saves beside the other.
  await go(page, '/dial-plan/black-list');
  await go(other, '/dial-plan/black-list');
  const row = (table) => table.locator('#grid tbody tr[id^=row-]').count().then((count) => `r${count - 3}`);
  const [here, there] = [await row(page), await row(other)];
  await other.fill(`[name="${there}.caller"]`, it.own(4000));
  await Promise.all([other.waitForNavigation(), other.click('#save')]);
  await it.save({ [`${here}.caller`]: it.own(4002) });
  const unseen = await it.trouble();
  it.speaks(unseen, 'a grid that was changed meanwhile');
  check(unseen.includes(known.administrator.name), `who changed the grid is not said: ${unseen}`);
  check((await page.locator('#saved').count()) === 0, 'a grid overwrites unseen');
  await it.saves({}, 'a grid whose change was seen');
  await other.close();
}

main(async (browser) => {
  for (const language of ['en', 'zh']) {
    const page = await open(browser, { language });
    await go(page, `/login?lang=${language}`);
    await logIn(page, known.administrator);
    const it = new Person(page, language);
    for (const part of [extensions, outside, tables, codesAndSettings, people, conflict]) {
      try {
        await part(it, browser);
      } catch (error) {
        throw new Error(`${part.name} ${language} on ${page.url()}: ${error.message}`);
      }
    }
    note(`${language}: ${it.steps} forms and buttons`);
    await page.context().close();
  }
});
