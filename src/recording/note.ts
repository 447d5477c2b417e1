import { createPrivateKey, createPublicKey, sign, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import { sha256Of } from './digest.ts';

/**
 * C2SP signed notes (https://c2sp.org/signed-note): text, an empty line, and lines `— <name> <base64(key id 4 ‖ signature)>`.
 * Key id = the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
 */
export const keyTypes = { ed25519: 1, cosignature: 4 } as const;

/** A public key with its name: `<name>+<key id, hex>+<base64(type ‖ key)>`. */
export interface VerifierKey {
  name: string;
  type: number;
  id: Buffer;
  publicKey: Buffer;
}

export interface NoteSignature {
  name: string;
  keyId: Buffer;
  /** Without the key id. */
  bytes: Buffer;
}

export interface Note {
  /** With its last line feed; the empty line is not part of it. */
  text: string;
  signatures: NoteSignature[];
}

export const keyId = (name: string, type: number, publicKey: Uint8Array): Buffer =>
  sha256Of(Buffer.from(`${name}\n`), Buffer.from([type]), publicKey).subarray(0, 4);

export const verifierKey = (name: string, type: number, publicKey: Buffer): VerifierKey => ({
  name,
  type,
  publicKey,
  id: keyId(name, type, publicKey),
});

export const formatVerifierKey = ({ name, id, type, publicKey }: VerifierKey): string =>
  `${name}+${id.toString('hex')}+${Buffer.concat([Buffer.from([type]), publicKey]).toString('base64')}`;

/** Undefined for what is no Ed25519 verifier key, or says another key id than its own. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const match = /^([^\p{White_Space}\p{Cc}+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/u.exec(text.trim());
  const bytes = Buffer.from(match?.[3] ?? '', 'base64');
  if (!match || bytes.length !== 33 || bytes.toString('base64') !== match[3]) return undefined;
  if (bytes[0] !== keyTypes.ed25519 && bytes[0] !== keyTypes.cosignature) return undefined;
  const key = verifierKey(match[1]!, bytes[0], bytes.subarray(1));
  return key.id.toString('hex') === match[2] ? key : undefined;
}

/** One line of a note, with its line feed. */
export const formatSignature = ({ name, keyId: id, bytes }: NoteSignature): string =>
  `— ${name} ${Buffer.concat([id, bytes]).toString('base64')}\n`;

export const formatNote = ({ text, signatures }: Note): string =>
  `${text}\n${signatures.map(formatSignature).join('')}`;

/** Throws RangeError on anything that is no note. Says nothing about whether a signature holds. */
export function parseNote(note: string): Note {
  const split = note.lastIndexOf('\n\n');
  const hasControls = /[^\P{Cc}\n]/u.test(note);
  if (split < 0 || !note.endsWith('\n') || hasControls) throw new RangeError('not a signed note');
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > signaturesMax) throw new RangeError(`a note with ${lines.length} signatures`);
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

/** As in Go's golang.org/x/mod/sumdb/note. */
const signaturesMax = 100;

/** Without its line feed. Throws RangeError. */
export function parseSignature(line: string): NoteSignature {
  const match = /^— ([^\p{White_Space}+]+) ([A-Za-z0-9+/]+=*)$/u.exec(line);
  const bytes = Buffer.from(match?.[2] ?? '', 'base64');
  if (!match || bytes.length < 5 || bytes.toString('base64') !== match[2])
    throw new RangeError('a signature of the note is malformed');
  return { name: match[1]!, keyId: bytes.subarray(0, 4), bytes: bytes.subarray(4) };
}

/** Signs with a private Ed25519 key (JWK); the same text gives the same bytes. */
export function signNote(text: string, name: string, jwk: JsonWebKey): NoteSignature {
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  return {
    name,
    keyId: keyId(name, keyTypes.ed25519, publicKeyOf(jwk)),
    bytes: sign(null, Buffer.from(text), privateKey),
  };
}

/** The 32 bytes of an Ed25519 public key. */
export const publicKeyOf = (jwk: JsonWebKey): Buffer => Buffer.from(String(jwk.x), 'base64url');

/** Does one of the note's signatures by this key hold? Cosignatures are checked by `cosignedAt`. */
export function noteHolds({ text, signatures }: Note, key: VerifierKey): boolean {
  return (
    key.type === keyTypes.ed25519 &&
    ofKey(signatures, key).some(({ bytes }) => ed25519Holds(key.publicKey, Buffer.from(text), bytes))
  );
}

/**
 * cosignature/v1 (https://c2sp.org/tlog-cosignature): time u64 ‖ signature of "cosignature/v1\ntime <time>\n" ‖ text.
 * The time in seconds, when a cosignature by this key holds.
 */
export function cosignedAt({ text, signatures }: Note, key: VerifierKey): number | undefined {
  if (key.type !== keyTypes.cosignature) return undefined;
  for (const { bytes } of ofKey(signatures, key)) {
    if (bytes.length !== 72) continue;
    const seconds = Number(bytes.readBigUInt64BE(0));
    if (ed25519Holds(key.publicKey, cosignedText(text, seconds), bytes.subarray(8))) return seconds;
  }
  return undefined;
}

export function cosign(text: string, seconds: number, name: string, jwk: JsonWebKey): NoteSignature {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  const signature = sign(null, cosignedText(text, seconds), createPrivateKey({ key: jwk, format: 'jwk' }));
  return {
    name,
    keyId: keyId(name, keyTypes.cosignature, publicKeyOf(jwk)),
    bytes: Buffer.concat([time, signature]),
  };
}

const cosignedText = (text: string, seconds: number): Buffer => Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);

const ofKey = (signatures: readonly NoteSignature[], key: VerifierKey): NoteSignature[] =>
  signatures.filter(({ name, keyId: id }) => name === key.name && id.equals(key.id));

function ed25519Holds(publicKey: Buffer, text: Buffer, signature: Buffer): boolean {
  return signature.length === 64 && verify(null, text, publicKeyObject(publicKey), signature);
}

const publicKeyObject = (publicKey: Buffer): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }, format: 'jwk' });
