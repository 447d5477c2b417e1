import { processOfInode, socketsAt, spellings, type SocketRow } from './kernel-sockets.ts';
import { lsofPort } from './lsof.ts';

/** Who listens at a TCP port of this machine, as a person would say it; undefined where that cannot be told. */
export async function portOwner(port: number): Promise<string | undefined> {
  const addresses = ['127.0.0.1', '0.0.0.0', '::1', '::'].flatMap((address) => spellings({ address, port }));
  const isListener = ({ local, listening }: SocketRow) => listening && addresses.includes(local);
  const rows = process.platform === 'linux' ? await socketsAt(port, isListener) : undefined;
  if (!rows) return lsofOwner(port);
  const row = rows.find(isListener);
  if (!row) return undefined;
  const owner = await processOfInode(row.inode);
  if (owner) return `${owner.executable ?? 'a process'} (pid ${owner.pid})`;
  return row.uid === process.getuid?.() ? undefined : `a process of another user (uid ${row.uid})`;
}

async function lsofOwner(port: number): Promise<string | undefined> {
  const sockets = (await lsofPort(port)) ?? [];
  const listener = sockets.find(({ name }) => !name.includes('->') && name.endsWith(`:${port}`));
  return listener && `${listener.command} (pid ${listener.pid})`;
}
