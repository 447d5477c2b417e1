import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { parseSessionId } from '../../src/recording/session-id.ts';
import { compile, type Compiled } from './compiled.ts';
import { startTestRecorder, statementsIn } from './recorder.ts';

const program = fileURLToPath(new URL('../fixtures/recording/load.mjs', import.meta.url));
export const segmentBytes = 256 * 1024;

/** The recorder as plain node runs it. */
export const compileRecorder = (): Compiled =>
  compile(['src/shared', 'src/protocol', 'src/recording', 'src/store', 'src/gateway']);

export interface Load {
  child: ChildProcess;
  lines: string[];
  /** Resolves when at least so many statements are durable, or the program has ended. */
  reached(count: number): Promise<void>;
  ended: Promise<void>;
}

export interface LoadOptions {
  /** For the program: sessions, streams, durableMillisMax … */
  bounds: object;
  /** A program that runs it, with arguments. */
  tracer?: string[];
  env?: Record<string, string>;
}

/** A process that records as fast as it can, and says of every statement when it is durable. */
export function startLoad(compiled: Compiled, dataDir: string, { bounds, tracer = [], env = {} }: LoadOptions): Load {
  const json = JSON.stringify({ segmentBytes, ...bounds });
  const [command, ...args] = [...tracer, process.execPath, program, dataDir, json];
  const child = spawn(command!, args, {
    env: { ...process.env, ...env, HOOP_MODULES: compiled.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  let rest = '';
  let wake = () => {};
  child.stdout!.on('data', (bytes: Buffer) => {
    const parts = (rest + bytes.toString()).split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
    wake();
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return {
    child,
    lines,
    ended,
    async reached(count) {
      while (lines.length < count && child.exitCode === null) {
        await Promise.race([new Promise<void>((resolve) => (wake = resolve)), ended]);
      }
    },
  };
}

/** `<session> <seq>` lines → session → seqs. */
export function promised(lines: string[]): Map<string, number[]> {
  const bySession = new Map<string, number[]>();
  for (const line of lines) {
    const [session, seq] = line.split(' ');
    if (!parseSessionId(session!) || !/^\d+$/.test(seq ?? '')) continue;
    bySession.set(session!, [...(bySession.get(session!) ?? []), Number(seq)]);
  }
  return bySession;
}

/** Every statement that was said to be durable is in the record, after a restart, with an outcome. */
export async function expectKept(lines: string[], dataDir: string): Promise<{ interrupted: number }> {
  const test = await startTestRecorder({ dataDir, segmentBytes });
  try {
    expect(test.recorder.faults).toEqual([]);
    expect(test.recorder.damaged).toEqual([]);
    for (const [session, seqs] of promised(lines)) {
      const statements = await statementsIn(test.recorder.readEntries(session), session);
      const kept = new Map(statements.map((statement) => [statement.seq, statement]));
      const missing = seqs.filter((seq) => !kept.get(seq)?.text?.includes(session));
      expect(missing).toEqual([]);
      expect(statements.filter(({ outcome }) => outcome === null)).toEqual([]);
      expect(['sealed', 'interrupted']).toContain(test.catalog.find(session).state);
    }
    return { interrupted: test.recorder.interrupted };
  } finally {
    await test.close();
  }
}
