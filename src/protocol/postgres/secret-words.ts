/**
 * The cheap look at every text before any grammar: can it concern a secret at all? Words that a secret cannot do without; a
 * keyword cannot be written in another way, a quoted name only with Unicode escapes (`U&"…"`), and those are looked at.
 */
const first = /passw|conninfo|dblink|options|subscription|:\/\/|pgp_|crypt|hmac|u&"/i;

/** What has to stand beside the word, so that a table with a column `password` costs no parse. */
const closer: readonly RegExp[] = [/conninfo|dblink|u&"/i, /(passw\w*|secret)\s*=|:\/\/[^\s/@:]*:[^\s/@]+@/i];
const definition = /\b(create|alter|import)\b/i;
const pgcrypto = /(crypt\w*|hmac|pgp_(sym|pub)_\w+)"?\s*[(/-]/i;

/** Cheap: no parse. `latin1`: one character a byte. */
export function mayConcernSecrets(latin1: string, withPgcrypto: boolean): boolean {
  if (!first.test(latin1)) return false;
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
