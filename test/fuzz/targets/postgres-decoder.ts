import { createDecoder } from '../../../src/protocol/postgres/decoder.ts';
import { grammar } from '../../../src/protocol/postgres/grammar.ts';
import { Finding, type Input, type Target } from '../engine/target.ts';
import type { Random } from '../engine/random.ts';
import { act, acts, checkEvents, checkSame, pieces } from './checks.ts';
import { dictionary, greeting } from './postgres-messages.ts';
import { checkForwarded, checkPassedOn, framesOf } from './postgres-properties.ts';
import { featuresOf, Transcript } from './transcript.ts';

/** Small, so that short inputs meet it. */
const messageBytesMax = 1000;

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
