/**
 * What a client may send before it is logged in: the startup family, which has no type byte.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html (StartupMessage, SSLRequest, GSSENCRequest, CancelRequest)
 */
import { ProtocolError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { ByteReader } from '../byte-reader.ts';
import { bytesOf, cstring, int32 } from './messages.ts';

export const sslRequestCode = 80_877_103;
export const gssEncRequestCode = 80_877_104;
export const cancelRequestCode = 80_877_102;
export const protocol30 = 3 * 0x10000;
export const protocol32 = 3 * 0x10000 + 2;

export type StartupPacket =
  | { kind: 'ssl' | 'gss' }
  /** Process id and secret together. */
  | { kind: 'cancel'; key: Uint8Array }
  | {
      kind: 'startup';
      version: number;
      user: string;
      database: string;
      parameters: Record<string, string>;
      extensions: string[];
    };

/** Settings that a client may make at start-up, by what real clients send. Each is recorded; others can be SET later, as a statement. */
const allowedSettings = new Set([
  'application_name',
  'bytea_output',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'extra_float_digits',
  'geqo',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'lock_timeout',
  'search_path',
  'statement_timeout',
  'timezone',
  'transaction_timeout',
  'work_mem',
]);

export const isStartupSetting = (name: string): boolean => allowedSettings.has(name.toLowerCase());

/** Length field of a startup packet. Throws ProtocolError for what cannot be one. */
export function startupLength(header: Uint8Array): number {
  const length = new ByteReader(header).uint32();
  if (length < 8 || length > limits.startupBytesMax) {
    throw new ProtocolError(
      'bad-startup',
      `a startup packet of ${length} bytes; 8 to ${limits.startupBytesMax} are accepted`,
    );
  }
  return length;
}

/** A whole packet, its length field included. */
export function parseStartupPacket(packet: Uint8Array): StartupPacket {
  const reader = new ByteReader(packet.subarray(4));
  const code = reader.uint32();
  if (code === cancelRequestCode) return { kind: 'cancel', key: cancelKey(reader) };
  if (code === sslRequestCode || code === gssEncRequestCode) {
    reader.done();
    return { kind: code === sslRequestCode ? 'ssl' : 'gss' };
  }
  if (code >>> 16 !== 3) {
    throw new ProtocolError(
      'bad-startup',
      `protocol ${code >>> 16}.${code & 0xffff} is not spoken here; 3.0 and 3.2 are`,
    );
  }
  return startupMessage(code, reader);
}

function cancelKey(reader: ByteReader): Uint8Array {
  const key = reader.rest();
  // Process id (4) and a secret of 4 to 256 bytes (protocol 3.2).
  if (key.length < 8 || key.length > 260)
    throw new ProtocolError('bad-startup', 'a CancelRequest with a key of impossible length');
  return key;
}

function startupMessage(version: number, reader: ByteReader): StartupPacket {
  const seen = new Set<string>();
  const given = new Map<string, string>();
  const extensions: string[] = [];
  for (let name = text(reader.cstring()); name !== ''; name = text(reader.cstring())) {
    const value = text(reader.cstring());
    const key = name.toLowerCase();
    if (seen.has(key)) throw new ProtocolError('duplicate-parameter', `the start-up parameter ${key} comes twice`);
    seen.add(key);
    if (name.startsWith('_pq_.')) extensions.push(name);
    else given.set(key, value);
  }
  reader.done();
  return { kind: 'startup', version, extensions, ...checkParameters(given) };
}

function checkParameters(given: Map<string, string>): {
  user: string;
  database: string;
  parameters: Record<string, string>;
} {
  const user = given.get('user');
  if (user === undefined || user === '') throw new ProtocolError('no-user', 'the start-up packet names no user');
  const replication = given.get('replication');
  if (replication !== undefined && !['false', 'off', 'no', '0'].includes(replication.toLowerCase())) {
    throw new ProtocolError('replication', 'replication connections are not recorded, so they are refused');
  }
  const database = given.get('database') || user;
  const settings = [...given].filter(([name]) => !['user', 'database', 'replication', 'options'].includes(name));
  const parameters: Record<string, string> = {};
  // As the server applies them: a setting of its own parameter wins over the same one inside `options`.
  for (const [name, value] of [...parseOptions(given.get('options') ?? ''), ...settings]) {
    if (!allowedSettings.has(name)) {
      throw new ProtocolError(
        'start-up-parameter',
        `the setting ${name} cannot be made at start-up; use SET after connecting`,
      );
    }
    parameters[name] = value;
  }
  return { user, database, parameters };
}

/** `-c name=value` and `--name=value`, separated by spaces; a backslash escapes. As PostgreSQL's pg_split_opts. */
function parseOptions(options: string): [string, string][] {
  const words = (options.match(/(?:\\[\s\S]|\S)+/g) ?? []).map((word) => word.replaceAll(/\\([\s\S])/g, '$1'));
  const settings: [string, string][] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    const setting =
      word === '-c'
        ? words[++index]
        : word.startsWith('-c')
          ? word.slice(2)
          : word.startsWith('--')
            ? word.slice(2)
            : undefined;
    const match = /^([A-Za-z_][\w.]*|[A-Za-z][\w-]*)=([\s\S]*)$/.exec(setting ?? '');
    if (!match)
      throw new ProtocolError(
        'start-up-parameter',
        `the start-up option ${word.slice(0, 40)} is not understood; -c name=value is`,
      );
    settings.push([match[1]!.replaceAll('-', '_').toLowerCase(), match[2]!]);
  }
  return settings;
}

const strict = new TextDecoder('utf-8', { fatal: true });
function text(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    throw new ProtocolError('bad-startup', 'a start-up parameter that is not UTF-8');
  }
}

// ── the agent's own ─────────────────────────────────────────────────────────

function packet(...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.length + 4), body]);
}

/**
 * The same list as at the gateway: the agent does not depend on it. Strings cannot end early: a NUL inside would let a value become
 * a parameter (CVE-2021-41395 and its kin).
 */
export function encodeStartup(parameters: Record<string, string>): Uint8Array {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => {
    const isAllowed = name === 'user' || name === 'database' || allowedSettings.has(name);
    if (!isAllowed || value.includes('\0'))
      throw new ProtocolError('start-up-parameter', 'a start-up parameter that may not be sent');
    return [...cstring(bytesOf(name)), ...cstring(bytesOf(value))];
  });
  return packet(int32(protocol30), ...pairs, Uint8Array.of(0));
}

export const encodeSslRequest = (): Uint8Array => packet(int32(sslRequestCode));
export const encodeCancelRequest = (key: Uint8Array): Uint8Array => packet(int32(cancelRequestCode), key);
