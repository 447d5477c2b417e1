import fc from 'fast-check';
import { expect, it } from 'vitest';
import { holdsSecretWord, mayConcernSecrets } from '../../../src/protocol/postgres/secret-words.ts';

/** The same as a pattern: it is what the scan of the bytes stands for. */
const pattern = /passw|secret|conninfo|dblink|options|subscription|:\/\/|pgp_|crypt|hmac|u&"/i;
const words = pattern.source.replaceAll('\\', '').split('|');

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Pieces of the words, whole ones, capitals, and bytes that differ from a word's in one bit. */
const text = fc
  .array(
    fc.oneof(
      fc.tuple(fc.constantFrom(...words), fc.nat(12), fc.nat(12)).map(([word, from, to]) => word.slice(from, to || 12)),
      fc.constantFrom(...words).map((word) => word.toUpperCase()),
      fc.tuple(fc.constantFrom(...words), fc.nat(11), fc.nat(7)).map(([word, at, bit]) => {
        const bytes = Buffer.from(word);
        if (at < bytes.length) bytes[at]! ^= 1 << bit;
        return bytes.toString('latin1');
      }),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 5 },
  )
  .map((pieces) => Buffer.from(pieces.join(''), 'latin1'));

it('the scan finds exactly the texts that the pattern finds', () => {
  fc.assert(
    fc.property(text, (bytes) => {
      expect(holdsSecretWord(bytes)).toBe(pattern.test(latin1(bytes)));
    }),
    { numRuns: 5000 },
  );
});

it('each word is found at every place, in capitals or not, and not when a byte is another', () => {
  for (const word of words)
    for (const shown of [word, word.toUpperCase()])
      for (const before of ['', 'x', 'select 1;', word.slice(0, 1), word.slice(0, 2)])
        for (const behind of ['', ' x']) {
          const bytes = Buffer.from(`${before}${shown}${behind}`);
          expect(holdsSecretWord(bytes), bytes.toString()).toBe(true);
          for (let at = before.length; at < before.length + shown.length; at++)
            for (let byte = 0; byte < 256; byte++) {
              const other = Uint8Array.from(bytes);
              other[at] = byte;
              if (holdsSecretWord(other) !== pattern.test(latin1(other)))
                expect.fail(`${latin1(other)} (${byte} at ${at})`);
            }
        }
});

it('the closer look passes nothing in which there is none of the words', () => {
  fc.assert(
    fc.property(text, fc.boolean(), (bytes, withPgcrypto) => {
      if (mayConcernSecrets(latin1(bytes), withPgcrypto)) expect(holdsSecretWord(bytes)).toBe(true);
    }),
    { numRuns: 5000 },
  );
});
