/**
 * Which process has which TCP socket, from Linux's own tables: /proc/net/tcp and tcp6 (address, state, uid, inode), and the links
 * in /proc/PID/fd (inode → process). https://docs.kernel.org/networking/proc_net_tcp.html
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { sharedScan } from './shared-scan.ts';

export interface Endpoint {
  /** IPv4 in dotted form, or `::1` or `::`. */
  address: string;
  port: number;
}

export interface SocketRow {
  local: string;
  remote: string;
  listening: boolean;
  uid: number;
  /** 0 once no process has the socket any more. */
  inode: number;
}

export interface ProcessFacts {
  pid: number;
  executable?: string;
  parent?: string;
}

const stateListen = '0A';
/** A look through every process must not hold up a connection for longer. */
const searchMillisMax = 200;
/** So long at a stretch, then other work of this process has its turn. */
const stretchMillisMax = 5;
const tableReadBytes = 64 * 1024;

/** The TCP sockets of this network namespace of which one end has that port; undefined where the kernel does not tell (no Linux, no /proc). */
export async function socketsAt(port: number): Promise<SocketRow[] | undefined> {
  const tables = await readTables();
  const hexPort = `:${hexOf(port)} `;
  return tables?.flatMap((table) => linesWith(hexPort, table).flatMap(parseRow));
}

const readTables = sharedScan(async (): Promise<string[] | undefined> => {
  try {
    return [await readTable('/proc/net/tcp'), await readTable('/proc/net/tcp6').catch(() => '')];
  } catch {
    return undefined;
  }
});

/** The kernel gives a page at a time, and each is ready at once: by the thread pool the way there and back would cost most. */
async function readTable(path: string): Promise<string> {
  const file = openSync(path, 'r');
  try {
    const pages: string[] = [];
    const page = Buffer.allocUnsafe(tableReadBytes);
    let stretch = performance.now();
    for (let read = readSync(file, page); read > 0; read = readSync(file, page)) {
      pages.push(page.toString('latin1', 0, read));
      if (performance.now() - stretch > stretchMillisMax) stretch = await afterATurn();
    }
    return pages.join('');
  } finally {
    closeSync(file);
  }
}

/** Lets other work of this process have its turn; when it is over. */
async function afterATurn(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  return performance.now();
}

/** A busy machine has thousands of closed connections in its tables: only the lines that matter are taken apart. */
function linesWith(part: string, table: string): string[] {
  const lines: string[] = [];
  for (let at = table.indexOf(part); at >= 0;) {
    const end = table.indexOf('\n', at);
    const stop = end < 0 ? table.length : end;
    lines.push(table.slice(table.lastIndexOf('\n', at) + 1, stop));
    at = table.indexOf(part, stop);
  }
  return lines;
}

function parseRow(line: string): SocketRow[] {
  const [, local, remote, state, , , , uid, , inode] = line.trim().split(/\s+/);
  if (local === undefined || remote === undefined || inode === undefined) return [];
  return [
    {
      local: local.toUpperCase(),
      remote: remote.toUpperCase(),
      listening: state === stateListen,
      uid: Number(uid),
      inode: Number(inode),
    },
  ];
}

const hexOf = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

/** The spellings of an endpoint in the tables: IPv4 is also written as mapped IPv6 (what Java's sockets are). */
export function spellings({ address, port }: Endpoint): string[] {
  const hexPort = hexOf(port);
  if (address === '::') return [`${'0'.repeat(32)}:${hexPort}`];
  if (address === '::1') return [`${'0'.repeat(24)}01000000:${hexPort}`];
  const reversed = Buffer.from(address.split('.').map(Number).toReversed()).toString('hex').toUpperCase();
  return [`${reversed}:${hexPort}`, `${'0'.repeat(16)}FFFF0000${reversed}:${hexPort}`];
}

/** Processes that had a socket lately: the next connection is most likely theirs. */
const lately: number[] = [];

/** Inodes that the next look through the processes is to find. */
let wanted = new Set<number>();

/** The process that has the socket; undefined if none that we may look into has it, or if there are too many to look through in time. */
export async function processOfInode(inode: number): Promise<ProcessFacts | undefined> {
  wanted.add(inode);
  return (await findWanted()).get(inode);
}

const findWanted = sharedScan(async (): Promise<Map<number, ProcessFacts>> => {
  const links = new Map([...wanted].map((inode) => [`socket:[${inode}]`, inode]));
  wanted = new Set();
  const found = new Map<number, ProcessFacts>();
  const started = performance.now();
  let stretch = started;
  for (const pid of candidates()) {
    takeSockets(pid, links, found);
    const now = performance.now();
    if (links.size === 0 || now - started > searchMillisMax) break;
    if (now - stretch < stretchMillisMax) continue;
    stretch = await afterATurn();
  }
  return found;
});

function* candidates(): Generator<number> {
  yield* lately.slice(); // others change it while this one waits
  const all = readdirSync('/proc').map(Number).filter(Number.isInteger);
  yield* all.toSorted((a, b) => b - a).filter((pid) => !lately.includes(pid)); // young ones first
}

function remember(pid: number): void {
  const at = lately.indexOf(pid);
  if (at >= 0) lately.splice(at, 1);
  lately.unshift(pid);
  lately.length = Math.min(lately.length, 8);
}

/** Moves those that the process has from `links` to `found`. */
function takeSockets(pid: number, links: Map<string, number>, found: Map<number, ProcessFacts>): void {
  const folder = `/proc/${pid}/fd`;
  let facts: ProcessFacts | undefined;
  for (const fd of namesIn(folder)) {
    const link = linkOf(`${folder}/${fd}`) ?? '';
    const inode = links.get(link);
    if (inode === undefined) continue;
    links.delete(link);
    found.set(inode, (facts ??= processFacts(pid)));
    if (links.size === 0) break;
  }
  if (facts) remember(pid);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // gone, or another user's
  }
}

function processFacts(pid: number): ProcessFacts {
  const executable = linkOf(`/proc/${pid}/exe`);
  const parent = parentOf(pid);
  const parentExecutable = parent === undefined ? undefined : linkOf(`/proc/${parent}/exe`);
  return {
    pid,
    ...(executable === undefined ? {} : { executable }),
    ...(parentExecutable === undefined ? {} : { parent: parentExecutable }),
  };
}

/** The fourth field of /proc/PID/stat; the second is a name in brackets that may itself hold blanks and brackets. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path).slice(0, 1024);
  } catch {
    return undefined;
  }
}
