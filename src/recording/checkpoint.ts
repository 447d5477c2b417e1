import { digestBytes } from './digest.ts';
import { parseNote, type Note } from './note.ts';

/** C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint): a signed note of origin, size and root. */
export interface Checkpoint {
  origin: string;
  size: number;
  root: Buffer;
}

export const checkpointText = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${root.toString('base64')}\n`;

/** Throws RangeError on anything that is no checkpoint. Whether a signature holds is another question. */
export function parseCheckpoint(text: string): { checkpoint: Checkpoint; note: Note } {
  const note = parseNote(text);
  const [origin, size, root] = note.text.split('\n');
  const rootBytes = Buffer.from(root ?? '', 'base64');
  const isWhole =
    origin !== undefined &&
    origin !== '' &&
    /^(0|[1-9]\d{0,15})$/.test(size ?? '') &&
    rootBytes.length === digestBytes &&
    rootBytes.toString('base64') === root;
  if (!isWhole) throw new RangeError('the note is no checkpoint');
  return { checkpoint: { origin, size: Number(size), root: rootBytes }, note };
}
