// Every page of the menu, in both languages, on a small and a usual screen.
'use strict';

const { known, note, check, open, go, picture, accessible, fits, main } = require('./lib.cjs');
const { logIn } = require('./steps.cjs');

const SCREENS = [{ width: 360, height: 740 }, { width: 1366, height: 768 }];
const CHINESE = /[\u4e00-\u9fff]/;

main(async (browser) => {
  let pages = 0;
  for (const language of ['en', 'zh']) {
    for (const screen of SCREENS) {
      const page = await open(browser, { language, ...screen });
      await go(page, `/login?lang=${language}`);
      await picture(page, `login-${language}-${screen.width}`);
      await accessible(page, `login ${language}`);
      await logIn(page, known.administrator);
      const links = await page.$$eval('nav a[href^="/"]', (all) => all.map((it) => it.getAttribute('href')));
      const paths = [...new Set([...links, ...known.more])];
      check(paths.length > 5, `a menu of ${paths.length} pages`);
      for (const path of paths) {
        const name = `${path.replace(/\W+/g, '-').replace(/^-|-$/g, '') || 'home'}-${language}-${screen.width}`;
        await go(page, path);
        const shown = await page.evaluate(() => ({
          language: document.documentElement.lang,
          title: document.title,
          headings: document.querySelectorAll('h1').length,
        }));
        check(shown.language.startsWith(language), `${name}: lang=${shown.language}`);
        check(shown.headings === 1, `${name}: ${shown.headings} headings of the first level`);
        check(CHINESE.test(shown.title) === (language === 'zh'), `${name}: the title is ${shown.title}`);
        await fits(page, name);
        await accessible(page, name);
        await picture(page, name);
        pages += 1;
      }
      await page.context().close();
    }
  }
  note(`${pages} pages`);
});
