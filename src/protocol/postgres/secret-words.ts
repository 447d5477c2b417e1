/**
 * The cheap look at every text before any grammar: can it concern a secret at all? Words that a secret cannot do without; a
 * keyword cannot be written in another way, a quoted name only with Unicode escapes (`U&"…"`), and those are looked at. No two begin
 * with the same two letters.
 */
const words = [
  'passw',
  'secret',
  'conninfo',
  'dblink',
  'options',
  'subscription',
  '://',
  'pgp_',
  'crypt',
  'hmac',
  'u&"',
];

/** A word's bytes in lower case, and for each of them the bit in which a capital differs. */
interface Word {
  bytes: Uint8Array;
  caseBits: Uint8Array;
}

const wordOf = (word: string): Word => {
  const bytes = Buffer.from(word);
  return { bytes, caseBits: bytes.map((byte) => (byte >= 0x61 && byte <= 0x7a ? 0x20 : 0)) };
};

/** The words by their first two bytes, of which the lowest five bits are enough: they are the same of a letter and its capital. */
const beginnings: (Word | undefined)[] = Array.from({ length: 1024 }, () => undefined);
for (const word of words.map(wordOf)) beginnings[((word.bytes[0]! & 31) << 5) | (word.bytes[1]! & 31)] = word;

/** Is one of the words in the text, in capitals or not? Every text that is sent comes by here. */
export function holdsSecretWord(text: Uint8Array): boolean {
  let before = 0;
  for (let at = 0; at < text.length; at++) {
    const low = text[at]! & 31;
    const word = beginnings[(before << 5) | low];
    if (word !== undefined && isAt(text, at - 1, word)) return true;
    before = low;
  }
  return false;
}

function isAt(text: Uint8Array, at: number, { bytes, caseBits }: Word): boolean {
  if (text.length - at < bytes.length) return false;
  for (let index = 0; index < bytes.length; index++)
    if ((text[at + index]! | caseBits[index]!) !== bytes[index]) return false;
  return true;
}

/**
 * What has to stand beside the word, so that a table with a column `password` costs no parse. None of these may try the same bytes
 * from many places: texts are as long as a message.
 */
const closer: readonly RegExp[] = [/conninfo|dblink|u&"/i, /(passwd|password|secret)\s*=|:\/\/[^\s/@:]*:[^\s/@]+@/i];
const definition = /\b(create|alter|import)\b/i;
/** A call; a comment may stand between. `encrypt`, `pgp_sym_decrypt_bytea` and the like end in it. */
const pgcrypto = /(crypt|crypt_iv|crypt_bytea|hmac)"?\s*[(/-]/i;

/** Of a text with one of the words: no parse yet. `latin1`: one character a byte. */
export function mayConcernSecrets(latin1: string, withPgcrypto: boolean): boolean {
  return (
    closer.some((pattern) => pattern.test(latin1)) ||
    (withPgcrypto && pgcrypto.test(latin1)) ||
    (definition.test(latin1) &&
      ((/passw/i.test(latin1) && /\b(role|user|group)\b/i.test(latin1)) ||
        (/options/i.test(latin1) && /mapping|server|wrapper|foreign/i.test(latin1)) ||
        (/subscription/i.test(latin1) && /connection/i.test(latin1))))
  );
}

/** Options of foreign servers, wrappers and tables whose values are secrets, by what wrappers call them. */
export const secretOption = /passw|secret|token|credential|api_?key|access_?key|private_?key|account_?key/i;

/** Options of a user mapping that are none; every other is. */
export const openMappingOptions = new Set(['user', 'username', 'password_required']);
