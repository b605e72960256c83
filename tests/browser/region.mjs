/** A region of real processes for one run: started by `yiqiao-demo`, stopped with it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What `yiqiao-demo` says once everybody can sign in. */
const UP = 'The region is up';
/** How long everything may take to be up and fed. */
const PATIENCE_MS = 180_000;

/** Starts a registry and three hospitals that know only the people of the story. */
export async function startRegion(programs) {
  const folder = await mkdtemp(join(tmpdir(), 'yiqiao-browser-'));
  const demo = spawn(join(programs, 'yiqiao-demo'), ['--folder', folder, '--free-ports', '--cast-only'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(demo, 'exit');
  const stop = async () => {
    demo.kill('SIGTERM');
    const [code] = await ended;
    return code;
  };
  try {
    await upOrEnded(demo, ended);
    return new Region(folder, JSON.parse(await readFile(join(folder, 'demo.json'), 'utf8')), stop);
  } catch (error) {
    await stop();
    // What is left of it may say why.
    throw new Error(`${error.message}\n(its folder is kept: ${folder})`, { cause: error });
  }
}

async function upOrEnded(demo, ended) {
  const said = [];
  const up = new Promise((resolve) => {
    for (const stream of [demo.stdout, demo.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        if (line.includes(UP)) resolve(true);
      });
    }
  });
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const late = once(patience, 'abort').then(() => false);
  const isUp = await Promise.race([up, late, ended.then(() => false)]);
  if (!isUp) throw new Error(`the region did not come up; yiqiao-demo said:\n${said.slice(-10).join('\n')}`);
}

class Region {
  constructor(folder, facts, stop) {
    this.folder = folder;
    this.registry = facts.registry;
    this.stop = stop;
    this.#facts = facts;
  }

  #facts;

  hospital(letter) {
    return this.#facts.hospitals.find((hospital) => hospital.letter === letter);
  }

  /** Somebody of the cast: `referred`, `walkin`, … */
  patient(role) {
    return this.#facts.patients.find((patient) => patient.role === role);
  }

  /** The account of the doctor of a hospital who saw somebody of the cast last. */
  doctorOf(role, letter) {
    const login = this.patient(role).doctors[letter];
    return this.account(letter, login);
  }

  account(letter, login) {
    return this.hospital(letter).accounts.find((account) => account.login === login);
  }

  /** Removes everything that the region wrote. */
  async remove() {
    await rm(this.folder, { recursive: true });
  }
}
