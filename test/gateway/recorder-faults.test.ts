import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Compiled } from '../support/compiled.ts';
import { compileRecorder, expectKept, promised, segmentBytes, startLoad } from '../support/recorder-load.ts';
import { collect, query, sessionFacts, startTestRecorder } from '../support/recorder.ts';

const isRoot = process.getuid?.() === 0;
const strace = ['/usr/bin/strace', '/bin/strace'].find((path) => existsSync(path));

let compiled: Compiled;
let dataDir: string;
beforeAll(() => {
  compiled = compileRecorder();
});
afterAll(() => compiled.remove());
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'hoop-faults-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

describe('kill -9 under load', () => {
  it('loses nothing that was said to be durable, whenever it comes', async () => {
    const all: string[] = [];
    let interrupted = 0;
    for (let round = 0; round < 6; round++) {
      const load = startLoad(compiled, dataDir, { bounds: { sessions: 4, streams: 3 } });
      await load.reached(1 + Math.floor(Math.random() * 1500));
      load.child.kill('SIGKILL');
      await load.ended;
      all.push(...load.lines);
      // Every second time the program itself recovers, under load, and may be killed while it does.
      if (round % 2 === 1) interrupted += (await expectKept(all, dataDir)).interrupted;
    }
    expect(promised(all).size).toBeGreaterThan(6);
    expect(interrupted).toBeGreaterThan(0);
  }, 60_000);
});

describe.runIf(strace)('a disk that fails', () => {
  const traced = (inject: string) => [
    strace!,
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    'trace=fdatasync',
    '-e',
    `inject=fdatasync:${inject}`,
  ];

  it.each([3, 4, 7, 20])(
    'ends all sessions when fsync %i answers EIO, and never tries that file again',
    async (when) => {
      const load = startLoad(compiled, dataDir, {
        bounds: { sessions: 3, streams: 2 },
        tracer: traced(`error=EIO:when=${when}`),
      });
      await load.ended;
      const failedAt = load.lines.indexOf('failed HOOP_RECORDER');
      expect(failedAt).toBeGreaterThanOrEqual(0);
      expect(load.lines.slice(failedAt)).toEqual([
        'failed HOOP_RECORDER',
        ...Array.from({ length: 3 }, () => 'session ended HOOP_RECORDER'),
        'ended',
      ]);
      await expectKept(load.lines, dataDir);
    },
    60_000,
  );

  it('ends all sessions when fsync does not answer in time', async () => {
    const load = startLoad(compiled, dataDir, {
      bounds: { sessions: 2, streams: 1, durableMillisMax: 300 },
      tracer: traced('delay_enter=2000000:when=9'),
    });
    await load.ended;
    const failedAt = load.lines.indexOf('failed HOOP_RECORDER');
    expect(failedAt).toBeGreaterThan(0);
    expect(promised(load.lines.slice(failedAt)).size).toBe(0);
    await expectKept(load.lines, dataDir);
  }, 60_000);
});

if (!strace) console.warn('NOT CHECKED: what a failing fsync does to the record (strace is not installed)');

describe.runIf(isRoot)('a full disk', () => {
  let mounted: string;
  beforeEach(() => {
    mounted = join(dataDir, 'full');
    mkdirSync(mounted);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mounted]);
  });
  // Lazily: libsql lets go of a closed database's files only when it is garbage-collected.
  afterEach(() => execFileSync('umount', ['--lazy', mounted]));

  it('stops what is recorded with an error that says so; what was durable is found again on a disk that works', async () => {
    const test = await startTestRecorder({ dataDir: mounted, segmentBytes });
    const session = test.recorder.openSession(sessionFacts());
    const stream = session.stream(1);
    const durable: number[] = [];
    const fill = async () => {
      for (;;) {
        const seq = stream.append(query(`insert ${'x'.repeat(10_000)}`));
        await session.durable();
        durable.push(seq);
      }
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'HOOP_RECORDER',
      message: expect.stringMatching(/ENOSPC|no space/i),
    });
    expect(durable.length).toBeGreaterThan(30);
    expect(test.failures).toHaveLength(1);
    expect(() => stream.append(query('one more'))).toThrow(/ENOSPC|no space/i);
    await expect(session.durable()).rejects.toMatchObject({ code: 'HOOP_RECORDER' });
    await expect(session.seal('recorder_failed')).rejects.toMatchObject({ code: 'HOOP_RECORDER' });
    await test.close();
    const roomy = join(dataDir, 'roomy');
    cpSync(mounted, roomy, { recursive: true });
    const again = await startTestRecorder({ dataDir: roomy, segmentBytes });
    expect(again.recorder.interrupted).toBe(1);
    const kept = await collect(again.recorder.readEntries(session.id));
    expect(kept.filter(({ body }) => body.kind === 'statement').map(({ header }) => header.seq)).toEqual(
      expect.arrayContaining(durable),
    );
    await again.close();
  });

  it('refuses to start where there is no room for a journal', async () => {
    await expect(startTestRecorder({ dataDir: mounted, segmentBytes: 4 * 1024 * 1024 })).rejects.toMatchObject({
      code: 'HOOP_RECORDER',
      message: expect.stringMatching(/ENOSPC|no space/i),
    });
  });
});

if (!isRoot) console.warn('NOT CHECKED: a full disk (mounting a small one needs root)');
