import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatNote, formatVerifierKey } from '../../src/recording/note.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import type { WitnessList } from '../../src/recording/witness-list.ts';

/** verifier/verify.py: it has to say what the first verifier says. */
const script = new URL('../../verifier/verify.py', import.meta.url).pathname;

export const python = ['python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', 'import zlib, hashlib']).status === 0,
);
if (!python) console.warn('NOT CHECKED: that the second verifier agrees (python3 is not installed)');

/** Undefined without Python. */
export async function secondVerdict(target: string, trust: Trust): Promise<string | undefined> {
  const [verdict] = await secondVerdicts([target], trust);
  return verdict;
}

/** The verdicts of many files by one process. */
export async function secondVerdicts(targets: string[], trust: Trust): Promise<(string | undefined)[]> {
  if (!python) return targets.map(() => undefined);
  const folder = mkdtempSync(join(tmpdir(), 'hoop-second-'));
  const given = (flag: string, text: string | undefined): string[] => {
    if (text === undefined) return [];
    writeFileSync(join(folder, flag), text);
    return [`--${flag}`, join(folder, flag)];
  };
  const flags = [
    ...given('key', trust.keys[0] && formatVerifierKey(trust.keys[0])),
    ...given('checkpoint', trust.held && formatNote(trust.held.note)),
    ...given('witness', trust.seen ? listOf(trust.seen) : trust.witnesses.length > 0 ? keysOf(trust) : undefined),
  ];
  if (trust.receipts) flags.push('--receipts', folder);
  trust.receipts?.forEach((receipt, place) => writeFileSync(join(folder, `${place}.tlog-proof`), receipt));
  try {
    const lines = await run([driver, script, JSON.stringify(targets), ...flags]);
    return lines.map((line) => (JSON.parse(line) as { verdict: string }).verdict);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const keysOf = ({ witnesses }: Trust): string => witnesses.map(formatVerifierKey).join('\n');

/** As `hoop agent witness` prints it. */
function listOf({ keys, checkpoint, heads }: WitnessList): string {
  const lines = [
    ...keys.map((key) => ({ key: formatVerifierKey(key) })),
    ...(checkpoint ? [{ checkpoint: formatNote(checkpoint.note) }] : []),
    ...[...heads].flatMap(([session, seen]) =>
      seen.map(({ seq, hash, sealed }) => ({ session, seq, hash: hash.toString('hex'), sealed })),
    ),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Calls its `main` for each file; a signature that was checked once is not checked again. */
const driver = `
import functools, importlib.util, json, sys
spec = importlib.util.spec_from_file_location('verify', sys.argv[1])
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)
verify.signature_holds = functools.lru_cache(None)(verify.signature_holds)
flags = sys.argv[3:]
for target in json.loads(sys.argv[2]):
    sys.argv = ['verify.py', target] + flags
    try:
        verify.main()
    except SystemExit:
        pass
`;

const run = (args: string[]): Promise<string[]> =>
  new Promise((resolve, reject) => {
    execFile(python!, ['-c', ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout.trim().split('\n')),
    );
  });
