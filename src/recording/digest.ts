import { createHash, hash } from 'node:crypto';

/** What each hash is over begins with one of these, so that no hash of one kind can pass for another. */
export const domains = {
  session: Buffer.from('hoop session v1\n'),
  payload: Buffer.from('hoop payload v1\n'),
  entry: Buffer.from('hoop entry v1\n'),
  principal: Buffer.from('hoop principal v1\n'),
  act: Buffer.from('hoop act v1\n'),
  agent: Buffer.from('hoop agent v1\n'),
} as const;

export const digestBytes = 32;

/**
 * SHA-256 of one piece, a character a byte. The one-shot call costs a third of an incremental hash on small input, and a string a third of
 * a buffer, which would have memory of its own for 32 bytes.
 */
export const sha256Characters = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');

export const sha256 = (bytes: Uint8Array): Buffer => Buffer.from(sha256Characters(bytes), 'latin1');

/** SHA-256 of pieces as if they stood one after the other, without joining them. */
export function sha256Of(...pieces: Uint8Array[]): Buffer {
  const digest = createHash('sha256');
  for (const piece of pieces) digest.update(piece);
  return digest.digest();
}
