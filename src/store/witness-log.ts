import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { parseCheckpoint } from '../recording/checkpoint.ts';
import { UserError } from '../shared/errors.ts';
import { makeDirectory, writeFileAtomically } from './durable.ts';

const stateSchema = z.object({
  /** Verifier key of the gateway's log. */
  key: z.string(),
  /** The last checkpoint that was cosigned: the signed note, without our own signature. */
  checkpoint: z.string().nullable(),
});
export type WitnessedLogState = z.infer<typeof stateSchema>;

export const witnessedLogName = 'witnessed-log.json';

/**
 * What the agent knows of its gateway's log: the key, and the last checkpoint that it cosigned. Whoever can write this file can make the
 * agent cosign a log that was rolled back.
 */
export async function readWitnessedLog(stateDir: string): Promise<WitnessedLogState | undefined> {
  const path = join(stateDir, witnessedLogName);
  try {
    const state = stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    if (state.checkpoint !== null) parseCheckpoint(state.checkpoint);
    return state;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UserError('HOOP_CONFIG', `${path} is not what the witness wrote`, {
      next: 'restore the file from a backup, or move it away: the agent then takes the log for good as it is now',
      cause,
    });
  }
}

/** Durable on return. */
export async function writeWitnessedLog(stateDir: string, state: WitnessedLogState): Promise<void> {
  await makeDirectory(stateDir);
  await writeFileAtomically(join(stateDir, witnessedLogName), Buffer.from(`${JSON.stringify(state)}\n`));
}
