import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExportRequest } from '../../src/gateway/log-export.ts';
import { TransparencyLog, type LogOptions } from '../../src/gateway/log.ts';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { decodeLeaf, type Leaf } from '../../src/recording/leaf.ts';
import { systemClock, type Clock } from '../../src/shared/clock.ts';
import type { UserError } from '../../src/shared/errors.ts';
import { readLeaves } from '../../src/store/log-store.ts';
import { startTestRecorder, type TestRecorder } from './recorder.ts';

/** A recorder with its log, as a gateway has them; checkpoints are made when the test says so. */
export interface LoggedRecorder {
  dataDir: string;
  log: TransparencyLog;
  recorder: TestRecorder;
  failures: UserError[];
  /** For exports. */
  read: ExportRequest['read'];
  leaves(): Promise<Leaf[]>;
  signed(): Promise<{ size: number; root: Buffer; text: string }>;
  /** `crash`: nothing is closed, sealed or signed first. */
  restart(options?: { crash?: boolean }): Promise<LoggedRecorder>;
  remove(): Promise<void>;
}

type LogKeys = LogOptions['keys'];

export const newLogKey = (): LogKeys['gateway'] => ({
  ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
  kid: '0123456789abcdef',
});

/** What the registry keeps of the log's key, in memory: it outlives a crash of the log. */
export function memoryKeys(gateway = newLogKey()): { -readonly [Key in keyof LogKeys]: LogKeys[Key] } {
  return {
    gateway,
    nextGateway: undefined,
    makeNextGateway() {
      return (this.nextGateway ??= { ...newLogKey(), kid: this.gateway.kid });
    },
    dropNextGateway() {
      this.nextGateway = undefined;
    },
    adoptNextGateway() {
      this.gateway = this.nextGateway!;
      this.nextGateway = undefined;
    },
  };
}

export async function startLoggedRecorder(
  given: { dataDir?: string; key?: LogKeys['gateway']; keys?: LogKeys; clock?: Clock; failingMillisMax?: number } = {},
): Promise<LoggedRecorder> {
  const {
    dataDir = mkdtempSync(join(tmpdir(), 'hoop-log-')),
    key,
    keys = memoryKeys(key),
    clock = systemClock,
    ...bounds
  } = given;
  const failures: UserError[] = [];
  const onFailure = (error: UserError) => void failures.push(error);
  const log = await TransparencyLog.open({ dataDir, keys, clock, onFailure, ...bounds });
  const recorder = await startTestRecorder({ dataDir, log, clock });
  await log.checkpoint();
  return {
    dataDir,
    log,
    recorder,
    failures,
    read: (id) => recorder.recorder.readRaw(id),
    async leaves() {
      const leaves: Leaf[] = [];
      for await (const leaf of readLeaves(join(dataDir, 'log'))) leaves.push(decodeLeaf(leaf));
      return leaves;
    },
    async signed() {
      const text = (await log.checkpointNow)!;
      return { ...parseCheckpoint(text).checkpoint, text };
    },
    async restart({ crash = false } = {}) {
      if (!crash) await log.close();
      if (crash) recorder.catalog.close();
      else await recorder.close();
      return startLoggedRecorder({ dataDir, keys, clock, ...bounds });
    },
    async remove() {
      await log.close();
      await recorder.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
