import { randomBytes } from 'node:crypto';
import { readGatewayConfig } from '../gateway/config.ts';
import { startGateway, type RunningGateway } from '../gateway/gateway.ts';
import { hashPassword } from '../gateway/identity/password.ts';
import { silentLog } from '../shared/log.ts';

export interface DemoGateway {
  gateway: RunningGateway;
  /** Of the user demo. */
  password: string;
}

/** A gateway with one user and one grant, as an administrator would make them. */
export async function startDemoGateway(dataDir: string): Promise<DemoGateway> {
  const config = await readGatewayConfig({ dataDir, listen: '127.0.0.1:0' }, { environment: {} });
  const gateway = await startGateway(config, { log: silentLog });
  const { registry } = gateway;
  const password = randomBytes(18).toString('base64url');
  const user = registry.users.create({
    name: 'demo',
    role: 'user',
    groups: [],
    passwordHash: await hashPassword(password),
  });
  registry.grants.create({ userId: user.id, group: null, resource: 'orders-db', createdBy: 'demo' });
  return { gateway, password };
}
