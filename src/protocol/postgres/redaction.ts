import { randomBytes as secureBytes } from 'node:crypto';
import { ProtocolError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { Parameter } from '../event.ts';
import { withheld } from '../withheld.ts';
import { holdsPassword } from './connection-string.ts';
import { NotParsed } from './grammar.ts';
import { findSecrets, type Secret } from './redaction-find.ts';
import { unreadable, type Secrets } from './redaction-walk.ts';
import { holdsSecretWord, mayConcernSecrets } from './secret-words.ts';

/** What the record gets of a text that holds secrets. The server gets the text as it is. */
export interface Redaction {
  text: Uint8Array;
  /** For each secret its rule. */
  redactions: string[];
  /** Whose values are withheld at each Bind; `all` where the text could not be read. */
  parameters: Secrets;
}

/** How a text is to be read. */
export interface Reading {
  encoding: string;
  conformingStrings: boolean;
}

export interface RedactorOptions {
  /** Names of what is withheld besides passwords: `pgcrypto`. */
  redact?: readonly string[] | undefined;
  randomBytes?: ((size: number) => Uint8Array) | undefined;
}

/** SQL's prepared statements with secret parameters; past it the stream is refused, not the memory spent. */
const preparedMax = 1000;

/** Keeps one stream's secrets out of its record: docs/decisions/0011-redaction.md. */
export class Redactor {
  readonly #withPgcrypto: boolean;
  readonly #randomBytes: (size: number) => Uint8Array;
  /** Prepared statements, by Parse or PREPARE, of which some parameter is a secret: for EXECUTE in SQL. Few streams have any. */
  #prepared: Map<string, Secrets> | undefined = undefined;

  constructor({ redact = ['pgcrypto'], randomBytes = secureBytes }: RedactorOptions = {}) {
    this.#withPgcrypto = redact.includes('pgcrypto');
    this.#randomBytes = randomBytes;
  }

  /** Undefined where nothing is to be withheld. Throws ProtocolError where finding out would take too long. */
  redactText(text: Uint8Array, reading: Reading, name?: Uint8Array): Redaction | undefined {
    if (name) this.#prepared?.delete(keyOf(name));
    const mayHold = holdsSecretWord(text);
    const hasPrepared = this.#prepared !== undefined && this.#prepared.size > 0;
    if (!mayHold && !hasPrepared) return undefined;
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
    const latin1 = bytes.toString('latin1');
    const mayExecute = hasPrepared && /execute/i.test(latin1);
    if (!mayExecute && !(mayHold && mayConcernSecrets(latin1, this.#withPgcrypto))) return undefined;
    if (text.length > limits.secretTextBytesMax) throw tooLong(text.length);
    const prepared = (this.#prepared ??= new Map());
    const redaction = this.#read(bytes, reading, prepared);
    if (name && redaction && (redaction.parameters === 'all' || redaction.parameters.size > 0))
      prepared.set(keyOf(name), redaction.parameters);
    if (prepared.size > preparedMax)
      throw new ProtocolError('too-many-names', `more than ${preparedMax} prepared statements with secret parameters`);
    return redaction;
  }

  /** Secret parameters of the statement that was last sent under this name, whatever became of it. */
  secretsOf(name: Uint8Array): Secrets | undefined {
    return this.#prepared?.get(keyOf(name));
  }

  #read(bytes: Buffer, reading: Reading, prepared: Map<string, Secrets>): Redaction | undefined {
    try {
      const text = readable(bytes, reading);
      if (!text) throw new NotParsed('other rules of reading');
      const options = { withPgcrypto: this.#withPgcrypto, prepared };
      const { secrets, parameters } = findSecrets(text, options);
      if (secrets.length === 0 && parameters.size === 0) return undefined;
      return { text: this.#without(bytes, secrets), redactions: secrets.map(({ rule }) => rule), parameters };
    } catch (error) {
      if (!(error instanceof NotParsed)) throw error;
      const text = Buffer.from(this.#withhold(bytes));
      return { text, redactions: [unreadable], parameters: 'all' };
    }
  }

  #withhold(secret: Uint8Array): string {
    return withheld(secret, this.#randomBytes);
  }

  #without(text: Buffer, secrets: Secret[]): Uint8Array {
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const { start, end, quotes } of secrets) {
      const around = "'".repeat(quotes);
      const shown = `${around}${this.#withhold(text.subarray(start, end))}${around}`;
      pieces.push(text.subarray(at, start), Buffer.from(shown));
      at = end;
    }
    return Buffer.concat([...pieces, text.subarray(at)]);
  }

  /** Parameters as the record gets them: a withheld one becomes a text. */
  redactParameters(parameters: Parameter[], secrets: Secrets): { parameters: Parameter[]; redactions: string[] } {
    const redactions: string[] = [];
    const kept = parameters.map((parameter, index): Parameter => {
      const { type, value } = parameter;
      const rule = secrets === 'all' ? unreadable : secrets.get(index + 1);
      if (rule === undefined || value === null) return parameter;
      if (rule === 'connection-string' && !holdsPassword(Buffer.from(value).toString())) return parameter;
      redactions.push(`$${index + 1} ${rule}`);
      return { type, format: 0, value: Buffer.from(this.#withhold(value)) };
    });
    return { parameters: kept, redactions };
  }
}

/** As SQL says it: the server looks at 63 bytes. */
const keyOf = (name: Uint8Array): string => Buffer.from(name.subarray(0, 63)).toString();

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** In these no byte below 0x80 is part of another character, and the server takes every other byte for a letter. */
const asciiSafe = /^(LATIN\d+|ISO_8859_\d+|WIN\d+|KOI8[RU]|EUC_\w+|MULE_INTERNAL|SQL_ASCII)$/;

/**
 * The text as the grammar, which knows UTF-8 and standard strings, cuts it into the tokens that the server sees, in the same places.
 * Undefined where it would not.
 */
function readable(bytes: Buffer, { encoding, conformingStrings }: Reading): Uint8Array | undefined {
  if (!conformingStrings && bytes.includes(0x5c)) return undefined;
  if (bytes.every((byte) => byte < 0x80)) return bytes;
  if (asciiSafe.test(encoding)) return bytes.map((byte) => (byte < 0x80 ? byte : 0x78));
  if (encoding !== 'UTF8') return undefined;
  try {
    utf8.decode(bytes);
    return bytes;
  } catch {
    return undefined;
  }
}

const tooLong = (bytes: number): ProtocolError =>
  new ProtocolError(
    'secret-in-long-text',
    `a text of ${bytes} bytes that may hold a password; send what sets it in a statement of its own (${limits.secretTextBytesMax} bytes at most)`,
  );
