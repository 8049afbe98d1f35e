// What several scripts do on the pages.
'use strict';

async function logIn(page, { name, password }) {
  await page.fill('input[name=name]', name);
  await page.fill('input[name=password]', password);
  await Promise.all([page.waitForNavigation(), page.press('input[name=password]', 'Enter')]);
  if (new URL(page.url()).pathname === '/login') {
    throw new Error(`not signed in: ${(await page.innerText('main')).replace(/\s+/g, ' ')}`);
  }
}

module.exports = { logIn };
