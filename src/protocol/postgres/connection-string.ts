/** Parameters of libpq whose values are secrets: https://www.postgresql.org/docs/current/libpq-connect.html */
const secretNames = new Set([
  'password',
  'passwd',
  'sslpassword',
  'scram_client_key',
  'scram_server_key',
  'oauth_client_secret',
]);

const uri = /^[a-z][a-z0-9+.-]*:\/\//i;
/** `//user:password@`; what may be empty is the user, not the password. */
const uriPassword = /:\/\/[^\s/@:]*:[^\s/@]+@/; // linear: it cannot begin again before a slash
const uriParameter = /[?&](password|passwd|sslpassword|oauth_client_secret)=[^&\s]/i;

/** Is this a connection string (`host=… password=…`, or a URI) that holds a password? */
export function holdsPassword(text: string): boolean {
  if (uriPassword.test(text) || (uri.test(text) && uriParameter.test(text))) return true;
  for (const name of keywords(text)) if (secretNames.has(name ?? '')) return true;
  return false;
}

/** In a place where a connection string belongs: is this surely one without a password? */
export function isHarmless(text: string): boolean {
  if (uri.test(text)) return !uriPassword.test(text) && !/passw|secret|key/i.test(text);
  for (const name of keywords(text)) if (name === undefined || secretNames.has(name)) return false;
  return true;
}

/** The names of `name = value` pairs as conninfo_parse in libpq reads them; undefined where it would give up. */
function* keywords(text: string): Generator<string | undefined> {
  const pair = /\s*([^\s=]+)\s*=\s*('(?:[^'\\]|\\[^])*'|(?!')(?:[^\s\\]|\\[^])*)/y;
  while (pair.lastIndex < text.length) {
    const from = pair.lastIndex;
    const [, name] = pair.exec(text) ?? [];
    if (name === undefined) {
      if (text.slice(from).trim() !== '') yield lostName(text.slice(from));
      return;
    }
    yield name.toLowerCase();
  }
}

/** `password = 'it` has no end, but is one that somebody meant. */
const lostName = (rest: string): string | undefined => /^\s*([^\s=]+)\s*=/.exec(rest)?.[1]?.toLowerCase();
