/**
 * The cheap look at every text before any grammar: can it concern a secret at all? Words that a secret cannot do without; a
 * keyword cannot be written in another way, a quoted name only with Unicode escapes (`U&"…"`), and those are looked at.
 */
const first = /passw|secret|conninfo|dblink|options|subscription|:\/\/|pgp_|crypt|hmac|u&"/i;

/**
 * What has to stand beside the word, so that a table with a column `password` costs no parse. None of these may try the same bytes
 * from many places: texts are as long as a message.
 */
const closer: readonly RegExp[] = [/conninfo|dblink|u&"/i, /(passwd|password|secret)\s*=|:\/\/[^\s/@:]*:[^\s/@]+@/i];
const definition = /\b(create|alter|import)\b/i;
/** A call; a comment may stand between. `encrypt`, `pgp_sym_decrypt_bytea` and the like end in it. */
const pgcrypto = /(crypt|crypt_iv|crypt_bytea|hmac)"?\s*[(/-]/i;

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
