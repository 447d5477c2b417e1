import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, expect, test } from 'vitest';
import { witnessList } from '../../src/agent/witness-export.ts';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { parseVerifierKey, type VerifierKey } from '../../src/recording/note.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import { parseWitnessList } from '../../src/recording/witness-list.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { aliceAtOrders, at } from '../support/alice.ts';
import { Cli } from '../support/cli.ts';
import { python, secondVerdict } from '../support/second-verifier.ts';
import { rewriteRecording } from '../support/stolen-key.ts';
import { until } from '../support/until.ts';

/** A history that was written anew and signed by the gateway's own key: what shows it, and what does not. */
const here = aliceAtOrders();
const folder = mkdtempSync(join(tmpdir(), 'hoop-stolen-'));
const cli = new Cli();
afterAll(() => {
  cli.remove();
  rmSync(folder, { recursive: true });
});

/** By the program, by its functions and by the second verifier: the same. */
async function verdictOf(trust: Trust, flags: string[]): Promise<string> {
  const { dataDir } = here.stack;
  const { stdout } = await cli.run(['verify', dataDir, '--json', ...flags]);
  const { verdict } = await verifyDataDir(dataDir, trust);
  expect((JSON.parse(stdout) as { verdict: string }).verdict).toBe(verdict);
  expect(await secondVerdict(dataDir, trust)).toBe(python ? verdict : undefined);
  return verdict;
}

test('nothing in the gateway’s hands shows it; the agent’s list does, and so does its missing cosignature', async () => {
  const { stack, alice } = here;
  const connected = await stack.connect(alice);
  const client = new Client(at(connected));
  await client.connect();
  for (const word of ['one', 'two', 'three']) await client.query(`select '${word}' as word`);
  await client.end();
  await connected.close();
  const { session } = connected;
  const list = () => witnessList(stack.agentStateDir);
  await until(
    async () =>
      parseWitnessList(await list())
        .heads.get(session)
        ?.at(-1)?.sealed === true,
  );

  await stack.restartGateway(); // which has the ends cosigned before it stops
  const key = await (await fetch(`${stack.gateway.url}/log/key`)).text();
  await stack.stopAgent();
  const files = {
    key: join(folder, 'gateway.key'),
    list: join(folder, 'list.jsonl'),
    witness: join(folder, 'agent.key'),
  };
  writeFileSync(files.key, key);
  writeFileSync(files.list, await list());
  const seen = parseWitnessList(readFileSync(files.list, 'utf8'));
  const [agentKey] = seen.keys;
  writeFileSync(files.witness, `${(JSON.parse((await list()).split('\n')[0]!) as { key: string }).key}\n`);
  const keys: VerifierKey[] = [parseVerifierKey(key)!];

  const withKey = () => verdictOf({ keys, witnesses: [] }, ['--key', files.key]);
  const withList = () => verdictOf({ keys, witnesses: seen.keys, seen }, ['--key', files.key, '--witness', files.list]);
  const withWitness = () =>
    verdictOf({ keys, witnesses: [agentKey!] }, ['--key', files.key, '--witness', files.witness]);
  expect([await withKey(), await withList(), await withWitness()]).toEqual(['VALID', 'VALID', 'VALID']);

  const { witnesses } = await verifyDataDir(stack.dataDir, { keys, witnesses: seen.keys });
  expect(witnesses).toEqual([{ name: agentKey!.name, cosigned: expect.any(Number), joined: expect.any(Number) }]);

  await stack.restartGateway(async () => {
    await rewriteRecording(stack.dataDir, session, (entries) => {
      for (const { body } of entries) {
        if (body.kind === 'genesis') body.logSize = 0;
        if (body.kind === 'statement' && body.text && Buffer.from(body.text).includes('two'))
          body.text = Buffer.from("select 'nothing of the kind' as word");
      }
    });
    for (const name of ['log', 'catalog.db']) rmSync(join(stack.dataDir, name), { recursive: true });
  });
  expect((await stack.statements(alice, session)).map(({ text }) => text)).toContain(
    "select 'nothing of the kind' as word",
  );
  expect(await withKey()).toBe('VALID');
  expect(await withWitness()).toBe('UNWITNESSED');
  expect(await withList()).toBe('LOG_ROLLBACK');
  const size = async () =>
    parseCheckpoint(await (await fetch(`${stack.gateway.url}/log/checkpoint`)).text()).checkpoint.size;
  while ((await size()) < seen.checkpoint!.checkpoint.size) await stack.restartGateway(); // each start is a leaf
  expect(await withList()).toBe('FORK');
  const { sessions } = await verifyDataDir(stack.dataDir, { keys, witnesses: [], seen });
  expect(sessions.find((one) => one.session === session)).toMatchObject({
    verdict: 'ALTERED',
    why: expect.stringContaining('the agent has seen'),
  });

  await stack.startAgent();
  const alarms = () => stack.logs.filter((line) => line.startsWith('ALARM') && /FORK|ROLLBACK/.test(line));
  await until(() => alarms().length >= 2, { what: () => stack.logs.join('\n') });
});
