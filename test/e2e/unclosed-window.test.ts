import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { decodeHeader } from '../../src/recording/entry-codec.ts';
import { decodeLeaf } from '../../src/recording/leaf.ts';
import { parseVerifierKey } from '../../src/recording/note.ts';
import { formatSessionId } from '../../src/recording/session-id.ts';
import { limits } from '../../src/shared/limits.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { readLeaves } from '../../src/store/log-store.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { aliceAtOrders, at } from '../support/alice.ts';
import { python, secondVerdict } from '../support/second-verifier.ts';
import { cutLog, readRecording, rewriteRecording } from '../support/stolen-key.ts';

/**
 * DESIGN 7: entries after the last anchor that somebody else holds can be cut by whoever owns gateway and agent. Here a stranger fetches
 * checkpoints; how much could have been cut at each look is measured, then it is cut, and a little more than that.
 */
const here = aliceAtOrders();
const lookMillis = 50;
/** A checkpoint a second, and what a loaded machine adds. */
const windowMillisMax = limits.checkpointMillis + 2000;

interface Look {
  micros: number;
  text: string;
  size: number;
}

interface Measured {
  held: Look;
  /** The last entry that it proves. */
  anchored: number;
  /** How long before it the first entry was recorded that it does not prove. */
  millis: number;
}

const longer = (one: Measured, other: Measured): Measured => (other.millis > one.millis ? other : one);

test('what nobody can prove is the last second before the last checkpoint that somebody holds, and no more', async () => {
  const { stack, alice } = here;
  const connected = await stack.connect(alice);
  const client = new Client(at(connected));
  await client.connect();
  const looks: Look[] = [];
  const end = Date.now() + 3000;
  const stranger = (async () => {
    for (; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, lookMillis))) {
      const text = await (await fetch(`${stack.gateway.url}/log/checkpoint`)).text();
      looks.push({ micros: systemClock.nowMicros(), text, size: parseCheckpoint(text).checkpoint.size });
    }
  })();
  for (let count = 0; Date.now() < end; count++) await client.query(`select ${count} as count`);
  await stranger;
  await client.end();
  await connected.close();
  const { session } = connected;
  const key = parseVerifierKey(await (await fetch(`${stack.gateway.url}/log/key`)).text())!;
  await stack.stopAgent();

  let cut!: Measured;
  await stack.restartGateway(async () => {
    const entries = (await readRecording(stack.dataDir, session)).map(decodeHeader);
    const heads = await headsOf(stack.dataDir, session);
    const measured = looks.map((look): Measured => {
      const anchored = heads.findLast(({ index }) => index < look.size)?.seq ?? 0;
      const lost = entries.find(({ seq, timeMicros }) => seq > anchored && timeMicros <= look.micros);
      return { held: look, anchored, millis: lost ? (look.micros - lost.timeMicros) / 1000 : 0 };
    });
    const longest = measured.reduce(longer);
    console.info(`the window: at most ${Math.round(longest.millis)} ms in ${measured.length} looks`);
    expect(longest.millis).toBeGreaterThan(0);
    expect(longest.millis).toBeLessThan(windowMillisMax);
    // What is cut afterwards is one entry more: a look before the first anchored statement would leave none.
    cut = measured.filter(({ anchored }) => anchored > 0).reduce(longer);
    await cutTo(session, cut.held, cut.anchored);
  });
  const trust = { keys: [key], witnesses: [], held: parseCheckpoint(cut.held.text) };
  const verdict = async () => {
    const report = await verifyDataDir(stack.dataDir, trust, { session });
    expect(await secondVerdict(stack.dataDir, trust)).toBe(python ? report.verdict : undefined);
    return report.verdict;
  };
  expect(await verdict()).toBe('VALID'); // this is what nobody can close

  await stack.restartGateway(() => cutTo(session, cut.held, cut.anchored - 1));
  expect(await verdict()).not.toMatch(/^VALID/);
});

async function headsOf(dataDir: string, session: string): Promise<{ index: number; seq: number }[]> {
  const heads: { index: number; seq: number }[] = [];
  let index = 0;
  for await (const bytes of readLeaves(join(dataDir, 'log'))) {
    const { kind, subject, number } = decodeLeaf(bytes);
    if (kind === 'head' && formatSessionId(subject) === session) heads.push({ index, seq: number });
    index++;
  }
  return heads;
}

/** The session ends behind that entry, and the log where the stranger has seen it: the gateway signs on from there. */
async function cutTo(session: string, held: Look, seq: number): Promise<void> {
  const { dataDir } = here.stack;
  await rewriteRecording(dataDir, session, (entries) => {
    const { timeMicros, salt } = entries[seq]!;
    entries.splice(seq + 1);
    const sealed = { reason: 'interrupted', entries: seq + 3, statements: 0, errors: 0, streams: 0 };
    entries.push({ stream: 0, body: { kind: 'interrupted', lastDurable: seq }, timeMicros, salt });
    entries.push({ stream: 0, body: { kind: 'seal', ...sealed }, timeMicros, salt });
  });
  await cutLog(dataDir, held.text, held.size);
  rmSync(join(dataDir, 'catalog.db'));
}
