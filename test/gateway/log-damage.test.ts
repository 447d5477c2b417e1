import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGatewayConfig } from '../../src/gateway/config.ts';
import { startGateway } from '../../src/gateway/gateway.ts';
import { query, sessionFacts, startTestRecorder } from '../support/recorder.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'hoop-damage-')), 'gateway');
  mkdirSync(dataDir);
});
afterEach(() => rmSync(join(dataDir, '..'), { recursive: true, force: true }));

test('a journal that cannot be read in full: the gateway starts, and its log names the file, the place and the session', async () => {
  const test = await startTestRecorder({ dataDir });
  const session = test.recorder.openSession(sessionFacts());
  const stream = session.stream(1);
  for (const number of [1, 2, 3]) {
    stream.append(query(`select 'marker ${number}'`));
    await session.durable();
  }
  await test.close();
  const journal = join(dataDir, 'journal');
  const file = readdirSync(journal)
    .map((name) => join(journal, name))
    .find((path) => readFileSync(path).includes('marker 2'))!;
  const bytes = readFileSync(file);
  const place = bytes.indexOf('marker 2');
  bytes[place] = bytes[place]! ^ 1;
  writeFileSync(file, bytes);

  const errors: { fields: Record<string, unknown>; message: string }[] = [];
  const ignore = () => undefined;
  const error = (fields: object, message: string) => void errors.push({ fields: { ...fields }, message });
  const config = await readGatewayConfig({ dataDir, listen: '127.0.0.1:0' }, { environment: {} });
  const gateway = await startGateway(config, { log: { info: ignore, warn: ignore, error } });
  await gateway.stop();
  expect(errors).toMatchObject([
    { fields: { file }, message: expect.stringMatching(/cannot be read.*kept/) },
    { fields: { session: session.id }, message: expect.stringMatching(/cannot be read in full/) },
  ]);
  const { from, to } = errors[0]!.fields as { from: number; to: number };
  expect(from).toBeLessThan(place);
  expect(to).toBeGreaterThan(place);
  // The damage is evidence: nothing goes but what was made ahead of time and never used.
  const kept = readFileSync(file);
  expect(kept.equals(bytes.subarray(0, kept.length))).toBe(true);
  expect(bytes.subarray(kept.length).every((byte) => byte === 0)).toBe(true);
});
