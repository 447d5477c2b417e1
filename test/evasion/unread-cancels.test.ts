import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadAgentKey } from '../../src/agent/key.ts';
import { AgentLinks, type AgentLink } from '../../src/gateway/agent-links.ts';
import { linkChallengeSchema, linkProofMessage, linkWelcomeSchema } from '../../src/shared/handshake.ts';
import { limits } from '../../src/shared/limits.ts';
import { handshakeVersion } from '../../src/shared/version.ts';
import { readControl, writeControl } from '../../src/tunnel/control.ts';
import { openTunnel } from '../support/tunnel.ts';

const resource = { name: 'orders-db', protocol: 'postgres', address: 'db:5432', database: null, tls: 'disable' };

test('cancels do not pile up for an agent that does not read them: its link is closed, and the log says why', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-agent-'));
  await using tunnel = await openTunnel();
  const logged: object[] = [];
  const log = (fields: object) => void logged.push(fields);
  const registry = { agentByKey: () => 'db-agent', joinAgent: () => 'db-agent', offerResources: () => [] };
  const links = new AgentLinks(registry, { info: log, warn: log, error: log });
  const lost = new Promise<AgentLink>((resolve) => (links.onLost = resolve));
  void links.accept(tunnel.server);

  // An agent that links, opens what it is asked to, and never reads its control stream again.
  const { publicKey, sign } = await loadAgentKey(folder);
  const control = tunnel.client.open();
  const agent = { version: { major: handshakeVersion.major, minor: 0 }, agentVersion: '0', publicKey };
  const hello = { kind: 'hello', ...agent, resources: [resource] };
  await writeControl(control, hello);
  const { value, rest } = await readControl(control, linkChallengeSchema);
  await writeControl(control, { kind: 'proof', signature: sign(linkProofMessage(value.nonce, publicKey)) });
  await readControl(rest, linkWelcomeSchema);
  tunnel.client.onStream = (stream) => void writeControl(stream, { kind: 'ready', greeting: '' });
  await expect.poll(() => links.byAgent('db-agent')).toBeDefined();
  const link = links.byAgent('db-agent')!;
  const request = { resource: 'orders-db', session: 's', stream: 1, startup: { parameters: {} }, label: 'hoop' };
  const opened = await link.openResource(request, new AbortController().signal);

  let over = false;
  void link.closed.then(() => (over = true));
  let sent = 0;
  const sentMax = limits.streamWindowBytes / 20; // each is longer than that
  for (; !over && sent < sentMax; sent++) {
    opened.cancel();
    if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(over).toBe(true);
  expect(await lost).toBe(link);
  expect(logged.at(-1)).toMatchObject({ reason: 'the agent does not read what it is told' });
  rmSync(folder, { recursive: true, force: true });
});
