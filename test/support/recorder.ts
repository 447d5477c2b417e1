import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecorder, type Recorder, type RecorderOptions, type SessionFacts } from '../../src/gateway/recorder.ts';
import type { StatementEvent } from '../../src/protocol/event.ts';
import type { Entry } from '../../src/recording/entry.ts';
import { statementsOf } from '../../src/recording/timeline.ts';
import type { Statement } from '../../src/shared/api.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { UserError } from '../../src/shared/errors.ts';
import { openCatalog, type Catalog } from '../../src/store/catalog.ts';

export interface TestRecorder {
  dataDir: string;
  recorder: Recorder;
  catalog: Catalog;
  failures: UserError[];
  close(): Promise<void>;
  /** As a restart: closes, then opens again on the same directory. `crash`: without closing anything first. */
  reopen(options?: { crash?: boolean }): Promise<TestRecorder>;
  remove(): Promise<void>;
}

export async function startTestRecorder(
  options: Partial<RecorderOptions> & { dataDir?: string } = {},
): Promise<TestRecorder> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'hoop-recorder-'));
  const catalog = openCatalog(dataDir);
  const failures: UserError[] = [];
  const recorder = await openRecorder({
    catalog,
    clock: systemClock,
    randomBytes,
    gatewayKeyId: () => 'key-1',
    segmentBytes: 1024 * 1024,
    ...options,
    dataDir,
    onFailure: (error) => failures.push(error),
  }).catch((error: unknown) => {
    catalog.close();
    throw error;
  });
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await recorder.close();
    catalog.close();
  };
  return {
    dataDir,
    recorder,
    catalog,
    failures,
    close,
    async reopen({ crash = false } = {}) {
      if (crash) catalog.close();
      else await close();
      closed = true;
      return startTestRecorder({ ...options, dataDir });
    },
    async remove() {
      await close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export const sessionFacts = (changes: Partial<SessionFacts> = {}): SessionFacts => ({
  principal: { user: 'alice', actor: 'cursor', actorInstance: 'i-1', via: 'sign-in' },
  resource: { name: 'orders-db', protocol: 'postgres', address: '127.0.0.1:5432', database: 'orders' },
  agent: 'db-agent',
  colocated: false,
  continues: null,
  declared: { client: 'hoop/0.1.0' },
  results: 'digest',
  ...changes,
});

export const query = (text: string): StatementEvent => ({
  kind: 'statement',
  verb: 'query',
  expectsOutcome: true,
  text: Buffer.from(text),
});

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

export const showBytes = (_type: number, _format: number, value: Uint8Array): string =>
  Buffer.from(value).toString('utf8');

export const statementsIn = (entries: AsyncIterable<Entry>, session = 'x'): Promise<Statement[]> =>
  collect(statementsOf(entries, { session, renderParameter: showBytes }));
