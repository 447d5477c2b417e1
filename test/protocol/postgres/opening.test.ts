import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { opening } from '../../../src/protocol/postgres/opening.ts';

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('what the first bytes on the local port ask for', () => {
  it.each([
    ['nothing yet', '', 'incomplete'],
    ['half a request', '00000008 04d2', 'incomplete'],
    ['SSLRequest', '00000008 04d2162f', 'tls'],
    ['GSSENCRequest', '00000008 04d21630', 'declined'],
    ['CancelRequest', '00000010 04d2162e 00000001 00000002', 'parting'],
    ['CancelRequest, of which the key has not come', '00000010 04d2162e', 'parting'],
    ['StartupMessage 3.0', '00000009 00030000 00', 'login'],
    ['StartupMessage 3.9999', '00000009 0003270f 00', 'login'],
    ['a ClientHello', '16030100c4', 'tls'],
    ['HTTP', '474554202f', 'login'],
    ['an SSLRequest of another length', '0000000c 04d2162f 00000000', 'login'],
    ['a length past all bounds', 'ffffffff 04d2162f', 'login'],
    ['a Query where a login belongs', '51000000 0d73656c', 'login'],
  ])('%s', (_name, digits, kind) => {
    expect(opening(hex(digits)).kind).toBe(kind);
  });

  it('answers in the one byte that PostgreSQL answers with', () => {
    const [tls, gss] = [opening(hex('00000008 04d2162f')), opening(hex('00000008 04d21630'))];
    expect(tls).toMatchObject({ length: 8, alpn: 'postgresql', alpnRequired: false });
    expect('answer' in tls && text(tls.answer)).toBe('S');
    expect('answer' in gss && text(gss.answer)).toBe('N');
    // Direct TLS has no request before it, and must say by ALPN that it means PostgreSQL.
    expect(opening(hex('16'))).toMatchObject({ kind: 'tls', length: 0, alpnRequired: true });
  });

  it('says the same of the same bytes however many come with them', () => {
    const starts = fc.constantFrom(
      '',
      '00',
      '00000008',
      '0000000804d2162f',
      '0000000804d21630',
      '16',
      '0000001004d2162e',
    );
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 24 }), (start, rest) => {
        const bytes = Buffer.concat([hex(start), rest]);
        const verdicts = Array.from({ length: bytes.length + 1 }, (_, end) => opening(bytes.subarray(0, end)).kind);
        const first = verdicts.findIndex((kind) => kind !== 'incomplete');
        if (first >= 0) expect(new Set(verdicts.slice(first)).size).toBe(1);
      }),
    );
  });
});
