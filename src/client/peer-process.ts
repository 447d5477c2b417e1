import type { StreamOpen } from '../shared/handshake.ts';
import { processOfInode, socketsAt, spellings, type Endpoint, type SocketRow } from './kernel-sockets.ts';
import { lsofPort } from './lsof.ts';

export type Evidence = StreamOpen['evidence'];

/** What the kernel says of the process at the other end of a connection on this machine. */
export type Peer =
  /** Ours, or nobody can tell (then `evidence` is empty). */
  | { kind: 'admitted'; evidence: Evidence }
  /** Another user's process. */
  | { kind: 'foreign'; uid: number }
  /** No process has the other end any more. */
  | { kind: 'gone' };

/** `near` is our end of an accepted connection, `far` the client's. */
export async function identifyPeer(near: Endpoint, far: Endpoint): Promise<Peer> {
  if (process.getuid === undefined) return unknown;
  const own = process.getuid();
  const [nearSpellings, farSpellings] = [spellings(near), spellings(far)];
  const isTheirs = ({ local, remote }: SocketRow) => farSpellings.includes(local) && nearSpellings.includes(remote);
  const isOurs = ({ local, remote }: SocketRow) => nearSpellings.includes(local) && farSpellings.includes(remote);
  const rows = process.platform === 'linux' ? await socketsAt(far.port, isTheirs) : undefined;
  const found = rows ? fromTable(rows, isTheirs, isOurs) : await fromLsof(near, far);
  if (found === undefined) return unknown;
  if (found === 'gone') return { kind: 'gone' };
  if (found.uid !== own) return { kind: 'foreign', uid: found.uid };
  if ('pid' in found) return { kind: 'admitted', evidence: found };
  return { kind: 'admitted', evidence: { uid: found.uid, ...(await processOfInode(found.inode)) } };
}

const unknown: Peer = { kind: 'admitted', evidence: {} };

function fromTable(
  rows: SocketRow[],
  isTheirs: (row: SocketRow) => boolean,
  isOurs: (row: SocketRow) => boolean,
): { uid: number; inode: number } | 'gone' | undefined {
  const theirs = rows.find(isTheirs);
  if (theirs && theirs.inode !== 0) return theirs;
  if (theirs) return 'gone';
  // Our own end is listed and theirs is not: nobody has it. Neither is listed: this kernel does not tell.
  return rows.some(isOurs) ? 'gone' : undefined;
}

async function fromLsof(
  near: Endpoint,
  far: Endpoint,
): Promise<{ uid: number; pid: number; executable: string } | undefined> {
  const sockets = await lsofPort(far.port);
  const name = `${far.address}:${far.port}->${near.address}:${near.port}`;
  const theirs = sockets?.find((socket) => socket.name === name);
  return theirs && { uid: theirs.uid, pid: theirs.pid, executable: theirs.command };
}
