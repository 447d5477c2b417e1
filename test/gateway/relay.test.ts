import { expect, test } from 'vitest';
import { createHeldBudget } from '../../src/gateway/held-budget.ts';
import { relay } from '../../src/gateway/relay.ts';
import type { Event } from '../../src/protocol/event.ts';
import type { Decoder } from '../../src/protocol/protocol.ts';
import { createDecoder } from '../../src/protocol/postgres/decoder.ts';
import { StreamReset, writable, type Duplex } from '../../src/shared/duplex.ts';
import { answer } from '../support/backend-messages.ts';
import { say } from '../support/frontend-messages.ts';
import { until } from '../support/until.ts';

/** One side of a relay, played by the test: what it says, and what it got. */
class Side implements Duplex {
  got = '';
  hasBeenEnded = false;
  readonly closed = Promise.resolve();
  /** What a write waits for; undefined: nothing. */
  taking: Promise<void> | undefined;
  readonly #said: (Uint8Array | null | Error)[] = [];
  #wake = (): void => undefined;

  say(...what: (Uint8Array | null | Error)[]): void {
    this.#said.push(...what);
    this.#wake();
  }

  async read(): Promise<Uint8Array | null> {
    while (this.#said.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    const next = this.#said.shift()!;
    if (next instanceof Error) throw next;
    return next;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.got += Buffer.from(bytes).toString('latin1');
    return this.taking ?? writable;
  }

  end(): void {
    this.hasBeenEnded = true;
  }
  reset(): void {}
}

/** A relay between two sides, with the real decoder; `durable` waits for what the test says. */
function start({
  durable = () => Promise.resolve(),
  heldBytesMax = 1000,
  results,
}: { durable?: () => Promise<void>; heldBytesMax?: number; results?: 'rows' } = {}) {
  const [client, resource] = [new Side(), new Side()];
  const events: Event[] = [];
  const held = createHeldBudget(heldBytesMax);
  const decoder = createDecoder({
    sink: { append: (event) => events.push(event) - 1 },
    clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
    messageBytesMax: 4096,
    greeting: new Uint8Array(0),
    results,
  });
  const ended = relay({ client, resource, decoder, together: (act, given) => act(given), durable, held });
  ended.catch(() => undefined);
  return { client, resource, events, held, ended };
}

/** A promise that the test settles. */
function gate() {
  let open = (): void => undefined;
  let fail = (_error: Error): void => undefined;
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  passed.catch(() => undefined);
  return { passed, open, fail };
}

test('not a byte of a statement reaches the resource before the record is durable', async () => {
  const { passed, open } = gate();
  const { client, resource, events, ended } = start({ durable: () => passed });
  client.say(say.query('select 1'));
  await until(() => events.length > 0);
  resource.say(answer.notice('meanwhile'));
  await until(() => client.got.includes('meanwhile'));
  expect(resource.got).toBe('');
  open();
  await until(() => resource.got.includes('select 1'));
  resource.say(answer.columns(), answer.row('x'), answer.complete('SELECT 1'), answer.ready());
  await until(() => client.got.includes('SELECT 1'));
  client.say(null);
  await until(() => resource.hasBeenEnded);
  resource.say(null);
  expect(await ended).toEqual({ by: 'client', reason: 'client-closed' });
});

test('what becomes durable when the stream has ended is not sent any more', async () => {
  const { passed, open } = gate();
  const { client, resource, events, ended } = start({ durable: () => passed });
  client.say(say.query('drop table t'));
  await until(() => events.length > 0);
  resource.say(null);
  expect(await ended).toEqual({ by: 'resource', reason: 'resource-closed' });
  open();
  await passed;
  await new Promise(setImmediate);
  expect(resource.got).toBe('');
});

test('the record fails: nothing is forwarded, nothing stays counted', async () => {
  const { client, resource, held, ended } = start({ durable: () => Promise.reject(new Error('the disk is full')) });
  client.say(Buffer.concat([say.query('drop table t'), say.query('half').subarray(0, 7)]));
  await expect(ended).rejects.toThrow('the disk is full');
  expect([resource.got, held.total]).toEqual(['', 0]);
});

test('rows that are kept reach the client once they are durable, so that a resource cannot outrun the disk', async () => {
  const { passed, open } = gate();
  const asked: string[] = [];
  const durable = () => (asked.push('durable'), asked.length === 1 ? Promise.resolve() : passed);
  const { client, resource, events } = start({ durable, results: 'rows' });
  client.say(say.query('select c'));
  await until(() => resource.got.includes('select c'));
  resource.say(answer.columns(), answer.row('secret of the table'), answer.complete('SELECT 1'), answer.ready());
  await until(() => asked.length === 2);
  expect(events.map(({ kind }) => kind)).toEqual(['statement', 'rows', 'outcome']);
  expect(client.got).not.toContain('Z');
  open();
  await until(() => client.got.includes('Z'));
});

test('refused bytes end the stream, and the client is told', async () => {
  const { client, resource, ended } = start();
  client.say(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  expect(await ended).toEqual({ by: 'refused', reason: 'unknown-message' });
  expect([client.got.includes('08P01'), resource.got]).toEqual([true, '']);
});

test('an impossible answer ends the stream while the client says nothing', async () => {
  const { client, resource, ended } = start();
  resource.say(answer.ready());
  expect(await ended).toEqual({ by: 'refused', reason: 'desync' });
  expect(client.got).toContain('08P01');
});

test('the resource closes while a refused client does not read why', async () => {
  const { passed, open } = gate();
  const { client, resource, ended } = start();
  client.taking = passed;
  client.say(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await until(() => client.got.includes('08P01'));
  resource.say(null);
  expect(await ended).toEqual({ by: 'resource', reason: 'resource-closed' });
  open();
});

test.each([
  ['client', new StreamReset('the client is gone')],
  ['resource', new StreamReset('the resource is gone')],
] as const)('a reset of the %s is passed on', async (side, reset) => {
  const parts = start();
  parts[side].say(reset);
  await expect(parts.ended).rejects.toBe(reset);
});

test('a resource that takes no more bytes ends the stream', async () => {
  const { passed, fail } = gate();
  const { client, resource, ended } = start();
  resource.taking = passed;
  // The Bind is sent in pieces: all of them fail, and one of them is told.
  client.say(Buffer.concat([say.parse('s', 'select 1'), say.bind('', 's'), say.execute(''), say.sync()]));
  await until(() => resource.got.includes('select 1'));
  fail(new StreamReset('the resource is gone'));
  await expect(ended).rejects.toThrow('the resource is gone');
});

test('what waits for the disk when the resource leaves is not forwarded any more', async () => {
  const { passed, open } = gate();
  const { client, resource, ended, events } = start({ durable: () => passed });
  client.say(say.query('select 1'));
  await until(() => events.length === 1);
  resource.say(null);
  expect(await ended).toEqual({ by: 'resource', reason: 'resource-closed' });
  open();
  await new Promise((resolve) => setImmediate(resolve));
  expect(resource.got).toBe('');
});

test('nothing more is taken from a client while the resource has no room, and then it goes on', async () => {
  const { passed, open } = gate();
  const { client, resource, ended, events } = start();
  resource.taking = passed;
  client.say(say.query('select 1'));
  await until(() => resource.got.includes('select 1'));
  client.say(say.query('select 2'), say.query('select 3'));
  await new Promise((resolve) => setImmediate(resolve));
  // One was on its way already, and is not held back: others could overtake it.
  expect(events).toHaveLength(2);
  expect(resource.got.match(/select \d/g)).toEqual(['select 1', 'select 2']);
  open();
  await until(() => resource.got.includes('select 3'));
  resource.say(null);
  await ended;
});

test('what comes while the disk is at work is recorded meanwhile, and forwarded in its order when it is durable itself', async () => {
  const disk: ReturnType<typeof gate>[] = [];
  const durable = () => (disk.push(gate()), disk.at(-1)!.passed);
  const { client, resource, events } = start({ durable });
  client.say(say.query('select 1'), say.query('select 2'), say.query('select 3'));
  await until(() => events.length === 3);
  expect(resource.got).toBe('');
  disk[0]!.open();
  await until(() => resource.got.includes('select 1'));
  expect(resource.got).not.toContain('select 2');
  disk[1]!.open();
  disk[2]!.open();
  await until(() => resource.got.includes('select 3'));
  expect(resource.got.match(/select \d/g)).toEqual(['select 1', 'select 2', 'select 3']);
});

test('the record fails: what was recorded behind is not forwarded either', async () => {
  const disk: ReturnType<typeof gate>[] = [];
  const durable = () => (disk.push(gate()), disk.at(-1)!.passed);
  const { client, resource, ended } = start({ durable });
  client.say(say.query('select 1'), say.query('select 2'));
  await until(() => disk.length === 2);
  disk[0]!.fail(new Error('the disk is full'));
  await expect(ended).rejects.toThrow('the disk is full');
  disk[1]!.open();
  await new Promise((resolve) => setImmediate(resolve));
  expect(resource.got).toBe('');
});

test('nothing is decoded behind what ends the stream', async () => {
  const { passed, open } = gate();
  const { client, resource, events, ended } = start({ durable: () => passed });
  client.say(say.query('select 1'), Buffer.from('GET / HTTP/1.1\r\n\r\n'), say.query('select 2'), null);
  await until(() => events.some(({ kind }) => kind === 'refusal'));
  await new Promise((resolve) => setImmediate(resolve));
  expect([resource.got, client.got]).toEqual(['', '']);
  open();
  expect(await ended).toMatchObject({ by: 'refused' });
  expect(events.filter(({ kind }) => kind === 'statement')).toHaveLength(1);
  expect(resource.got.match(/select \d/g)).toEqual(['select 1']);
});

test.each([
  ['bytes', 600, 1000],
  ['pieces', 2000, 1],
])('a disk that is slow is not run ahead of: %s', async (_, pieces, bytes) => {
  const { passed, open } = gate();
  const { client, resource, events } = start({ durable: () => passed });
  for (let piece = 0; piece < pieces; piece++) client.say(say.query(`select ${'1'.repeat(bytes)}`));
  let before = -1;
  await until(() => events.length > 0 && before === (before = events.length));
  expect(events.length * bytes).toBeLessThan(513 * 1024);
  expect(events.length).toBeLessThanOrEqual(bytes === 1 ? 32 : 600);
  open();
  await until(() => resource.got.split('select').length - 1 === pieces);
});

test('a client that is turned away is given the time to read why', async () => {
  const { passed, open } = gate();
  const { client, ended } = start();
  client.taking = passed;
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  client.say(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await until(() => client.got.includes('hoop refused'));
  expect(hasEnded).toBe(false);
  open();
  expect(await ended).toMatchObject({ by: 'refused' });
});

test('what the client’s end makes the gateway say goes before the end', async () => {
  const { passed, open } = gate();
  const [client, resource] = [new Side(), new Side()];
  const nothing = { toResource: [], toClient: [], end: null };
  const decoder: Decoder = {
    client: () => nothing,
    clientEnded: () => ({ ...nothing, toResource: [Buffer.from('farewell')] }),
    resource: () => nothing,
    resourceEnded: () => nothing,
    abort: () => nothing,
    drain: () => nothing,
    cancel: () => false,
    heldBytes: 0,
  };
  const parts = { client, resource, decoder, durable: () => passed, held: createHeldBudget(1000) };
  const ended = relay({ ...parts, together: (act, given) => act(given) });
  client.say(null);
  await new Promise((resolve) => setImmediate(resolve));
  expect([resource.got, resource.hasBeenEnded]).toEqual(['', false]);
  open();
  await until(() => resource.hasBeenEnded);
  expect(resource.got).toBe('farewell');
  resource.say(null);
  expect(await ended).toEqual({ by: 'resource', reason: 'resource-closed' });
});

test('a message that the gateway has no room to hold ends the stream', async () => {
  const { client, held, ended } = start({ heldBytesMax: 20 });
  client.say(say.query('x'.repeat(100)).subarray(0, 50));
  await expect(ended).rejects.toThrow('more than its bound of 20');
  expect(held.total).toBe(0);
});
