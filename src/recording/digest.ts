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

/** SHA-256 of one piece; the one-shot call costs a third of an incremental hash on small input. */
export const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');

/** SHA-256 of pieces as if they stood one after the other, without joining them. */
export function sha256Of(...pieces: Uint8Array[]): Buffer {
  const digest = createHash('sha256');
  for (const piece of pieces) digest.update(piece);
  return digest.digest();
}
