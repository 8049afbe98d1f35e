// What keeps the machine: backups, webhooks, its certificate, sheets of extensions, captures; in both languages, on both
// screens.
'use strict';

const fs = require('fs');
const http = require('http');
const { known, note, check, ask, open, go, picture, accessible, fits, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

const CHINESE = /[\u4e00-\u9fff]/;
const SCREENS = [{ width: 360, height: 740 }, { width: 1366, height: 768 }];
const PASSWORD = 'Cup-38-window';

// What one person does in one language.
class Person {
  constructor(page, language) {
    Object.assign(this, { page, language });
  }

  async look(name) {
    for (const screen of SCREENS) {
      await this.page.setViewportSize(screen);
      await fits(this.page, `${name} ${this.language}`);
      await picture(this.page, `${name}-${this.language}-${screen.width}`);
    }
    await accessible(this.page, `${name} ${this.language}`);
  }

  async press(button) {
    await Promise.all([this.page.waitForNavigation(), this.page.click(button)]);
  }

  // What went wrong is said, in the person's language.
  async isTold(what, where = '#wrong') {
    const said = await this.page.innerText(where);
    check(said.trim() !== '' && CHINESE.test(said) === (this.language === 'zh'), `${what}: ${said}`);
  }

  at(path) {
    check(new URL(this.page.url()).pathname === path, `instead of ${path}: ${this.page.url()}`);
  }

  async deletes(home) {
    await this.press('main form #delete');
    this.at(home);
  }
}

const file = (name, content) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) });

async function backups(it) {
  const { page } = it;
  const rows = () => page.locator('#backups tbody tr').count();
  await go(page, '/backups');
  await page.fill('#password', 'short');
  await it.press('#create');
  await it.isTold('a short password of a backup');
  const before = await rows();
  await page.fill('#password', PASSWORD);
  await it.press('#create');
  check((await rows()) === before + 1, 'no backup was made');
  await it.look('backups');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#backups tbody tr a[download]')]);
  const kept = fs.readFileSync(await download.path());
  check(kept[0] === 0x1f && kept[1] === 0x8b, 'what is downloaded is no archive');
  await it.press('#backups tbody tr:first-child td:first-child a');
  const name = new URL(page.url()).pathname;
  check((await page.locator('#preview tbody tr').count()) >= 5 && (await page.locator('#same').count()) === 1, 'the preview');
  await it.look('backup');
  // Who mistypes the password has still asked for standby.
  await page.fill('#password', 'not the password');
  await page.check('[name=standby]');
  await it.press('#restore');
  await it.isTold('a wrong password of a backup');
  check(await page.isChecked('[name=standby]'), 'standby is forgotten');
  await go(page, `${name}/delete`);
  await it.deletes('/backups');
  check((await rows()) === before, 'the backup is still there');

  const said = page.locator('[data-said]');
  await page.setInputFiles('#file', file('photo.tar.gz', 'PK no archive'));
  await page.click('#upload');
  await page.waitForFunction(() => document.querySelector('[data-said]').textContent !== '');
  check(CHINESE.test(await said.innerText()) === (it.language === 'zh'), `of no backup: ${await said.innerText()}`);
  await page.setInputFiles('#file', file('backup.tar.gz', kept));
  await it.press('#upload');
  check((await rows()) === before + 1, 'an uploaded backup is not there');
  await it.press(`#backups a[href="${name}/delete"]`);
  await it.deletes('/backups');
}

// An endpoint: what comes to it, and what it answers.
function endpoint(answers) {
  const got = [];
  const server = http.createServer((request, response) => {
    got.push(request.headers);
    request.resume();
    response.writeHead(answers.length > 1 ? answers.shift() : answers[0]).end();
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ got, close: () => server.close(), port: server.address().port }));
  });
}

async function webhooks(it) {
  const { page } = it;
  const peer = await endpoint([500, 204]);
  const url = `http://127.0.0.1:${peer.port}/calls`;
  await go(page, '/webhooks');
  for (const wrong of ['ftp://127.0.0.1/', 'http://169.254.169.254/']) {
    await page.fill('#url', wrong);
    await it.press('#save');
    await it.isTold(wrong);
  }
  await page.fill('#url', url);
  await page.fill('#types', 'call.ended');
  await it.press('#save');
  const secret = await page.innerText('#secret');
  check(secret.startsWith('whsec_'), `a secret: ${secret}`);
  await it.look('webhook-made');
  await it.press(`#webhooks a:text-is("${url}")`);
  const home = new URL(page.url()).pathname;
  check(!(await page.content()).includes('whsec_'), 'the secret is shown again');
  await page.fill('#types', 'queue.*');
  await it.press('#save');
  await it.isTold('no such event');
  check((await page.inputValue('#types')) === 'queue.*', 'what was typed is gone');
  await page.fill('#types', '');
  await page.fill('#description', 'CRM <b>');
  await it.press('#save');
  it.at(home);
  check((await page.inputValue('#description')) === 'CRM <b>', 'the endpoint is as before');
  await it.press('#test');
  const log = page.locator('#log tbody tr');
  const shows = async (text) => {
    await page.waitForFunction((text) => document.querySelector('#log tbody')?.innerText.includes(text), text);
  };
  await shows('500');
  await it.look('webhook');
  await it.press('#log tbody tr:first-child button');
  await shows('204');
  check((await log.count()) === 1, `${await log.count()} deliveries`);
  check(peer.got.length === 2 && peer.got.every((it) => it['webhook-signature']?.startsWith('v1,')), 'not signed');
  await it.press('#rotate');
  check((await page.innerText('#secret')) !== secret, 'the same secret');
  await go(page, home);
  await it.press('#enable');
  await it.press('#test');
  await it.isTold('a test of what is not in use');
  await it.press('#delete');
  check((await page.innerText('main')).includes(url), 'which endpoint is deleted is not said');
  await it.deletes('/webhooks');
  check((await page.locator('#webhooks').count()) === 0, 'the endpoint is still there');
  peer.close();
}

async function certificate(it) {
  const { page } = it;
  const pem = await ask('certificate');
  const parts = pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g);
  await go(page, '/certificate');
  await page.fill('#chain', parts[0]);
  await page.fill('#key', parts[0]);
  await it.press('#save');
  await it.isTold('a key that is none');
  check((await page.inputValue('#key')) === '', 'a key comes back');
  await page.setInputFiles('#chain-file', file('photo.pem', 'x'.repeat(2 << 20)));
  await page.waitForFunction(() => document.getElementById('chain-said').textContent !== '');
  await it.isTold('a file without end', '#chain-said');
  check((await page.inputValue('#chain')) === '', 'a file without end is taken');
  await page.setInputFiles('#chain-file', file('chain.pem', parts[0]));
  await page.setInputFiles('#key-file', file('key.pem', parts[1]));
  await page.waitForFunction(() => document.getElementById('key').value !== '' && document.getElementById('chain').value !== '');
  await it.press('#save');
  check((await page.locator('#reset').count()) === 1, `it is not installed: ${await page.innerText('main')}`);
  await it.look('certificate');
  await it.press('#reset');
  check((await page.locator('#reset').count()) === 0, 'it is still installed');
}

async function sheets(it) {
  const { page } = it;
  const rows = (id) => page.locator(`#${id} tbody tr`).allInnerTexts();
  const tries = async (name, content) => {
    await page.setInputFiles('#file', file(name, content));
    await page.waitForFunction(() => document.getElementById('sheet').value !== '');
    await it.press('#try');
  };
  await go(page, '/extensions/import');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
  const untouched = fs.readFileSync(await download.path());
  await tries('extensions.csv', untouched);
  const same = await page.innerText('#report');
  check(/\b0\b.*\b0\b|新增0个，修改0个/.test(same), `an untouched sheet: ${same}`);
  check((await page.locator('#import').count()) === 0, 'an untouched sheet can be imported');
  await go(page, '/extensions/import');
  await tries('wrong.csv', 'number,name,calls\n100,Desk,many\n1 0,Gate,2\n');
  const wrong = await rows('problems');
  check(wrong.length === 2 && wrong[0].includes('calls') && wrong[1].includes('number'), `what is wrong: ${wrong.join('; ')}`);
  check(wrong.every((text) => CHINESE.test(text) === (it.language === 'zh')), `in the wrong language: ${wrong.join('; ')}`);
  await it.look('import-refused');
  // As a spreadsheet in China writes it: GB 18030.
  const number = it.language === 'zh' ? '312' : '311';
  await go(page, '/extensions/import');
  await tries('gb.csv', Buffer.concat([Buffer.from(`number,name\n${number},`), Buffer.from([0xd0, 0xc2, 0xb2, 0xbf]), Buffer.from('\n')]));
  check((await rows('changes')).length === 1, `one new extension: ${await page.innerText('main')}`);
  await it.look('import');
  await it.press('#import');
  check((await page.locator(`#card-${number} code`).count()) === 1, 'no card of the new extension');
  await go(page, `/extensions/${number}`);
  check((await page.inputValue('[name=name]')) === '新部', `its name: ${await page.inputValue('[name=name]')}`);
}

async function captures(it) {
  const { page } = it;
  await go(page, '/trace');
  await page.fill('[name=value]', '109');
  await it.press('#begin button');
  const home = new URL(page.url()).pathname;
  await ask('call');
  await page.waitForFunction(() => document.querySelector('#messages')?.innerText.includes('INVITE'));
  await it.look('capture');
  await it.press('#stop');
  check((await page.locator('#stop').count()) === 0, 'it does not stop');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#pcap')]);
  const pcap = fs.readFileSync(await download.path());
  check([0xa1b2c3d4, 0xa1b23c4d].includes(pcap.readUInt32LE(0)) && pcap.includes('INVITE'), 'what is downloaded is no pcap');
  await go(page, '/trace');
  await it.look('captures');
  await go(page, home);
  await it.deletes('/trace');
  check((await page.locator(`a[href="${home}"]`).count()) === 0, 'the capture is still there');
}

main(async (browser) => {
  for (const language of ['en', 'zh']) {
    const page = await open(browser, { language });
    await go(page, `/login?lang=${language}`);
    await logIn(page, known.administrator);
    const it = new Person(page, language);
    for (const part of [backups, webhooks, certificate, sheets, captures]) {
      try {
        await part(it);
      } catch (error) {
        throw new Error(`${part.name} ${language} on ${page.url()}: ${error.message}`);
      }
    }
    note(`${language}: backups, webhooks, certificate, sheets and captures`);
    await page.context().close();
  }
});
