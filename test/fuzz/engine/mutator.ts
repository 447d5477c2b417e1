import type { Random } from './random.ts';
import type { Input, Target, Turn } from './target.ts';

/** Larger inputs cost time and find no more: every bound is tested with a small one. */
const turnsMax = 12;
const turnBytesMax = 600;
/** Where lengths, counts and signs turn over. */
const interesting = [
  0, 1, 2, 3, 4, 5, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
];

/** Makes a new input of one that was worth keeping, and of another one. */
export function mutate(target: Target, input: Input, other: Input, random: Random): Input {
  let turns = input.slice();
  const times = 1 << random.int(4);
  for (let time = 0; time < times; time++) turns = changed(target, turns, other, random);
  return turns.slice(0, turnsMax).map((turn) => bounded(turn));
}

const bounded = (turn: Turn): Turn =>
  turn.bytes.length <= turnBytesMax ? turn : { side: turn.side, bytes: turn.bytes.subarray(0, turnBytesMax) };

function changed(target: Target, turns: Turn[], other: Input, random: Random): Turn[] {
  if (turns.length === 0) return [newTurn(target, random)];
  const at = random.int(turns.length);
  const turn = turns[at]!;
  switch (random.int(16)) {
    case 0:
      return turns.toSpliced(at, 1);
    case 1:
      return turns.toSpliced(random.int(turns.length + 1), 0, turn);
    case 2:
      return turns.toSpliced(at, 0, newTurn(target, random));
    case 3:
      return [...turns.slice(0, at), ...other.slice(random.int(other.length))];
    case 4: {
      const to = random.int(turns.length);
      return turns.with(at, turns[to]!).with(to, turn);
    }
    case 5:
      return split(turns, at, random);
    case 6:
      return turns.with(at, { side: turn.side, bytes: changedBytes(turn.bytes, random) });
    default:
      return turns.with(at, { side: turn.side, bytes: changedMessages(target, turn, random) });
  }
}

const newTurn = ({ sides, dictionary }: Target, random: Random): Turn => {
  const side = random.int(sides);
  return { side, bytes: random.pick(dictionary[side]!) };
};

/** One turn becomes two: what stands between may then come between. */
function split(turns: Turn[], at: number, random: Random): Turn[] {
  const { side, bytes } = turns[at]!;
  if (bytes.length < 2) return turns;
  const cut = 1 + random.int(bytes.length - 1);
  return turns.toSpliced(at, 1, { side, bytes: bytes.subarray(0, cut) }, { side, bytes: bytes.subarray(cut) });
}

/** Whole messages added, left out, moved or damaged inside, mostly with a length that agrees. */
function changedMessages(target: Target, { side, bytes }: Turn, random: Random): Uint8Array {
  const messages = target.messages(side, bytes);
  const at = random.int(messages.length + 1);
  const there = messages[at];
  switch (random.int(8)) {
    case 0:
      messages.splice(at, 1);
      break;
    case 1:
      messages.splice(random.int(messages.length + 1), 0, there ?? random.pick(target.dictionary[side]!));
      break;
    case 2:
    case 3:
    case 4:
      messages.splice(at, random.int(2), random.pick(target.dictionary[side]!));
      break;
    default: {
      if (!there) break;
      const damaged = changedBytes(there, random);
      messages[at] = random.oneIn(4) ? damaged : target.reframe(side, damaged);
    }
  }
  return Buffer.concat(messages);
}

function changedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(random.int(256));
  const at = random.int(bytes.length);
  const copy = Buffer.from(bytes);
  switch (random.int(8)) {
    case 0:
      copy[at] = copy[at]! ^ (1 << random.int(8));
      return copy;
    case 1:
      copy[at] = random.int(256);
      return copy;
    case 2:
      copy[at] = copy[at]! + random.int(16) - 8;
      return copy;
    case 3:
      return withInteger(copy, at, random);
    case 4:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + random.int(8))]);
    case 5:
      return Buffer.concat([
        copy.subarray(0, at),
        Uint8Array.of(random.oneIn(2) ? 0 : random.int(256)),
        copy.subarray(at),
      ]);
    case 6: {
      const from = random.int(copy.length);
      return Buffer.concat([copy.subarray(0, at), copy.subarray(from, from + 1 + random.int(32)), copy.subarray(at)]);
    }
    default:
      return copy.subarray(0, at);
  }
}

function withInteger(copy: Buffer, at: number, random: Random): Buffer {
  const value = random.pick(interesting);
  const size = random.pick([1, 2, 4]);
  for (let index = 0; index < size && at + index < copy.length; index++)
    copy[at + index] = (value >>> (8 * (size - 1 - index))) & 0xff;
  return copy;
}
