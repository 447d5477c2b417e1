import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { loadAgentKey } from '../../src/agent/key.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Duplex } from '../../src/shared/duplex.ts';
import { limits } from '../../src/shared/limits.ts';
import { encodeWitnessJson, readWitnessMessages } from '../../src/tunnel/witness-frame.ts';
import { say } from '../support/frontend-messages.ts';
import { claiming, hashOf, HostileGateway, resetReason, ShownSession } from '../support/hostile-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { query } from '../support/recorder.ts';
import { logEverything } from '../support/server-log.ts';

let server: PostgresServer;
let folder: string;
let gateway: HostileGateway;
let logs: string[];
let stop: AbortController;
let done: Promise<void>;

beforeAll(async () => {
  server = await startAnyPostgres({ settings: logEverything });
});
afterAll(() => server.stop());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-witness-'));
});
afterEach(async () => {
  stop.abort();
  await done;
  await gateway[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function link(version?: { major: number; minor: number }): Promise<void> {
  gateway = await new HostileGateway().listen();
  const { port, user, password, database } = server;
  const own = { name: 'orders-db', protocol: 'postgres', address: `127.0.0.1:${port}`, database };
  const resource = { ...own, tls: { mode: 'disable' }, credentials: { user, password } };
  const config = parseAgentConfig(
    JSON.stringify({ stateDir: folder, resources: [resource] }),
    join(folder, 'agent.yaml'),
  );
  logs = [];
  const write = (fields: object, message: string) => void logs.push(`${message} ${JSON.stringify(fields)}`);
  stop = new AbortController();
  const log = { info: write, warn: write, error: write };
  done = runAgent({ gateway: gateway.url, config, key: await loadAgentKey(folder), log, signal: stop.signal });
  await gateway.welcome(version);
}

const open = ({ id }: ShownSession, witnessed?: number) =>
  gateway.openResource({
    session: id,
    stream: `${id}/1`,
    startup: { parameters: {} },
    ...(witnessed !== undefined && { witnessed }),
  });

const serverLog = (): string => readFileSync(server.logFile!.replace(/\.log$/, '.json'), 'utf8');
const listed = (): unknown[] =>
  readFileSync(join(folder, 'witness.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);

test('what was shown whole goes to the resource, and the head is on the list', async () => {
  await link();
  const session = new ShownSession(randomBytes(16));
  const stream = await gateway.witnessStream();
  const first = session.entry(query('begin'));
  await stream.write(session.message(first));
  const { value, rest } = await open(session, 0);
  expect(value.kind).toBe('ready');
  const entry = session.entry(query('select 41 + 1 as shown_whole'));
  await stream.write(session.message(entry));
  await claiming(rest, 1).write(say.query('select 41 + 1 as shown_whole'));
  expect(Buffer.from((await rest.read())!).toString('latin1')).toContain('shown_whole');
  await expect
    .poll(listed, { timeout: 5000 })
    .toContainEqual({ session: session.id, seq: 1, hash: hashOf(entry), sealed: false });
  expect(readFileSync(join(folder, 'witness.jsonl'), 'utf8')).not.toContain('shown_whole');
});

test('under load heads are put on the list no more often than its bound says: the last one is there', async () => {
  await link();
  const session = new ShownSession(randomBytes(16));
  const entries = Array.from({ length: 6400 }, (_, index) => session.entry(query(`select ${index}`)));
  const stream = await gateway.witnessStream();
  const started = performance.now();
  await stream.write(Buffer.concat(entries.map((entry) => session.message(entry))));
  const last = { session: session.id, seq: 6399, hash: hashOf(entries.at(-1)!), sealed: false };
  await expect.poll(listed, { timeout: 5000 }).toContainEqual(last);
  const busy = (performance.now() - started) / limits.witnessBusyMillis;
  expect(listed().length).toBeLessThanOrEqual(2 + busy);
});

const wrongs: [what: string, marker: string, show: (session: ShownSession) => Buffer[], why: RegExp][] = [
  [
    'an entry is left out',
    'left_out',
    (session) => {
      session.entry(query('never shown'));
      return [session.message(session.entry(query('select 1 as left_out')))];
    },
    /numbered 2/,
  ],
  [
    'a payload is not the one that was committed to',
    'other_payload',
    (session) => {
      const entry = session.entry(query('select 1 as other_payload'));
      entry[entry.length - 1]! ^= 1;
      return [session.message(entry)];
    },
    /committed to/,
  ],
  [
    'the history before it is another one',
    'other_history',
    (session) => {
      const other = new ShownSession(session.idBytes);
      other.entry(query('another beginning'));
      return [session.message(other.entry(query('select 1 as other_history')))];
    },
    /does not follow/,
  ],
];

/** The agent's first messages. */
function saidOn(stream: Duplex, count: number): Promise<unknown[]> {
  const said: unknown[] = [];
  return new Promise((resolve, reject) => {
    const take = (_type: number, body: Buffer) => {
      if (said.push(JSON.parse(body.toString())) === count) resolve(said);
    };
    readWitnessMessages(stream, take).catch(reject);
  });
}

test.each(wrongs)(
  '%s: refused before the resource sees a byte, for the rest of the session',
  async (_what, marker, show, why) => {
    await link();
    const session = new ShownSession(randomBytes(16));
    const stream = await gateway.witnessStream();
    await stream.write(session.message(session.entry(query('begin'))));
    const { rest } = await open(session, 0);
    for (const message of show(session)) await stream.write(message);
    await claiming(rest, 1).write(say.query(`select 1 as ${marker}`));
    expect(await resetReason(rest)).toMatch(why);
    const said = await saidOn(stream, 2);
    expect(said).toMatchObject([
      { kind: 'open', sessions: [] },
      { kind: 'refused', session: session.id },
    ]);
    expect(logs.join('\n')).toContain('ALARM');
    expect((await open(session, 0)).value).toMatchObject({ kind: 'refused' });
    expect(serverLog()).not.toContain(marker);
  },
);

test('bytes without an entry wait, and go when it comes', async () => {
  await link();
  const session = new ShownSession(randomBytes(16));
  const stream = await gateway.witnessStream();
  await stream.write(session.message(session.entry(query('begin'))));
  const { rest } = await open(session, 0);
  await claiming(rest, 1).write(say.query('select 1 as came_later'));
  await open(session, 0); // a connection that was opened behind it stands: the bytes have come by now
  expect(serverLog()).not.toContain('came_later');
  await stream.write(session.message(session.entry(query('select 1 as came_later'))));
  expect(Buffer.from((await rest.read())!).toString('latin1')).toContain('came_later');
});

test('a connection that the gateway does not show is refused', async () => {
  await link();
  const { value } = await open(new ShownSession(randomBytes(16)));
  expect(value).toMatchObject({ kind: 'refused', message: expect.stringContaining('did not show') });
});

test('a gateway that is older than its witness is served, and the agent’s log says that nothing is witnessed', async () => {
  await link({ major: 1, minor: 0 });
  const { value } = await open(new ShownSession(randomBytes(16)));
  expect(value.kind).toBe('ready');
  expect(logs.join('\n')).toContain('not witnessed');
});

test('the list goes on after a restart, also where a crash cut its last line off', async () => {
  await link();
  const before = new ShownSession(randomBytes(16));
  await (await gateway.witnessStream()).write(before.message(before.entry(query('before'))));
  await expect.poll(listed, { timeout: 5000 }).toHaveLength(1);
  stop.abort();
  await done;
  await gateway[Symbol.asyncDispose]();
  appendFileSync(join(folder, 'witness.jsonl'), '{"session":"cut o');
  await link();
  const after = new ShownSession(randomBytes(16));
  await (await gateway.witnessStream()).write(after.message(after.entry(query('after'))));
  await expect.poll(listed, { timeout: 5000 }).toHaveLength(2);
  expect(listed()).toMatchObject([{ session: before.id }, { session: after.id }]);
});

test('a gateway that has no recording of a session that was seen is found out', async () => {
  await link();
  const session = new ShownSession(randomBytes(16));
  await (await gateway.witnessStream()).write(session.message(session.entry(query('seen'))));
  await expect.poll(listed, { timeout: 5000 }).toHaveLength(1);
  stop.abort();
  await done;
  await gateway[Symbol.asyncDispose]();
  await link();
  const stream = await gateway.witnessStream();
  expect(await saidOn(stream, 1)).toEqual([{ kind: 'open', sessions: [session.id], cosigned: 0 }]);
  await stream.write(encodeWitnessJson({ kind: 'unknown', session: session.id }));
  await expect.poll(() => logs.join('\n')).toMatch(/ALARM.*no recording/);
});
