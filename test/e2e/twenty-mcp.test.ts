import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { StoredSignIn } from '../../src/client/token-store.ts';
import { deployedBeforePostgres } from '../support/deployed.ts';
import { revisions, startMcp } from '../support/mcp.ts';

const processes = 20;
const deployment = await deployedBeforePostgres();

function tokenFile(): string {
  const folder = join(deployment.alice.configDir, 'tokens');
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.json')) ?? '');
}
const stored = (): StoredSignIn => JSON.parse(readFileSync(tokenFile(), 'utf8'));

test('twenty MCP servers that wake together after the access token’s end all work, and nobody is signed out', async () => {
  const before = stored();
  const env = deployment.alice.environment();
  const started = await Promise.all(Array.from({ length: processes }, () => startMcp(revisions[0], env)));
  try {
    writeFileSync(tokenFile(), JSON.stringify({ ...before, accessExpiresAt: Date.now() - 1000 }));
    const answers = await Promise.all(started.map(({ call }) => call('query', { sql: 'select 1' })));
    for (const answer of answers) expect(answer).toMatchObject({ structuredContent: { rows: [['1']] } });
    expect(stored().refreshToken).not.toBe(before.refreshToken);
    const live = (await deployment.sessions()).filter(({ state }) => state === 'live');
    // Twenty windows, twenty identities.
    expect(new Set(live.map(({ actorInstance }) => actorInstance)).size).toBe(processes);
    expect((await deployment.alice.run(['resources'])).code).toBe(0);
  } finally {
    await Promise.all(started.map(({ client }) => client.close()));
  }
}, 180_000);
