import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { loadAgentKey, type AgentKey } from '../agent/key.ts';
import { readGatewayConfig } from '../gateway/config.ts';
import { startGateway, type RunningGateway } from '../gateway/gateway.ts';
import { hashPassword } from '../gateway/identity/password.ts';
import { silentLog } from '../shared/log.ts';

export interface DemoGateway {
  gateway: RunningGateway;
  /** Of the user demo. */
  password: string;
  agentKey: AgentKey;
  joinToken: string;
}

/** A gateway with one user, one grant and one agent, as an administrator would make them. */
export async function startDemoGateway(dataDir: string): Promise<DemoGateway> {
  const agentKey = await loadAgentKey(join(dataDir, '..', 'agent'));
  const config = await readGatewayConfig({ dataDir, listen: '127.0.0.1:0' }, { environment: {} });
  const gateway = await startGateway(config, { log: silentLog, colocatedKeys: new Set([agentKey.publicKey]) });
  const { registry } = gateway;
  const password = randomBytes(18).toString('base64url');
  const user = registry.users.create({
    name: 'demo',
    role: 'user',
    groups: [],
    passwordHash: await hashPassword(password),
  });
  registry.grants.create({ userId: user.id, group: null, resource: 'orders-db', createdBy: 'demo' });
  const { token } = registry.agents.create('demo-agent');
  return { gateway, password, agentKey, joinToken: token };
}
