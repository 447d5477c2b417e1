import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { SessionWitness } from '../../src/gateway/witness-feed.ts';
import { SessionChain } from '../../src/recording/chain.ts';
import { headerBytes } from '../../src/recording/entry-codec.ts';
import { formatSessionId } from '../../src/recording/session-id.ts';
import { limits } from '../../src/shared/limits.ts';
import { encodeWitnessEntry } from '../../src/tunnel/witness-frame.ts';
import { query } from '../support/recorder.ts';

const idBytes = randomBytes(16);
const id = formatSessionId(idBytes);

function setUp() {
  const sent: Buffer[] = [];
  const witness = new SessionWitness(async (messages) => void sent.push(Buffer.from(messages)));
  const chain = new SessionChain(idBytes);
  return {
    witness,
    sent: () => Buffer.concat(sent.splice(0)),
    add(text: string): Buffer {
      const entry = Buffer.from(chain.next(1, query(text), 1, Buffer.alloc(16)));
      chain.accept(entry);
      witness.add(id, entry);
      return encodeWitnessEntry(idBytes, entry);
    },
    addOutcome(): Buffer {
      const entry = Buffer.from(chain.next(1, { kind: 'outcome', of: 0, status: 'ok' }, 1, Buffer.alloc(16)));
      chain.accept(entry);
      witness.add(id, entry);
      return encodeWitnessEntry(idBytes, entry.subarray(0, headerBytes));
    },
  };
}

/** A flush that the test ends. */
function flush() {
  let done!: () => void;
  const promise = new Promise<void>((resolve) => (done = resolve));
  return { promise, done };
}

it('shows what is durable and nothing behind it, each entry once', async () => {
  const { witness, sent, add, addOutcome } = setUp();
  const first = add('select 1');
  const outcome = addOutcome();
  const { promise, done } = flush();
  const after = witness.after(promise);
  const second = add('select 2');
  expect(witness.show()).toBeUndefined();
  expect(witness.shownSeq).toBe(-1);
  done();
  await after;
  await witness.show();
  expect(sent()).toEqual(Buffer.concat([first, outcome]));
  expect(witness.shownSeq).toBe(1);
  expect(witness.show()).toBeUndefined();
  await witness.after(Promise.resolve());
  await witness.show();
  expect(sent()).toEqual(second);
});

it('all who wait for one flush see what the last of them had appended', async () => {
  const { witness, sent, add } = setUp();
  const { promise, done } = flush();
  const first = add('select 1');
  const one = witness.after(promise);
  const second = add('select 2');
  const other = witness.after(promise);
  add('select 3'); // nobody has asked for it
  done();
  await Promise.all([one, other]);
  await witness.show();
  expect(sent()).toEqual(Buffer.concat([first, second]));
});

it('an earlier flush that is heard of later takes nothing back', async () => {
  const { witness, sent, add } = setUp();
  const [early, late] = [flush(), flush()];
  const first = add('select 1');
  const one = witness.after(early.promise);
  const second = add('select 2');
  const other = witness.after(late.promise);
  late.done();
  await other;
  early.done();
  await one;
  await witness.show();
  expect(sent()).toEqual(Buffer.concat([first, second]));
});

it('does not keep what nothing is forwarded after', async () => {
  const { witness, sent, add } = setUp();
  const entries = Array.from({ length: 64 }, (_, at) => add(`select ${at}`));
  await witness.after(Promise.resolve());
  expect(sent()).toEqual(Buffer.concat(entries));
});

it('shows nothing after a flush that failed', async () => {
  const { witness, sent, add } = setUp();
  add('select 1');
  await expect(witness.after(Promise.reject(new Error('disk')))).rejects.toThrow('disk');
  expect(witness.show()).toBeUndefined();
  expect(sent()).toHaveLength(0);
});

it('shows the end', async () => {
  const { witness, sent, add } = setUp();
  const entry = add('select 1');
  witness.showEnd();
  expect(sent()).toEqual(entry);
});

it('says when much was appended for which nobody waits, once, and shows it when it is durable', async () => {
  const { witness, sent, add } = setUp();
  const { promise, done } = flush();
  let asked = 0;
  let shown: Promise<void> | undefined;
  witness.onBehind = () => {
    asked++;
    shown = witness.after(promise);
  };
  const entries = Array.from({ length: limits.witnessEntries - 1 }, (_, index) => add(`select ${index}`));
  expect(asked).toBe(0);
  entries.push(add('the last'));
  add('behind it');
  expect(asked).toBe(1);
  expect(sent()).toHaveLength(0);
  done();
  await shown;
  expect(sent()).toEqual(Buffer.concat(entries));
});
