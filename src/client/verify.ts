import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCheckpoint } from '../recording/checkpoint.ts';
import { keyTypes, parseVerifierKey, type VerifierKey } from '../recording/note.ts';
import { parseKeys, type Trust } from '../recording/verify-checkpoint.ts';
import { isWitnessList, parseWitnessList, type WitnessList } from '../recording/witness-list.ts';
import type { VerifyReport } from '../recording/verify-report.ts';
import { UserError } from '../shared/errors.ts';
import { exportTo } from './export-session.ts';
import type { GatewayApi } from './gateway-api.ts';
import { pinnedKeys } from './log-key.ts';

export interface VerifyRequest {
  /** A data directory, a file of `hoop sessions export`, or a session of the gateway. */
  target: string;
  session?: string | undefined;
  /** A verifier key, or a file with one; with it those of witnesses. */
  key?: string | undefined;
  checkpoint?: string | undefined;
  /** Verifier keys of witnesses, or an agent's own list. */
  witness?: string | undefined;
  onProgress?: (done: number, total: number) => void;
  /** Asked only for a session. */
  api: () => Promise<GatewayApi>;
  files: FileVerifiers;
}

/** What judges files (src/store/); the client itself has no part in it. */
export interface FileVerifiers {
  isDataDir: (path: string) => Promise<boolean>;
  verifyDataDir: (
    path: string,
    trust: Trust,
    options: { session?: string | undefined; onProgress?: (done: number, total: number) => void },
  ) => Promise<VerifyReport>;
  verifyExport: (path: string, trust: Trust) => Promise<VerifyReport>;
}

/** `hoop verify`. Files and data directories are verified offline. */
export async function verify(request: VerifyRequest): Promise<VerifyReport> {
  const { target, session, onProgress, files } = request;
  const trust = await trustOf(request);
  const found = await stat(target).catch(() => undefined);
  if (found?.isDirectory()) {
    if (await files.isDataDir(target))
      return files.verifyDataDir(target, trust, { session, ...(onProgress && { onProgress }) });
    throw new UserError('HOOP_USAGE', `${target} is no data directory of a gateway: it has no log`, {
      next: 'give the --data-dir of `hoop gateway start`',
    });
  }
  if (session !== undefined)
    throw new UserError('HOOP_USAGE', '--session chooses one of a data directory', { next: 'leave it out' });
  return found ? files.verifyExport(target, trust) : verifyFromGateway(request, trust);
}

/** The gateway gives the file, this machine judges it by the key that it pinned. */
async function verifyFromGateway({ target, api, files }: VerifyRequest, trust: Trust): Promise<VerifyReport> {
  const gateway = await api();
  const { id } = await gateway.session(target);
  const folder = await mkdtemp(join(tmpdir(), 'hoop-verify-'));
  try {
    const file = join(folder, 'export.tar');
    const heldSize = (trust.held ?? trust.seen?.checkpoint)?.checkpoint.size;
    await exportTo(file, await gateway.exported(id, heldSize));
    return await files.verifyExport(file, trust);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function trustOf({ key, checkpoint, witness }: VerifyRequest): Promise<Trust> {
  const given = key === undefined ? [] : await givenKeys(key);
  const seen = witness === undefined ? undefined : await witnessOf(witness);
  return {
    keys: key === undefined ? await pinnedKeys() : given.filter(({ type }) => type === keyTypes.ed25519),
    witnesses: [...given.filter(({ type }) => type === keyTypes.cosignature), ...(seen?.keys ?? [])],
    ...(checkpoint !== undefined && { held: await readCheckpoint(checkpoint) }),
    ...(seen && { seen }),
  };
}

async function givenKeys(key: string): Promise<VerifierKey[]> {
  const parsed = parseVerifierKey(key);
  return parsed ? [parsed] : keysOf(key, '--key');
}

/** Keys alone are a list of which nothing else is known. */
async function witnessOf(path: string): Promise<WitnessList> {
  const text = await readGiven(path, '--witness');
  if (!isWitnessList(text)) return { keys: await keysOf(path, '--witness'), heads: new Map() };
  try {
    return parseWitnessList(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UserError('HOOP_USAGE', `--witness: ${path}: ${cause.message}`, {
      next: 'give what `hoop agent witness` prints beside the resource',
      cause,
    });
  }
}

async function keysOf(path: string, flag: string): Promise<VerifierKey[]> {
  const keys = parseKeys(await readGiven(path, flag));
  if (keys) return keys;
  throw new UserError('HOOP_USAGE', `${flag}: ${path} has no verifier keys (name+id+key, one a line)`, {
    next: 'take the one that the gateway shows at /log/key, over a way that you trust',
  });
}

export async function readCheckpoint(path: string): Promise<NonNullable<Trust['held']>> {
  try {
    return parseCheckpoint(await readGiven(path, '--checkpoint'));
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UserError('HOOP_USAGE', `--checkpoint: ${path}: ${cause.message}`, {
      next: 'give a checkpoint as the gateway shows it at /log/checkpoint',
      cause,
    });
  }
}

async function readGiven(path: string, flag: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: Error) => {
    throw new UserError('HOOP_USAGE', `${flag}: ${cause.message}`, { next: 'give the path of a file', cause });
  });
}
