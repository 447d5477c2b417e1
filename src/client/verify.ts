import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCheckpoint } from '../recording/checkpoint.ts';
import { keyTypes, parseVerifierKey, type VerifierKey } from '../recording/note.ts';
import { newestCheckpoint, readReceipts, type Receipt } from '../recording/receipts.ts';
import { followRollovers, type LogKey } from '../recording/rollover.ts';
import { formatSessionId } from '../recording/session-id.ts';
import { parseKeys, type Trust } from '../recording/verify-checkpoint.ts';
import { isWitnessList, parseWitnessList, type WitnessList } from '../recording/witness-list.ts';
import { reportOf, type VerifyReport } from '../recording/verify-report.ts';
import { UserError } from '../shared/errors.ts';
import { pinnedAgents } from './agent-keys.ts';
import { exportOf, getSession } from './api/sessions.ts';
import { exportTo } from './export-session.ts';
import type { GatewayApi } from './gateway-api.ts';
import { pinnedKeys, pinnedLogKeys, pinnedRollovers } from './log-key.ts';
import { readReceiptFiles } from './receipt-store.ts';

export interface VerifyRequest {
  /** A data directory, a file of `hoop sessions export`, or a session of the gateway. */
  target: string;
  session?: string | undefined;
  /** A verifier key, or a file with one; with it those of witnesses. */
  key?: string | undefined;
  checkpoint?: string | undefined;
  /** Verifier keys of witnesses, or an agent's own list. */
  witness?: string | undefined;
  /** A folder of receipts; absent: those of this machine. */
  receipts?: string | undefined;
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
async function verifyFromGateway(request: VerifyRequest, trust: Trust): Promise<VerifyReport> {
  const { target, api, files } = request;
  const gateway = await api();
  const keys = request.key === undefined ? await pinnedLogKeys(gateway.url) : givenLogKeys(trust);
  const receipts = readReceipts(trust.receipts ?? [], keys);
  const id = await getSession(gateway, target).then(
    (session) => session.id,
    (error: unknown) => lostSession(target, receipts, error),
  );
  if (typeof id !== 'string') return id;
  const newest = trust.held ?? trust.seen?.checkpoint ?? newestCheckpoint(trust.receipts ?? [], keys);
  const folder = await mkdtemp(join(tmpdir(), 'hoop-verify-'));
  try {
    const file = join(folder, 'export.tar');
    await exportTo(file, await exportOf(gateway, id, newest?.checkpoint.size));
    const held = trust.seen?.checkpoint ? trust.held : newest;
    return await files.verifyExport(file, { ...trust, isFresh: true, ...(held && { held }) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const givenLogKeys = ({ keys, rollovers = [] }: Trust): LogKey[] =>
  keys[0] ? followRollovers(keys[0], rollovers).keys : [];

/** The gateway does not know it, and there is a receipt of it: that is a verdict, and no mistake in typing. */
function lostSession(target: string, receipts: readonly Receipt[], error: unknown): VerifyReport {
  const found = receipts.map(({ leaf }) => formatSessionId(leaf.subject)).find((id) => id.startsWith(target));
  if (!(error instanceof UserError) || error.code !== 'HOOP_NOT_FOUND' || found === undefined) throw error;
  const why = 'a receipt shows it, and the gateway does not know it';
  return reportOf([], [{ session: found, verdict: 'MISSING_SESSION', why, entries: 0, erased: [] }]);
}

async function trustOf({ key, checkpoint, witness, receipts }: VerifyRequest): Promise<Trust> {
  const given = key === undefined ? [] : await givenKeys(key);
  const seen = witness === undefined ? undefined : await witnessOf(witness);
  return {
    keys: key === undefined ? await pinnedKeys() : given.filter(({ type }) => type === keyTypes.ed25519),
    witnesses: [...given.filter(({ type }) => type === keyTypes.cosignature), ...(seen?.keys ?? [])],
    rollovers: await pinnedRollovers(),
    ...(key === undefined && { agents: await pinnedAgents() }),
    receipts: await readReceiptFiles(receipts),
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
