import { createHash, timingSafeEqual } from 'node:crypto';
import type { LocalCredential } from '../protocol.ts';
import { latin1, parseUnsigned } from './messages.ts';

export type RespVersion = 2 | 3;

/** An error that a client gets: code and words. */
export interface Complaint {
  code: string;
  message: string;
}

export interface Login {
  user: Uint8Array | undefined;
  password: Uint8Array;
}

export interface Hello {
  version: RespVersion | undefined;
  login: Login | undefined;
  /** SETNAME. */
  name: Uint8Array | undefined;
}

export const wrongPassword: Complaint = {
  code: 'WRONGPASS',
  message:
    'hoop: invalid username-password pair; use the credential that hoop connect printed for this session (the resource has its own, which stays with the agent)',
};
export const notLoggedIn: Complaint = {
  code: 'NOAUTH',
  message: 'hoop: authentication required; use the credential that hoop connect printed for this session',
};
const wrongCount: Complaint = { code: 'ERR', message: 'wrong number of arguments' };
const syntax: Complaint = { code: 'ERR', message: 'syntax error in HELLO' };

/** `AUTH password` or `AUTH user password`. */
export function parseAuth(words: readonly Uint8Array[]): Login | Complaint {
  const [, first, second] = words;
  if (!first || words.length > 3) return { ...wrongCount, message: `${wrongCount.message} for 'auth' command` };
  return second ? { user: first, password: second } : { user: undefined, password: first };
}

/** `HELLO [version [AUTH user password] [SETNAME name]]`, each once. */
export function parseHello(words: readonly Uint8Array[]): Hello | Complaint {
  const hello: Hello = { version: undefined, login: undefined, name: undefined };
  if (words.length === 1) return hello;
  const version = parseUnsigned(words[1]!);
  if (version !== 2 && version !== 3) return { code: 'NOPROTO', message: 'unsupported protocol version' };
  hello.version = version;
  for (let at = 2; at < words.length;) {
    const option = latin1(words[at]!).toLowerCase();
    if (option === 'auth' && !hello.login && at + 2 < words.length) {
      hello.login = { user: words[at + 1]!, password: words[at + 2]! };
      at += 3;
    } else if (option === 'setname' && !hello.name && at + 1 < words.length) {
      hello.name = words[at + 1]!;
      at += 2;
    } else return syntax;
  }
  return hello;
}

export const isComplaint = (value: object): value is Complaint => 'message' in value;

/** `default` is what clients send that were given a password only. */
export function proves({ user, password }: Login, credential: LocalCredential): boolean {
  const isUser = user === undefined || latin1(user) === 'default' || sameBytes(user, Buffer.from(credential.user));
  return sameBytes(password, Buffer.from(credential.password)) && isUser;
}

/** Digests are compared, so that neither contents nor length show in the time it takes. */
function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(one), digest(other));
}
