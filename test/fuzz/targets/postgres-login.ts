import { frontend } from '../../../src/protocol/postgres/frontend.ts';
import { encodeStartup, parseStartupPacket, startupLength } from '../../../src/protocol/postgres/startup.ts';
import type { Admission } from '../../../src/protocol/protocol.ts';
import { ProtocolError } from '../../../src/shared/errors.ts';
import {
  clientFinal,
  clientFirst,
  drawn,
  password as credential,
} from '../../fixtures/postgres/malformed/scram-client.ts';
import { bytes, int32, message, text } from '../../fixtures/postgres/malformed/case.ts';
import { MemoryDuplex } from '../../support/memory-duplex.ts';
import { Finding, type Input, type Target } from '../engine/target.ts';
import type { Random } from '../engine/random.ts';
import { difference } from './transcript.ts';

const packet = (...parts: Uint8Array[]): Uint8Array => {
  const body = bytes(...parts);
  return bytes(int32(body.length + 4), body);
};
const pairs = (...words: string[]): Uint8Array => bytes(...words.map(text), [0]);
const target = ['user', credential.user, 'database', credential.database];
const protocol30 = int32(0x30000);

const dictionary: Uint8Array[] = [
  packet(protocol30, pairs(...target)),
  packet(int32(0x30002), pairs(...target, '_pq_.new', 'on')),
  packet(protocol30, pairs(...target, 'options', '-c search_path=a\\ b --jit=off', 'DateStyle', 'ISO')),
  packet(protocol30, pairs(...target, 'replication', 'off')),
  packet(int32(80877103)),
  packet(int32(80877104)),
  packet(int32(80877102), Buffer.alloc(8, 7)),
  message('p', text('SCRAM-SHA-256'), int32(clientFirst.length), bytes(clientFirst)),
  message('p', bytes(clientFinal({}))),
  bytes('GET / HTTP/1.1\r\n\r\n'),
  bytes([0x16, 3, 1]),
];

/** One connection before its login: everything is from the client. */
export async function postgresLogin(): Promise<Target> {
  return {
    name: 'postgres-login',
    sides: 1,
    dictionary: [dictionary],
    messages: (_side, said) => [said],
    reframe: (_side, one) => reframed(one),
    execute,
  };
}

/** A startup packet's length comes first, a message's behind its type. */
function reframed(one: Uint8Array): Uint8Array {
  if (one.length < 5) return one;
  const copy = Buffer.from(one);
  if (copy[0] === 'p'.charCodeAt(0)) copy.writeUInt32BE(copy.length - 1, 1);
  else copy.writeUInt32BE(copy.length, 0);
  return copy;
}

async function execute(input: Input, random: Random): Promise<readonly number[]> {
  for (const { bytes: said } of input) checkStartup(said);
  const whole = await admit(input.map(({ bytes: said }) => said));
  const cut = await admit(input.flatMap(({ bytes: said }) => pieces(said, random)));
  // What lies behind an encryption request is refused if it is there when the request is answered.
  const depends = [whole, cut].some(({ admission }) => reasonOf(admission) === 'bytes-behind-request');
  const found = depends
    ? undefined
    : difference([known(whole.admission), whole.said], [known(cut.admission), cut.said]);
  if (found !== undefined) throw new Finding(`in other cuts it differs at ${found}`);
  checkAnswers(whole.said);
  return [featureOf(`${reasonOf(whole.admission)} ${whole.said.length}`)];
}

/** How much of what follows the login was read with it depends on the cuts. */
const known = (admission: Admission): object => ({ ...admission, leftover: undefined });

const reasonOf = (admission: Admission): string => (admission.kind === 'refused' ? admission.reason : admission.kind);

async function admit(chunks: Uint8Array[]): Promise<{ admission: Admission; said: Buffer }> {
  const duplex = new MemoryDuplex(chunks);
  const admission = await frontend.admit(duplex, { credential, randomBytes: drawn, messageBytesMax: 10_000 });
  const isRightful = admission.kind !== 'admitted' || duplex.written.some((one) => one[0] === 'R'.charCodeAt(0));
  if (!isRightful) throw new Finding('admitted without having been asked for a password');
  return { admission, said: Buffer.concat(duplex.written) };
}

function pieces(said: Uint8Array, random: Random): Uint8Array[] {
  const cut: Uint8Array[] = [];
  const sizeMax = random.pick([1, 6, 40]);
  for (let at = 0; at < said.length;) {
    const end = at + 1 + random.int(sizeMax);
    cut.push(said.subarray(at, end));
    at = end;
  }
  return cut;
}

/** A packet that parses is sent on with the same meaning, and nothing else is thrown than ProtocolError. */
function checkStartup(said: Uint8Array): void {
  try {
    if (said.length < 8 || startupLength(said.subarray(0, 4)) !== said.length) return;
    const parsed = parseStartupPacket(said);
    if (parsed.kind !== 'startup') return;
    const { user, database, parameters } = parsed;
    const again = parseStartupPacket(encodeStartup({ user, database, ...parameters }));
    const expected = { kind: 'startup', version: 0x30000, user, database, parameters, extensions: [] };
    const found = difference(again, expected);
    if (found !== undefined) throw new Finding(`a start-up packet sent on differs at ${found}`);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

/** Whatever was said to the gateway, what it says is well-formed: N, then whole messages; or an HTTP answer. */
function checkAnswers(said: Buffer): void {
  let at = 0;
  while (said[at] === 'N'.charCodeAt(0)) at++;
  if (said.subarray(at, at + 4).toString() === 'HTTP') return;
  while (at < said.length) {
    if (said.length - at < 5 || !'RvE'.includes(String.fromCharCode(said[at]!)))
      throw new Finding('a malformed answer');
    at += 1 + said.readUInt32BE(at + 1);
  }
  if (at !== said.length) throw new Finding('an answer that is cut off');
}

function featureOf(what: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < what.length; index++) hash = Math.imul(hash ^ what.charCodeAt(index), 0x01000193);
  return hash & 0xffff;
}
