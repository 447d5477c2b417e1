import { digestBytes } from './digest.ts';

/**
 * What `hoop sessions export` writes: a tar file of these members, in this order. `consistency` stands in it when a checkpoint was
 * given that is older than its own: the older size, then a hash in base64 a line.
 */
export const exportNames = {
  checkpoint: 'checkpoint',
  key: 'key',
  /** By which the log's first key was followed by others, numbered from 1 (rollover.ts). */
  keys: 'keys/',
  consistency: 'consistency',
  /** One C2SP tlog-proof for each leaf about the session, named by its index. */
  proofs: 'proofs/',
  chain: 'recording.chain',
  payload: 'recording.payload',
} as const;

/** The proof, and that the log begins with the checkpoint that is in it: as `consistency`. */
export const rolloverNames = (number: number): { proof: string; consistency: string } => {
  const name = `${exportNames.keys}${String(number).padStart(4, '0')}`;
  return { proof: `${name}.tlog-proof`, consistency: `${name}.consistency` };
};

export const proofName = (index: number): string =>
  `${exportNames.proofs}${String(index).padStart(16, '0')}.tlog-proof`;

export const formatConsistency = (before: number, proof: readonly Uint8Array[]): string =>
  [String(before), ...proof.map((hash) => Buffer.from(hash).toString('base64'))].map((line) => `${line}\n`).join('');

/** The hashes; undefined when this is no proof from that size. */
export function parseConsistency(text: string, before: number): Buffer[] | undefined {
  const [size, ...lines] = text.split('\n');
  if (size !== String(before) || lines.pop() !== '') return undefined;
  const hashes = lines.map((line) => Buffer.from(line, 'base64'));
  const isWhole = hashes.every(
    (hash, place) => hash.length === digestBytes && hash.toString('base64') === lines[place],
  );
  return isWhole ? hashes : undefined;
}
