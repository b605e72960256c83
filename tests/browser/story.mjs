/**
 * The story as people see it: real processes, Debian's Chromium, and a picture of every station.
 *
 *     node story.mjs PROGRAMS PICTURES
 *
 * Not here: what the protocol promises, which `tests/it/story.rs` checks over HTTP; and the look of single states of a page.
 */

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { argv, exit } from 'node:process';
import { bureau } from './bureau.mjs';
import { guardian } from './guardian.mjs';
import { passkey } from './passkey.mjs';
import { emergency } from './emergency.mjs';
import { identity } from './identity.mjs';
import { openBrowser, Person } from './person.mjs';
import { received, walkIn } from './received.mjs';
import { referral } from './referral.mjs';
import { sealing } from './sealing.mjs';
import { startRegion } from './region.mjs';
import { revocation } from './revocation.mjs';
import { understanding } from './understanding.mjs';

class Stage {
  #browser;
  #people = [];
  #out;
  #number = 0;

  constructor(browser, region, out) {
    this.#browser = browser;
    this.region = region;
    this.#out = out;
  }

  /** Opens a page for somebody. */
  async open(url, viewport) {
    const person = await Person.at(this.#browser, url, viewport);
    this.#people.push(person);
    return person;
  }

  /** Opens a hospital's page for an account of it, signed in. */
  async staff(letter, login) {
    const person = await this.open(this.region.hospital(letter).url);
    await person.signIn(this.region.account(letter, login));
    await person.page.getByRole('heading', { level: 1 }).waitFor();
    return person;
  }

  /** One station: what somebody does, a picture of where it led them, and a line. */
  async station(name, person, work) {
    const began = performance.now();
    await work();
    this.#number += 1;
    const number = String(this.#number).padStart(2, '0');
    await person.picture(this.picture(`${number}-${name}`));
    console.log(`  ${number} ${name.padEnd(28)} ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }

  picture(name) {
    return join(this.#out, `${name}.png`);
  }

  /** Where everybody stands now that something has gone wrong. */
  async lastPictures() {
    for (const [at, person] of this.#people.entries()) {
      await person.page.screenshot({ path: this.picture(`failed-${at}`) }).catch(() => null);
    }
  }

  faults() {
    return this.#people.flatMap((person) => person.faults);
  }

  get stations() {
    return this.#number;
  }
}

async function tell(stage) {
  await referral(stage);
  await received(stage);
  await walkIn(stage);
  await revocation(stage);
  await passkey(stage);
  await guardian(stage);
  await emergency(stage);
  await sealing(stage);
  await identity(stage);
  await understanding(stage);
  await bureau(stage);
}

/** Tells the story; gives what went wrong. */
async function run(programs, out) {
  const region = await startRegion(programs);
  const browser = await openBrowser();
  const stage = new Stage(browser, region, out);
  const wrong = [];
  try {
    await tell(stage);
  } catch (error) {
    wrong.push(error.stack);
    await stage.lastPictures();
  }
  wrong.push(...stage.faults());
  await browser.close();
  const code = await region.stop();
  if (code !== 0) wrong.push(`yiqiao-demo ended with ${code}`);
  if (wrong.length === 0) await region.remove();
  else wrong.push(`what the processes said: ${region.folder}`);
  return { wrong, stations: stage.stations };
}

const [programs, out] = argv.slice(2);
if (out === undefined) {
  console.error('which programs, and where to put the pictures? node story.mjs target/debug target/browser');
  exit(2);
}
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const began = performance.now();
const { wrong, stations } = await run(programs, out);
const took = Math.round((performance.now() - began) / 1000);
for (const what of wrong) console.error(`WRONG: ${what}`);
console.log(wrong.length === 0 ? `the story holds: ${stations} stations in ${took} s, pictures in ${out}` : `the story broke after ${stations} stations and ${took} s`);
exit(wrong.length === 0 ? 0 : 1);
