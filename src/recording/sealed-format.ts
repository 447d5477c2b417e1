import { crc32 } from 'node:zlib';
import { readU64, writeU64 } from './field-codecs.ts';

/**
 * A sealed recording is two files with one layout. All integers big-endian.
 *
 *   preamble (32)  magic 8 ("hoopchn\n" or "hooppay\n") · version u16 = 1 · 0 u16 · 0 u32 · session id 16
 *   members        gzip members (RFC 1952), one after the other, each of at most 1 MiB uncompressed
 *   index          "hoopidx\n" 8 · then 32 bytes a member: offset u64 · compressed length u32 · uncompressed length u32
 *                  · seq u64 of the entry whose bytes it begins with (of a group: its first) · flags u32 (bit 0: begins inside that entry) · 0 u32
 *   footer (80)    index offset u64 · index length u32 · crc32 of the index u32 · entries u64 · uncompressed bytes u64
 *                  · hash of the last entry 32 · 0 u32 · crc32 u32 of the 68 bytes before · "hoopend\n" 8
 *
 * Uncompressed, the chain file is the entries' headers (92 bytes each); the payload file is, for each entry, payload length u32
 * (0xffffffff: it was erased, and nothing follows) · salt 16 · payload.
 */
export const sealedKinds = { chain: Buffer.from('hoopchn\n'), payload: Buffer.from('hooppay\n') } as const;
export type SealedKind = keyof typeof sealedKinds;
export const sealedVersion = 1;
/** In the place of a payload's length: it was erased. */
export const erasedLength = 0xffff_ffff;
export const preambleBytes = 32;
export const footerBytes = 80;
const indexMagic = Buffer.from('hoopidx\n');
const endMagic = Buffer.from('hoopend\n');
const rowBytes = 32;
const footerCrcAt = 68;

export interface Member {
  offset: number;
  compressed: number;
  uncompressed: number;
  seq: number;
  /** The member begins inside the entry `seq`, not at its start. */
  continues: boolean;
}

export interface Footer {
  indexOffset: number;
  indexBytes: number;
  indexCrc: number;
  entries: number;
  uncompressed: number;
  head: Uint8Array;
}

export function encodePreamble(kind: SealedKind, sessionId: Uint8Array): Buffer {
  const bytes = Buffer.alloc(preambleBytes);
  bytes.set(sealedKinds[kind], 0);
  bytes.writeUInt16BE(sealedVersion, 8);
  bytes.set(sessionId, 16);
  return bytes;
}

/** The session id. Throws RangeError when this is no sealed recording of this kind and version. */
export function decodePreamble(kind: SealedKind, bytes: Buffer): Buffer {
  if (bytes.length !== preambleBytes || !bytes.subarray(0, 8).equals(sealedKinds[kind]))
    throw new RangeError(`not the ${kind} file of a sealed recording`);
  const version = bytes.readUInt16BE(8);
  if (version !== sealedVersion) throw new RangeError(`version ${version} is not known`);
  return bytes.subarray(16);
}

export function encodeIndex(members: readonly Member[]): Buffer {
  const bytes = Buffer.alloc(indexMagic.length + rowBytes * members.length);
  bytes.set(indexMagic, 0);
  members.forEach((member, index) => {
    const at = indexMagic.length + rowBytes * index;
    writeU64(member.offset, bytes, at);
    bytes.writeUInt32BE(member.compressed, at + 8);
    bytes.writeUInt32BE(member.uncompressed, at + 12);
    writeU64(member.seq, bytes, at + 16);
    bytes.writeUInt32BE(member.continues ? 1 : 0, at + 24);
  });
  return bytes;
}

export function decodeIndex(bytes: Buffer, footer: Footer): Member[] {
  if (crc32(bytes) !== footer.indexCrc || !bytes.subarray(0, 8).equals(indexMagic))
    throw new RangeError('the index does not match its checksum');
  const members: Member[] = [];
  for (let at = indexMagic.length; at + rowBytes <= bytes.length; at += rowBytes) {
    members.push({
      offset: readU64(bytes, at),
      compressed: bytes.readUInt32BE(at + 8),
      uncompressed: bytes.readUInt32BE(at + 12),
      seq: readU64(bytes, at + 16),
      continues: bytes.readUInt32BE(at + 24) === 1,
    });
  }
  return members;
}

export function encodeFooter(footer: Footer): Buffer {
  const bytes = Buffer.alloc(footerBytes);
  writeU64(footer.indexOffset, bytes, 0);
  bytes.writeUInt32BE(footer.indexBytes, 8);
  bytes.writeUInt32BE(footer.indexCrc, 12);
  writeU64(footer.entries, bytes, 16);
  writeU64(footer.uncompressed, bytes, 24);
  bytes.set(footer.head, 32);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, footerCrcAt)), footerCrcAt);
  bytes.set(endMagic, footerCrcAt + 4);
  return bytes;
}

export function decodeFooter(bytes: Buffer): Footer {
  if (bytes.length !== footerBytes || !bytes.subarray(footerCrcAt + 4).equals(endMagic))
    throw new RangeError('the end of the file is missing');
  if (crc32(bytes.subarray(0, footerCrcAt)) !== bytes.readUInt32BE(footerCrcAt))
    throw new RangeError('the footer does not match its checksum');
  return {
    indexOffset: readU64(bytes, 0),
    indexBytes: bytes.readUInt32BE(8),
    indexCrc: bytes.readUInt32BE(12),
    entries: readU64(bytes, 16),
    uncompressed: readU64(bytes, 24),
    head: bytes.subarray(32, 64),
  };
}
