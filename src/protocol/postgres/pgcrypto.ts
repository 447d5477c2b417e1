/**
 * Which arguments (from 0) of pgcrypto's functions are passwords or keys: https://www.postgresql.org/docs/current/pgcrypto.html.
 * Of decryption with a secret key (`pgp_pub_decrypt`) both the key and its password.
 */
export const pgcryptoSecrets: ReadonlyMap<string, readonly number[]> = new Map([
  ['crypt', [0]],
  ['hmac', [1]],
  ['encrypt', [1]],
  ['decrypt', [1]],
  ['encrypt_iv', [1]],
  ['decrypt_iv', [1]],
  ['pgp_sym_encrypt', [1]],
  ['pgp_sym_encrypt_bytea', [1]],
  ['pgp_sym_decrypt', [1]],
  ['pgp_sym_decrypt_bytea', [1]],
  ['pgp_pub_decrypt', [1, 2]],
  ['pgp_pub_decrypt_bytea', [1, 2]],
]);
