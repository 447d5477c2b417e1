import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Recordings, type RecordingsParts } from '../../src/gateway/recordings.ts';
import { Archive } from '../../src/store/archive.ts';
import type { Disk, OpenFile } from '../../src/store/disk.ts';
import { systemDisk } from '../../src/store/durable.ts';
import { openRegistry, type Registry } from '../../src/store/registry.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { TestClock } from '../support/identity-gateway.ts';
import { startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { query, sessionFacts } from '../support/recorder.ts';

const day = 24 * 3600;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A process that is gone before it takes its n-th step. */
class Steps {
  #left: number;
  taken = 0;

  constructor(left: number) {
    this.#left = left;
  }

  /** These methods are steps. */
  of<T extends object>(target: T, ...methods: (keyof T & string)[]): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const isStep = (methods as string[]).includes(String(name));
        return (...args: unknown[]): unknown => {
          if (isStep) this.#take();
          const given: unknown = Reflect.apply(value, target, args);
          return name === 'open' ? (given as Promise<OpenFile>).then((file) => this.of(file, 'write', 'sync')) : given;
        };
      },
    });
  }

  #take(): void {
    if (this.#left-- <= 0) throw new Error('gone');
    this.taken++;
  }
}

interface Run {
  logged: LoggedRecorder;
  registry: Registry;
  clock: TestClock;
}

async function start(over?: Run): Promise<Run> {
  const clock = over?.clock ?? new TestClock();
  const logged = over ? await over.logged.restart({ crash: true }) : await startLoggedRecorder();
  const registry = over?.registry ?? openRegistry(logged.dataDir, clock);
  if (!over) closing.push(() => registry.close());
  closing.push(() => logged.remove());
  return { logged, registry, clock };
}

/** Orders that are carried out step by step. */
function recordings({ logged, registry, clock }: Run, steps = new Steps(Infinity)): Recordings {
  const { dataDir, log, recorder } = logged;
  const disk: Disk = steps.of(systemDisk, 'open', 'rename', 'syncDirectory', 'remove');
  return new Recordings({
    dataDir,
    clock,
    periods: { resources: { orders: 10 * day * 1000 } },
    journal: steps.of(recorder.recorder.stores.journal, 'clear'),
    archive: new Archive(dataDir, { disk }),
    catalog: steps.of(recorder.catalog, 'openedBy', 'index', 'closed', 'forget', 'settle'),
    log: steps.of(log, 'announce'),
    registry: steps.of(registry.recordings, 'erasing', 'removing'),
    operatorLog: { info: () => undefined, warn: () => undefined, error: () => undefined },
    recordAct: () => Promise.resolve(),
  } as RecordingsParts);
}

async function recorded({ logged }: Run): Promise<string> {
  const { name: _, ...rest } = sessionFacts().resource;
  const session = logged.recorder.recorder.openSession(sessionFacts({ resource: { name: 'orders', ...rest } }));
  const stream = session.stream(1);
  stream.append(query('select sesame'));
  stream.close('client_closed');
  await session.seal('client_closed');
  await logged.log.checkpoint();
  return session.id;
}

const by = { user: 'root', via: 'sign-in' } as never;
const orders = {
  erasure: {
    leaf: 'erased',
    verdict: 'VALID_ERASED',
    carryOut: (given: Recordings, { session }: { session: string; run: Run }) =>
      given.erase({ session, seq: 2, only: false, reason: undefined }, by),
  },
  removal: {
    leaf: 'removed',
    verdict: 'REMOVED',
    carryOut: (given: Recordings, { run }: { session: string; run: Run }) => {
      run.clock.aheadSeconds = 11 * day;
      return given.removeExpired();
    },
  },
} as const;

/** Of the session's recording, as an auditor finds it. */
async function seen({ logged }: Run, session: string) {
  const archive = new Archive(logged.dataDir);
  const recording = await archive.find(session);
  const whole = recording !== undefined && (await archive.notErased(recording, [2]).catch(() => [])).length > 0;
  return { whole, kinds: (await logged.leaves()).map(({ kind }) => kind) };
}

/** Files that still have a word, wherever it is. */
const filesWith = (folder: string, word: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(word));

test.each(['erasure', 'removal'] as const)(
  'what is cut off (%s) before any of its steps was not begun, or is finished by the next start: nothing goes without its leaf',
  async (name) => {
    const { leaf, verdict, carryOut } = orders[name];
    let [unbegun, finished] = [0, 0];
    for (let count = 0, isWhole = false; !isWhole; count++) {
      const run = await start();
      const session = await recorded(run);
      const steps = new Steps(count);
      await carryOut(recordings(run, steps), { session, run }).then(
        () => (isWhole = true),
        () => undefined,
      );
      const cutOff = await seen(run, session);
      if (!cutOff.whole) expect(cutOff.kinds, `before step ${count}`).toContain(leaf);

      const next = await start(run);
      await recordings(next).complete();
      const after = await seen(next, session);
      const isLogged = after.kinds.includes(leaf);
      expect(after.whole, `before step ${count}`).toBe(!isLogged);
      const { sessions } = await verifyDataDir(run.logged.dataDir, { keys: [], witnesses: [] }, { session });
      expect(sessions[0]!.verdict, `before step ${count}`).toBe(isLogged ? verdict : 'VALID');
      if (isLogged) expect(filesWith(run.logged.dataDir, 'sesame'), `before step ${count}`).toEqual([]);
      if (isLogged) finished++;
      else unbegun++;
      for (const close of closing.splice(0).toReversed()) await close();
    }
    expect(unbegun).toBeGreaterThan(0);
    expect(finished).toBeGreaterThan(5);
  },
  60_000,
);
