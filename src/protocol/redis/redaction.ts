import { withheld } from '../withheld.ts';
import { nameOf, subcommandOf } from './commands.ts';
import { bytesOf, encodeCommand, latin1 } from './messages.ts';

export interface Redacted {
  words: Uint8Array[];
  /** What was withheld, for the record; empty if nothing was. */
  redactions: string[];
}

/** Each costs a hash. No command that passes has more; of one that has, all that follows the first is withheld as one. */
const placesMax = 64;

/** A command as the record gets it: passwords are replaced by commitments. */
export function redact(words: readonly Uint8Array[], randomBytes: (size: number) => Uint8Array): Redacted {
  const secrets = secretPlaces(words);
  if (secrets.size === 0) return { words: [...words], redactions: [] };
  if (secrets.size > placesMax) return redactRest(words, [...secrets][0]!, randomBytes);
  return {
    words: words.map((word, index) => (secrets.has(index) ? bytesOf(withheld(word, randomBytes)) : word)),
    redactions: [...secrets].map((index) => `argument ${index} of ${nameOf(words).toUpperCase()}`),
  };
}

function redactRest(words: readonly Uint8Array[], from: number, randomBytes: (size: number) => Uint8Array): Redacted {
  const rest = withheld(encodeCommand(words.slice(from)), randomBytes);
  return {
    words: [...words.slice(0, from), bytesOf(rest)],
    redactions: [`arguments ${from} to ${words.length - 1} of ${nameOf(words).toUpperCase()}`],
  };
}

/** Indices of the words that are secret, or may be, in order: a command that is written wrong may hold its password anywhere. */
function secretPlaces(words: readonly Uint8Array[]): Set<number> {
  switch (nameOf(words)) {
    case 'auth':
      return all(words, words.length > 2 ? 2 : 1);
    case 'hello':
      return helloPlaces(words);
    case 'acl':
      return subcommandOf(words) === 'cat' || subcommandOf(words) === 'help' ? none : all(words, 3);
    case 'config':
      return subcommandOf(words) === 'set' ? settingPlaces(words) : none;
    case 'migrate':
      return migratePlaces(words);
    case 'sentinel':
    case 'module':
      return all(words, 3);
    default:
      return none;
  }
}

const none: Set<number> = new Set();

const all = (words: readonly Uint8Array[], from: number): Set<number> =>
  new Set(words.map((_word, index) => index).filter((index) => index >= from));

const isWord = (word: Uint8Array | undefined, expected: string): boolean =>
  word !== undefined && word.length === expected.length && latin1(word).toLowerCase() === expected;

/** `HELLO 3 AUTH user password SETNAME name`: only in that place is a word surely no password. */
function helloPlaces(words: readonly Uint8Array[]): Set<number> {
  const places = all(words, 2);
  for (let at = 2; at < words.length;) {
    if (isWord(words[at], 'auth') && at + 2 < words.length) {
      places.delete(at);
      places.delete(at + 1);
      at += 3;
    } else if (isWord(words[at], 'setname') && at + 1 < words.length) {
      places.delete(at);
      places.delete(at + 1);
      at += 2;
    } else break;
  }
  return places;
}

/** `CONFIG SET name value [name value …]`. */
function settingPlaces(words: readonly Uint8Array[]): Set<number> {
  const places = new Set<number>();
  for (let at = 2; at < words.length; at += 2) {
    if (at + 1 < words.length && /pass|auth|user|key/i.test(latin1(words[at]!))) places.add(at + 1);
  }
  return places;
}

/** `MIGRATE … AUTH password` or `… AUTH2 user password`. */
function migratePlaces(words: readonly Uint8Array[]): Set<number> {
  const places = new Set<number>();
  for (let at = 1; at < words.length; at++) {
    if (isWord(words[at - 1], 'auth')) places.add(at);
    if (at > 1 && isWord(words[at - 2], 'auth2')) places.add(at);
  }
  return places;
}
