/**
 * Fuzzes one target: `node run.js TARGET SEEDS_FILE SEED EXECUTIONS`. The fuzzer runs in a worker; this thread watches that it goes on,
 * and says what it was at when it does not. Prints one line of JSON at the end; exits 1 with what was found.
 */
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { targets } from '../targets/index.ts';
import { fuzz, type Progress } from './fuzzer.ts';
import { readInput, written, type Input } from './target.ts';

/** No execution takes that long: it is a loop without an end. */
const hangMillis = 20_000;
const currentBytesMax = 64 * 1024;

interface Work {
  name: string;
  seeds: string;
  seed: number;
  executions: number;
  /** How many were run, how long the present input is when packed, and it. */
  current: SharedArrayBuffer;
}

if (isMainThread) watch();
else await work(workerData as Work);

function watch(): void {
  const [name = '', seedsFile = '', seed = '1', executions = '1000'] = process.argv.slice(2);
  const current = new SharedArrayBuffer(8 + currentBytesMax);
  const seeds = readFileSync(seedsFile, 'utf8');
  const workerData: Work = { name, seeds, seed: Number(seed), executions: Number(executions), current };
  // Young garbage is nearly all that executions make: with room for it they take half the time.
  const resourceLimits = { maxYoungGenerationSizeMb: 192 };
  const worker = new Worker(new URL(import.meta.url), { workerData, resourceLimits });
  const counter = new Int32Array(current, 0, 2);
  let last = -1;
  const timer = setInterval(() => {
    if (counter[0] === last)
      fail(`${name}, seed ${seed}: hangs\n${written(unpack(Buffer.from(current, 8, counter[1])))}`);
    last = counter[0]!;
  }, hangMillis);
  worker.on('message', (message: { progress?: Progress; done?: Progress; failed?: string }) => {
    if (message.failed !== undefined) fail(message.failed);
    if (message.progress) process.stderr.write(`${JSON.stringify(message.progress)}\n`);
    if (!message.done) return;
    clearInterval(timer);
    process.stdout.write(`${JSON.stringify({ target: name, seed: Number(seed), ...message.done })}\n`);
  });
  worker.on('error', (error) => fail(String(error.stack)));
}

/** Packed as side, length and bytes: this is done for every execution. Returns how long it is. */
function pack(input: Input, into: Buffer): number {
  let at = 0;
  for (const { side, bytes } of input) {
    if (at + 5 + bytes.length > into.length) break;
    into[at] = side;
    into.writeUInt32BE(bytes.length, at + 1);
    into.set(bytes, at + 5);
    at += 5 + bytes.length;
  }
  return at;
}

function unpack(from: Buffer): Input {
  const turns = [];
  for (let at = 0; at < from.length;) {
    const length = from.readUInt32BE(at + 1);
    turns.push({ side: from[at]!, bytes: from.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return turns;
}

function fail(what: string): never {
  process.stderr.write(`${what}\n`);
  process.exit(1);
}

async function work({ name, seeds, seed, executions, current }: Work): Promise<void> {
  Error.stackTraceLimit = 0; // refusals are errors, and most inputs are refused
  const make = targets[name];
  if (!make) throw new Error(`no target ${name}; there are ${Object.keys(targets).join(', ')}`);
  const counter = new Int32Array(current, 0, 2);
  const note = Buffer.from(current, 8);
  const options = {
    target: await make(),
    seeds: seeds.split('\n\n').map(readInput),
    seed,
    executions,
    isOurs: (url: string) => url.includes('/src/protocol/'),
    onInput: (input: Input) => {
      counter[1] = pack(input, note);
      counter[0]!++;
    },
    onProgress: (progress: Progress) => parentPort!.postMessage({ progress }),
  };
  try {
    parentPort!.postMessage({ done: await fuzz(options) });
  } catch (error) {
    parentPort!.postMessage({ failed: error instanceof Error ? error.message : String(error) });
  }
}
