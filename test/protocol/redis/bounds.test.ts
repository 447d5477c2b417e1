import { expect, test } from 'vitest';
import { Conversation } from '../../../src/protocol/redis/conversation.ts';
import { createDecoder } from '../../../src/protocol/redis/decoder.ts';
import { Fifo } from '../../../src/protocol/redis/fifo.ts';
import { bytesOf, encodeCommand, latin1, splitError } from '../../../src/protocol/redis/messages.ts';
import { redact } from '../../../src/protocol/redis/redaction.ts';
import { asks, converse, raw, record, says } from '../../support/redis-wire.ts';

const clock = { nowMicros: () => 0, monotonicMicros: () => 0 };

test('a queue of very many, first in, first out', () => {
  const fifo = new Fifo<number>();
  for (let index = 0; index < 5000; index++) fifo.push(index);
  for (let index = 0; index < 3000; index++) fifo.shift();
  expect([fifo.head, fifo.length]).toEqual([3000, 2000]);
  expect(fifo.drain().at(-1)).toBe(4999);
  expect([fifo.head, fifo.length]).toEqual([undefined, 0]);
});

test('a million commands without an answer are too many', () => {
  const talk = new Conversation({ append: () => 0 }, clock, () => undefined);
  for (let index = 0; index < 1_000_000; index++) talk.awaited.push({ entry: 0, name: 'get', sentMicros: 0 });
  talk.queued = [];
  expect(() => talk.checkRoom()).toThrow('read the answers first');
});

test('where the record fails, nothing is forwarded, now or later', () => {
  const sink = {
    append: () => {
      throw new Error('the disk is full');
    },
  };
  const decoder = createDecoder({ sink, clock, messageBytesMax: 4096, greeting: new Uint8Array(0) });
  expect(() => decoder.client(encodeCommand(['SET', 'k', 'v']))).toThrow('the disk is full');
  expect(decoder.resource(new Uint8Array(0)).toResource).toEqual([]);
});

test('a command of very many arguments is refused before they are read; one that is refused for its password is not hashed word by word', () => {
  const many = converse([raw('*1048577\r\n')], { messageBytesMax: 64 * 1024 * 1024 });
  expect(record(many)).toEqual(['refusal message-too-long']);
  const words = ['AUTH', ...Array.from({ length: 66 }, (_, index) => `secret${index}`)];
  const { words: shown, redactions } = redact(words.map(bytesOf), (size) => Buffer.alloc(size, 1));
  expect(shown.map(latin1)).toEqual(['AUTH', 'secret0', expect.stringMatching(/^\[withheld sha256:[0-9a-f]{64}\]$/)]);
  expect(redactions).toEqual(['arguments 2 to 66 of AUTH']);
});

test('what is incomplete counts as held, on either side', () => {
  const decoder = createDecoder({
    sink: { append: () => 0 },
    clock,
    messageBytesMax: 4096,
    greeting: new Uint8Array(0),
  });
  decoder.client(encodeCommand(['GET', 'k']));
  decoder.client(Buffer.from('*1\r\n$4'));
  decoder.resource(Buffer.from('$5\r\nab'));
  expect(decoder.heldBytes).toBe(6 + 6);
});

test('without a credential nobody logs in again; errors of one word, or none', () => {
  const entries: unknown[] = [];
  const sink = { append: (event: unknown) => entries.push(event) - 1 };
  const decoder = createDecoder({ sink, clock, messageBytesMax: 4096, greeting: new Uint8Array(0) });
  expect(Buffer.concat(decoder.client(encodeCommand(['AUTH', 'pw'])).toClient).toString()).toMatch(/^-WRONGPASS/);
  expect([splitError(Buffer.from('BUSY')), splitError(new Uint8Array(0))]).toEqual([
    { code: 'BUSY', message: '' },
    { code: 'ERR', message: '' },
  ]);
});

test('an error longer than is held, and a line that does not end', () => {
  const long = `!70|ERR ${'x'.repeat(66)}|`;
  expect(record(converse([asks('GET k'), says(long)]))).toEqual(['GET k → error ERR']);
  const endless = converse([asks('GET k'), says(`:${'1'.repeat(40)}`)]);
  expect(record(endless)).toEqual(['GET k → unknown', 'refusal desync']);
});
