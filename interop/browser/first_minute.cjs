// From the first look at the set-up to two phones that talk: the administrator, the network, the numbers, the cards.
'use strict';

const { known, note, check, ask, open, go, picture, accessible, fits, main } = require('./lib.cjs');

const PROMISED_S = 180;
const REGISTERED = { timeout: 15000 };

main(async (browser) => {
  const begun = Date.now();
  const page = await open(browser);
  const next = () => Promise.all([page.waitForNavigation(), page.click('#next')]);
  async function look(name) {
    await accessible(page, name);
    await fits(page, name);
    await picture(page, name);
  }

  await page.goto(known.url);
  check(new URL(page.url()).pathname === '/setup', `a fresh server shows ${page.url()}`);
  await look('1-administrator');
  await page.fill('#name', known.administrator.name);
  await page.fill('#password', known.administrator.password);
  await next();
  await look('2-network-and-numbers');
  check(/\d/.test(await page.innerText('#network')), 'the address of the server is shown');
  await page.fill('#phones', '3');
  await page.fill('#first', '100');
  await next();
  await look('3-cards');
  check((await page.locator('.card').count()) === 3, 'three cards');
  check((await page.locator('.card svg.code').count()) === 3, 'each with a code for the camera');
  for (const number of ['100', '101']) {
    check((await page.locator(`#lamp-${number} .lamp.good`).count()) === 0, `${number} is not registered yet`);
    await ask('register', { number, password: await page.innerText(`#password-${number}`) });
  }
  for (const number of ['100', '101']) await page.waitForSelector(`#lamp-${number} .lamp.good`, REGISTERED);
  check((await page.locator('#lamp-102 .lamp.good').count()) === 0, '102 has no phone');
  await picture(page, '4-lamps');
  await ask('talk');
  const took = Math.round((Date.now() - begun) / 1000);
  check(took < PROMISED_S, `${took} s`);
  note(`from the first page to two phones that hear each other: ${took} s of ${PROMISED_S}`);

  // The history knows the real phone, who else tried, and how it left.
  await go(page, '/registrations/101');
  const history = page.locator('#changes tbody tr');
  check((await history.count()) === 1, `${await history.count()} changes of one phone`);
  const first = await history.first().innerText();
  check(/registered/.test(first) && /baresip/i.test(first), `the history begins with ${first}`);
  await ask('try a wrong password');
  await page.waitForSelector('#changes :text("refused: wrong password")', REGISTERED);
  await ask('leave');
  await page.waitForSelector('#changes :text("gone: the phone signed off")', REGISTERED);
  await page.waitForSelector('#none-now', REGISTERED);
  check((await history.count()) === 3, `${await history.count()} changes after it left`);
  await look('6-history');

  // The set-up is closed behind him.
  const stranger = await open(browser);
  await stranger.goto(new URL('/setup', known.url).href);
  check(new URL(stranger.url()).pathname === '/login', `a second set-up leads to ${stranger.url()}`);
  await go(page, '/');
  await picture(page, '5-home');
});
