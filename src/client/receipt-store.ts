import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { limits } from '../shared/limits.ts';
import { configDir } from './config-dir.ts';
import { readPrivateFile, removePrivateFile, writePrivateFile } from './private-file.ts';

/** The leaf that a receipt is of. */
export type ReceiptKind = 'open' | 'end';

const awaitedSchema = z.object({ gateway: z.string() });

/**
 * Receipts of this user's sessions, `<config>/receipts/<session>.{open,end}.tlog-proof`, and `<session>.awaited` while the last of them
 * has not come. An attacker who can write here can take receipts away, not make one.
 */
export const receiptsPath = (folder: string = configDir()): string => join(folder, 'receipts');

const pathOf = (session: string, what: string): string => join(receiptsPath(), `${session}.${what}`);
const suffix = '.tlog-proof';

/** From now on receipts of the session are asked for, until its end has one. */
export async function awaitReceipts(session: string, gateway: string): Promise<void> {
  await writePrivateFile(pathOf(session, 'awaited'), `${JSON.stringify({ gateway })}\n`);
  await removeOldest(receiptsPath());
}

export async function keepReceipt(session: string, kind: ReceiptKind, proof: string): Promise<void> {
  await writePrivateFile(pathOf(session, `${kind}${suffix}`), proof);
  if (kind === 'end') await removePrivateFile(pathOf(session, 'awaited'));
}

export const keptReceipt = (session: string, kind: ReceiptKind): Promise<string | undefined> =>
  readPrivateFile(pathOf(session, `${kind}${suffix}`));

/** Sessions of that gateway of which a receipt has not come, those that were opened last first. */
export async function awaitedSessions(gateway: string, countMax: number): Promise<string[]> {
  const files = (await filesOf(receiptsPath())).filter(({ name }) => name.endsWith('.awaited'));
  const found: string[] = [];
  for (const { name } of files.toReversed()) {
    if (found.length === countMax) break;
    const awaited = awaitedSchema.safeParse(json((await readPrivateFile(join(receiptsPath(), name))) ?? ''));
    if (awaited.data?.gateway === gateway) found.push(name.split('.')[0]!);
  }
  return found;
}

/** All receipts of a folder, as they are: they are judged by whoever reads them. */
export async function readReceiptFiles(folder: string = receiptsPath()): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return Promise.all(names.filter((name) => name.endsWith(suffix)).map((name) => readFile(join(folder, name), 'utf8')));
}

/** Files past the bounds of age and number, the oldest first. */
async function removeOldest(folder: string): Promise<void> {
  const files = await filesOf(folder);
  const tooOld = Date.now() - limits.receiptAgeDaysMax * 24 * 60 * 60 * 1000;
  const tooMany = files.length - limits.receiptsMax;
  for (const [place, { name, time }] of files.entries())
    if (place < tooMany || time < tooOld) await removePrivateFile(join(folder, name));
}

/** The oldest first. */
async function filesOf(folder: string): Promise<{ name: string; time: number }[]> {
  const names = await readdir(folder).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  return files.toSorted((a, b) => a.time - b.time);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
