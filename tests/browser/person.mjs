/** Somebody at a browser: what they click, fill and see. Whatever goes wrong behind their back is kept for the end. */

import { chromium } from 'playwright-core';

/** How long a person waits for something to appear. */
const PATIENCE_MS = 20_000;
/** How long people wait for what another hospital has to do first. */
const OTHERS_PATIENCE_MS = 60_000;
/** How long somebody looks at a page before loading it again. */
const LOOK_MS = 1_000;

export const DESK = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
/** What text is written into; a choice beside it may have the same name. */
const WRITABLE = 'textarea, input:not([type=radio], [type=checkbox])';
/** A4 at 96 dots per inch. */
const SHEET = { width: 794, height: 1123 };

/** Debian's Chromium; its own sandbox does not run as root. */
export const openBrowser = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});

export class Person {
  /** Opens a browser of their own, with nothing in it. */
  static async at(browser, url, viewport = DESK) {
    const context = await browser.newContext({ viewport, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', acceptDownloads: true });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const person = new Person(page, viewport);
    watch(page, person.faults);
    await page.goto(url);
    return person;
  }

  constructor(page, viewport) {
    this.page = page;
    this.viewport = viewport;
    /** What nobody clicked for: errors on the console, failed requests, violations of the content policy. */
    this.faults = [];
  }

  async signIn({ login, password }) {
    await this.fill('登录名', login);
    await this.fill('密码', password);
    await this.press('登录');
  }

  /** Presses the button with this name, whose mark of being busy may still be fading. */
  async press(name, within = this.page) {
    const literal = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    await within.getByRole('button', { name: new RegExp(`^(loading )?${literal}$`) }).click();
  }

  /** Follows the link with this name. */
  async follow(name, within = this.page) {
    await within.getByRole('link', { name, exact: true }).first().click();
  }

  async fill(label, text, within = this.page) {
    await within.getByLabel(label, { exact: true }).and(this.page.locator(WRITABLE)).fill(text);
  }

  /** What stands in a field. */
  written(label) {
    return this.page.getByLabel(label, { exact: true }).and(this.page.locator(WRITABLE)).inputValue();
  }

  /** Chooses from a list that opens. */
  async choose(label, option) {
    await this.page.getByLabel(label, { exact: true }).and(this.page.getByRole('combobox')).click();
    await this.page.keyboard.insertText(option);
    await this.page.locator('.ant-select-dropdown:visible .ant-select-item-option').filter({ hasText: option }).first().click();
  }

  /** Waits until something is there to be seen. */
  async sees(what) {
    const locator = typeof what === 'string' ? this.page.getByText(what).first() : what;
    await locator.waitFor();
    return locator;
  }

  async seesHeading(name) {
    return this.sees(this.page.getByRole('heading', { name }).first());
  }

  /** Finds a patient by the number of an identity card, and goes to the patient's page. */
  async finds(patient) {
    await this.follow('查找患者');
    await this.page.getByText('身份证号', { exact: true }).click();
    await this.fill('身份证号', patient.residentId);
    await this.press('查找');
    await this.follow(patient.name);
    await this.seesHeading(patient.name);
  }

  /** Reads the open document: what is in its frame, or its raw text, has these words. */
  async seesDocument(words) {
    const pane = this.page.getByRole('complementary');
    // Either, whichever comes: the document that was open before stands there for a moment.
    const ways = [pane.frameLocator('iframe').locator('body'), pane.locator('pre')];
    await Promise.any(ways.map((way) => this.sees(way.filter({ hasText: words })))).catch(({ errors }) => { throw errors[0]; });
  }

  /** Loads the page again until something is there: another hospital must act first. */
  async seesAtLast(what, again = () => this.page.reload()) {
    const until = Date.now() + OTHERS_PATIENCE_MS;
    for (;;) {
      const there = await what().first().waitFor({ timeout: LOOK_MS }).then(() => true, () => false);
      if (there) return;
      if (Date.now() > until) throw new Error(`${what()} was not to be seen`);
      await again();
    }
  }

  /** What has gone wrong and was meant to. */
  forgives(pattern) {
    this.faults.splice(0, this.faults.length, ...this.faults.filter((fault) => !pattern.test(fault)));
  }

  dialog() {
    return this.page.getByRole('dialog');
  }

  /** A picture of what is to be seen; nothing may stick out at the side. */
  async picture(file) {
    await this.page.evaluate(() => Promise.all(document.getAnimations().filter(({ effect }) => effect.getTiming().iterations !== Infinity).map(({ finished }) => finished.catch(() => null))));
    await this.page.screenshot({ path: file });
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (over > 1) this.faults.push(`the page is ${over} pixels wider than the window (${file})`);
  }

  /** The page as it would be printed. */
  async printout(file) {
    await this.page.emulateMedia({ media: 'print' });
    await this.page.setViewportSize(SHEET);
    await this.page.screenshot({ path: file });
    await this.page.emulateMedia({ media: 'screen' });
    await this.page.setViewportSize(this.viewport);
  }

  async close() {
    await this.page.context().close();
  }
}

function watch(page, faults) {
  page.on('pageerror', (error) => faults.push(`an error was thrown: ${error.message}`));
  page.on('crash', () => faults.push('the page crashed'));
  page.on('console', (message) => {
    const at = message.location().url;
    if (message.type() === 'error' && !asksWhoIsThere(at)) faults.push(`the console says: ${message.text()} (${at})`);
  });
  page.on('response', (response) => {
    const request = response.request();
    const asked = request.method() === 'GET' && asksWhoIsThere(response.url()) && response.status() === 401;
    if (response.status() >= 400 && !asked) faults.push(`${request.method()} ${response.url()} gave ${response.status()}`);
  });
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    // Whoever goes on to another view no longer waits for the answer.
    if (why !== 'net::ERR_ABORTED') faults.push(`${request.method()} ${request.url()} failed: ${why}`);
  });
}

/** Every page asks first who is signed in; that it is nobody is the one answer that may be an error. */
const asksWhoIsThere = (url) => new URL(url, 'http://nowhere').pathname === '/api/session';
