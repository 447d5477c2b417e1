import { CommandCutter, type Command } from '../../../src/protocol/redis/command-cutter.ts';
import { createDecoder } from '../../../src/protocol/redis/decoder.ts';
import { encodeCommand, latin1 } from '../../../src/protocol/redis/messages.ts';
import type { Random } from '../engine/random.ts';
import { Finding, type Input, type Target } from '../engine/target.ts';
import { act, acts, checkEvents, checkSame, pieces } from './checks.ts';
import { featuresOf, Transcript } from './transcript.ts';

/** Small, so that short inputs meet it. */
const messageBytesMax = 1000;
const credential = { user: 'hoop', password: 'pw', database: '0' };

const commands = [
  'GET k',
  'SET k v',
  'MULTI',
  'EXEC',
  'DISCARD',
  'WATCH k',
  'SUBSCRIBE a b',
  'UNSUBSCRIBE',
  'PSUBSCRIBE p',
  'SSUBSCRIBE s',
  'EVAL x 0',
  'SCRIPT LOAD x',
  'SCRIPT EXISTS 11f6ad8ec52a2984abaafd7c3b516503785c2072',
  'MONITOR',
  'QUIT',
  'AUTH pw',
  'AUTH no',
  'EVALSHA 11f6ad8ec52a2984abaafd7c3b516503785c2072 0',
  'HELLO 3',
  'HELLO 2',
  'HELLO 3 AUTH hoop pw',
  'FCALL f 0',
  'PING',
  "FUNCTION LOAD #!lua\u00a0name=l'f'",
].map((line) => encodeCommand(line.split(' ').map((word) => word.replace('\u00a0', ' '))));
const replies = [
  '+OK',
  '+QUEUED',
  '-ERR no',
  ':1',
  '_',
  '#t',
  ',1.5',
  '(9',
  '$-1',
  '*-1',
  '*0',
  '%0',
  '~0',
  '>0',
  '*1',
  '*2',
  '*3',
  '%1',
  '>2',
  '>3',
  '$0\r\n',
  '$1\r\nk',
  '$7\r\nmessage',
  '$9\r\nsubscribe',
  '$11\r\nunsubscribe',
  '$10\r\npsubscribe',
  '$10\r\nssubscribe',
  ':0',
  `$70\r\n${'x'.repeat(70)}`,
  '!5\r\nERR x',
].map((text) => Buffer.from(`${text}\r\n`));

/** One Redis stream after the login: side 0 is the client, 1 the server, 2 an act by its first byte. */
export function redisDecoder(): Promise<Target> {
  return Promise.resolve({
    name: 'redis-decoder',
    sides: 3,
    dictionary: [commands, replies, acts.map((_, index) => Uint8Array.of(index))],
    messages: (side, bytes) =>
      side === 2 ? [bytes] : side === 1 ? linesOf(bytes) : commandsOf(bytes).map(({ bytes: one }) => one),
    reframe: (_side, message) => message,
    execute,
  });
}

/** Replies by their lines: what the mutator moves about are then heads and leaves. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.length : newline + 1;
    lines.push(bytes.subarray(at, end));
    at = end;
  }
  return lines;
}

/** What can be read, and the rest as if it were one. */
function commandsOf(bytes: Uint8Array): Command[] {
  const cutter = new CommandCutter(messageBytesMax);
  const found: Command[] = [];
  try {
    cutter.push(bytes);
    for (let command = cutter.next(); command; command = cutter.next()) found.push(command);
  } catch {
    // The rest is no command.
  }
  const rest = bytes.subarray(found.reduce((sum, command) => sum + command.bytes.length, 0));
  return rest.length > 0 ? [...found, { words: [], bytes: rest }] : found;
}

function execute(input: Input, random: Random): readonly number[] {
  const whole = play(input);
  const cut = play(input, random);
  checkSame(whole, cut);
  for (const { heldBytes } of [whole, cut])
    if (heldBytes > 3 * messageBytesMax) throw new Finding(`held ${heldBytes} bytes`);
  checkEvents(whole);
  checkForwarded(whole);
  return featuresOf(whole);
}

/** What went to the server are whole commands, each of which the record has, or one that the gateway may put in its place. */
function checkForwarded({ events, toResource }: Transcript): void {
  const recorded = events.flatMap((event) => (event.kind === 'statement' ? [event.arguments!] : []));
  let at = 0;
  for (const { words } of commandsOf(Buffer.concat(toResource))) {
    const name = latin1(words[0] ?? new Uint8Array(0)).toLowerCase();
    const isPut = name === 'discard' || name === 'hello' || name === 'script';
    const found = recorded.findIndex((own, index) => index >= at && (isPut || isSame(own, words)));
    if (words.length === 0 || found < 0) throw new Finding(`forwarded, but not in the record: ${name}`);
    at = isPut ? at : found + 1;
  }
}

const isSame = (one: Uint8Array[], other: Uint8Array[]): boolean =>
  one.length === other.length && one.every((word, index) => Buffer.compare(word, other[index]!) === 0);

/** With `random` in small pieces, else each turn in one. The stream ends in the end, so that everything gets its outcome. */
function play(input: Input, random?: Random): Transcript {
  const transcript = new Transcript();
  const decoder = createDecoder({
    sink: transcript,
    clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
    messageBytesMax,
    greeting: new Uint8Array(0),
    credential,
    randomBytes: (size) => new Uint8Array(size),
  });
  for (const { side, bytes } of input) {
    if (side === 2) act(decoder, transcript, bytes);
    else
      for (const chunk of pieces(bytes, random))
        transcript.take(side === 0 ? decoder.client(chunk) : decoder.resource(chunk), decoder);
  }
  transcript.take(decoder.resourceEnded(), decoder);
  return transcript;
}
