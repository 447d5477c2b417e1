import { formatVerifierKey } from '../recording/note.ts';
import { readWitnessList } from '../store/witness-list.ts';
import { readWitnessedLog } from '../store/witness-log.ts';
import { existingAgentKey } from './key.ts';

/** What the agent has seen, for `hoop verify --witness` (recording/witness-list.ts reads it). */
export async function witnessList(stateDir: string): Promise<string> {
  // The heads last: what they speak of is never behind the checkpoint.
  const key = await existingAgentKey(stateDir);
  const checkpoint = (await readWitnessedLog(stateDir))?.checkpoint;
  const lines = [...(key ? [{ key: formatVerifierKey(key.witness) }] : []), ...(checkpoint ? [{ checkpoint }] : [])];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('') + (await readWitnessList(stateDir));
}
