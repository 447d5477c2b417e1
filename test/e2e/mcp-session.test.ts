import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { deployedBeforePostgres } from '../support/deployed.ts';
import { revisions, startMcp } from '../support/mcp.ts';
import { until } from '../support/until.ts';

const deployment = await deployedBeforePostgres();

const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));
type Message = { id?: number; result?: { isError?: boolean; content: { text: string }[] } };

/** `hoop mcp` as nothing but bytes: every line of its standard output has to be a message of the protocol. */
function rawMcp(args: string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [entry, 'mcp', 'orders-db', ...args], {
    env: { ...deployment.alice.environment(), ...env },
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.resume();
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve));
  const lines = () =>
    out
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Message);
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const answer = async (id: number) => {
    await until(() => lines().some((line) => line.id === id), { what: () => out });
    return lines().find((line) => line.id === id)!;
  };
  const clientInfo = { name: 'hand made', version: '1' };
  const initialize = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo };
  send({ id: 1, method: 'initialize', params: initialize });
  send({ method: 'notifications/initialized' });
  const callTool = (id: number, name: string, sql: string, _meta = {}) =>
    send({ id, method: 'tools/call', params: { name, arguments: { sql }, _meta } });
  return { child, gone, lines, send, answer, callTool };
}

const statementOf = (session: string, part: string) =>
  deployment.statements(session).then((all) => all.find(({ text }) => text?.includes(part)));

test('notifications/cancelled cancels the statement at the server, and the record says so', async () => {
  const { child, gone, send, callTool, answer } = rawMcp(['--as', 'canceller']);
  callTool(7, 'query', 'select pg_sleep(60)');
  const live = await deployment.session(({ actor, state }) => actor === 'canceller' && state === 'live');
  await until(async () => (await statementOf(live.id, 'pg_sleep')) !== undefined);
  send({ method: 'notifications/cancelled', params: { requestId: 7, reason: 'enough' } });
  await until(async () => (await statementOf(live.id, 'pg_sleep'))?.outcome?.errorCode === '57014');
  callTool(8, 'query', 'select 8 as next');
  expect((await answer(8)).result).toMatchObject({ content: [{ text: expect.stringContaining('["8"]') }] });
  child.stdin.end();
  await gone;
});

test('stdout is messages and nothing else; id and _meta of a call are recorded; an end of stdin ends the session at once', async () => {
  const { child, gone, lines, callTool, answer } = rawMcp(['--as', 'by hand'], { HOOP_DEBUG: '1' });
  callTool(41, 'query', 'select 41', { 'cursor/conversation': 'c-17' });
  await answer(41);
  const live = await deployment.session(({ actor, state }) => actor === 'by hand' && state === 'live');
  const { stdout } = await deployment.run(['sessions', 'show', live.id]);
  expect(stdout).toMatch(/tool query, call 41, .*cursor\/conversation.*c-17/);
  callTool(42, 'query', 'select pg_sleep(60)');
  await until(async () => (await statementOf(live.id, 'pg_sleep')) !== undefined);
  const started = performance.now();
  child.stdin.end();
  await gone;
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(lines().every((line) => 'jsonrpc' in line)).toBe(true);
  expect(await deployment.session(({ id }) => id === live.id)).toMatchObject({
    state: 'sealed',
    reason: 'client_closed',
  });
});

test('two processes are two instances; who they are comes from their own words, else from the environment', async () => {
  const one = await startMcp(revisions[0], deployment.alice.environment());
  const other = await startMcp(revisions[0], deployment.alice.environment());
  await Promise.all([one, other].map(({ call }) => call('query', { sql: 'select 1' })));
  const live = (await deployment.sessions()).filter(({ actor, state }) => actor === 'cursor' && state === 'live');
  expect(new Set(live.map(({ actorInstance }) => actorInstance)).size).toBe(2);
  await one.client.close();
  await other.client.close();
  const told = await deployment.alice.run(['run', 'orders-db', '--', 'true'], { env: { CLAUDECODE: '1' } });
  expect(told.code).toBe(0);
  expect((await deployment.sessions())[0]).toMatchObject({ actor: 'claude-code', state: 'sealed' });
});

test('a session whose time is over is not followed by another one of the same process', async () => {
  const { child, gone, callTool, answer } = rawMcp(['--as', 'short', '--ttl', '2s']);
  callTool(5, 'query', 'select 5');
  await answer(5);
  const ended = await deployment.session(({ actor, state }) => actor === 'short' && state === 'sealed');
  expect(ended).toMatchObject({ reason: 'expired' });
  callTool(6, 'query', 'select 6');
  expect((await answer(6)).result).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining('its time is over') }],
  });
  child.stdin.end();
  await gone;
  expect((await deployment.sessions()).filter(({ actor }) => actor === 'short')).toHaveLength(1);
});
