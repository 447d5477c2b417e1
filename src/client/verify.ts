import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCheckpoint } from '../recording/checkpoint.ts';
import { parseVerifierKey, type VerifierKey } from '../recording/note.ts';
import { parseKeys, type Trust } from '../recording/verify-checkpoint.ts';
import type { VerifyReport } from '../recording/verify-report.ts';
import { UserError } from '../shared/errors.ts';
import { exportTo } from './export-session.ts';
import type { GatewayApi } from './gateway-api.ts';
import { pinnedKeys } from './log-key.ts';

export interface VerifyRequest {
  /** A data directory, a file of `hoop sessions export`, or a session of the gateway. */
  target: string;
  session?: string | undefined;
  /** A verifier key, or a file with one. */
  key?: string | undefined;
  checkpoint?: string | undefined;
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
    await exportTo(file, await gateway.exported(id, trust.held?.checkpoint.size));
    return await files.verifyExport(file, trust);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function trustOf({ key, checkpoint, witness }: VerifyRequest): Promise<Trust> {
  return {
    keys: key === undefined ? await pinnedKeys() : [await givenKey(key)],
    witnesses: witness === undefined ? [] : await keysOf(witness, '--witness'),
    ...(checkpoint !== undefined && { held: await readCheckpoint(checkpoint) }),
  };
}

async function givenKey(key: string): Promise<VerifierKey> {
  return parseVerifierKey(key) ?? (await keysOf(key, '--key'))[0]!;
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
