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

const tables = ['/proc/net/tcp', '/proc/net/tcp6'] as const;

interface Question {
  /** What a line has that matters. */
  part: string;
  isEnough: (row: SocketRow) => boolean;
  rows: SocketRow[];
  isAnswered: boolean;
}

/** What the next look through the tables is to answer. */
let asked: Question[] = [];

/**
 * The TCP sockets of this network namespace of which one end has that port, up to the first that is enough: a table takes milliseconds to
 * read, however few sockets there are. Undefined where the kernel does not tell (no Linux, no /proc).
 */
export async function socketsAt(port: number, isEnough: (row: SocketRow) => boolean): Promise<SocketRow[] | undefined> {
  const question: Question = { part: `:${hexOf(port)} `, isEnough, rows: [], isAnswered: false };
  asked.push(question);
  return (await answerAsked()) ? question.rows : undefined;
}

/** False if there are no tables. */
const answerAsked = sharedScan(async (): Promise<boolean> => {
  const questions = asked;
  asked = [];
  const read = [];
  for (const path of tables) read.push(await readTable(path, questions).then(always, never));
  return read[0]!; // a kernel without IPv6 has the first alone
});

const always = () => true;
const never = () => false;

/** The kernel gives a page at a time, and each is ready at once: by the thread pool the way there and back would cost most. */
async function readTable(path: string, questions: readonly Question[]): Promise<void> {
  const file = openSync(path, 'r');
  try {
    const page = Buffer.allocUnsafe(tableReadBytes);
    let stretch = performance.now();
    let rest = '';
    while (questions.some(({ isAnswered }) => !isAnswered)) {
      const read = readSync(file, page);
      if (read === 0) return;
      const text = rest + page.toString('latin1', 0, read);
      const end = text.lastIndexOf('\n') + 1;
      rest = text.slice(end);
      for (const question of questions) answer(question, text.slice(0, end));
      if (performance.now() - stretch > stretchMillisMax) stretch = await afterATurn();
    }
  } finally {
    closeSync(file);
  }
}

function answer(question: Question, lines: string): void {
  if (question.isAnswered) return;
  const rows = linesWith(question.part, lines).flatMap(parseRow);
  question.rows.push(...rows);
  question.isAnswered = rows.some(question.isEnough);
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
  // The newest has the highest number, as a rule.
  for (const fd of namesIn(folder).toReversed()) {
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
