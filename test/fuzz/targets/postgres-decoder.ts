import type { Decoder } from '../../../src/protocol/protocol.ts';
import { createDecoder } from '../../../src/protocol/postgres/decoder.ts';
import { grammar } from '../../../src/protocol/postgres/grammar.ts';
import { Finding, type Input, type Target } from '../engine/target.ts';
import type { Random } from '../engine/random.ts';
import { dictionary, greeting } from './postgres-messages.ts';
import { checkForwarded, checkPassedOn, framesOf } from './postgres-properties.ts';
import { difference, featuresOf, Transcript } from './transcript.ts';

/** Small, so that short inputs meet it. */
const messageBytesMax = 1000;
const acts = ['cancel', 'client-ended', 'resource-ended', 'abort', 'drain'] as const;

/** One stream after the login: side 0 is the client, 1 the server, 2 an act by its first byte. */
export async function postgresDecoder(): Promise<Target> {
  await grammar.load();
  return {
    name: 'postgres-decoder',
    sides: 3,
    dictionary: [...dictionary, acts.map((_, index) => Uint8Array.of(index))],
    messages: (side, bytes) => (side === 2 ? [bytes] : framesOf(bytes)),
    reframe: (side, message) => (side === 2 ? message : reframed(message)),
    execute,
  };
}

function reframed(message: Uint8Array): Uint8Array {
  if (message.length < 5) return message;
  const copy = Buffer.from(message);
  copy.writeUInt32BE(copy.length - 1, 1);
  return copy;
}

function execute(input: Input, random: Random): readonly number[] {
  const results = random.oneIn(8) ? 'rows' : 'digest';
  const whole = play(input, results);
  const cut = play(input, results, random);
  checkSame(whole, cut);
  for (const { heldBytes } of [whole, cut])
    if (heldBytes > 3 * messageBytesMax) throw new Finding(`held ${heldBytes} bytes`);
  checkEvents(whole);
  // These cost as much as all the rest: one in three is enough of millions.
  if (random.oneIn(3)) {
    checkForwarded(whole);
    checkPassedOn(whole, input);
  }
  return featuresOf(whole);
}

/** With `random` in small pieces, else each turn in one. The stream ends in the end, so that everything gets its outcome. */
function play(input: Input, results: 'rows' | 'digest', random?: Random): Transcript {
  const transcript = new Transcript();
  const decoder = createDecoder({
    sink: transcript,
    clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
    messageBytesMax,
    greeting,
    results,
    randomBytes: (size) => new Uint8Array(size),
  });
  for (const { side, bytes } of input) {
    if (side === 2) act(decoder, transcript, bytes);
    else
      for (const chunk of pieces(bytes, random)) {
        transcript.take(side === 0 ? decoder.client(chunk) : decoder.resource(chunk), decoder);
      }
  }
  transcript.take(decoder.resourceEnded(), decoder);
  return transcript;
}

function act(decoder: Decoder, transcript: Transcript, bytes: Uint8Array): void {
  switch (acts[(bytes[0] ?? 0) % acts.length]!) {
    case 'cancel':
      return void decoder.cancel();
    case 'client-ended':
      return transcript.take(decoder.clientEnded(), decoder);
    case 'resource-ended':
      return transcript.take(decoder.resourceEnded(), decoder);
    case 'abort':
      return transcript.take(decoder.abort('HOOP_RECORDER', 'the record cannot be written'), decoder);
    case 'drain':
      return transcript.take(decoder.drain('gateway_stopped', 'the gateway is stopping'), decoder);
  }
}

function* pieces(bytes: Uint8Array, random: Random | undefined): Iterable<Uint8Array> {
  if (bytes.length === 0) return;
  if (!random) return yield bytes;
  const sizeMax = random.pick([3, 20, 80]);
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.int(sizeMax);
    yield bytes.subarray(at, end);
    at = end;
  }
}

function checkSame(whole: Transcript, cut: Transcript): void {
  const events = difference(whole.events, cut.events, 'events');
  const found =
    events ??
    difference(Buffer.concat(whole.toResource), Buffer.concat(cut.toResource), 'forwarded') ??
    difference(Buffer.concat(whole.toClient), Buffer.concat(cut.toClient), 'passed on') ??
    difference(whole.end, cut.end, 'end');
  if (found !== undefined) throw new Finding(`in other cuts it differs at ${found}`);
}

/** An outcome for everything that expects one, and only one; nothing refers to what is not there. */
function checkEvents({ events }: Transcript): void {
  const outcomes = new Map<number, number>();
  for (const [sequence, event] of events.entries()) {
    const of = 'of' in event ? event.of : undefined;
    if (of !== undefined && (of >= sequence || events[of]?.kind !== 'statement'))
      throw new Finding(`event ${sequence} refers to ${of}`);
    if (event.kind === 'outcome') outcomes.set(event.of, (outcomes.get(event.of) ?? 0) + 1);
  }
  for (const [sequence, event] of events.entries()) {
    const count = outcomes.get(sequence) ?? 0;
    if (count > 1) throw new Finding(`${count} outcomes for event ${sequence}`);
    if (event.kind === 'statement' && event.expectsOutcome && count === 0)
      throw new Finding(`no outcome for event ${sequence}`);
  }
}
