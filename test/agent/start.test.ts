import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cli } from '../support/cli.ts';
import { Role } from '../support/deployment.ts';

const agentYaml = `
resources:
  - name: orders-db
    protocol: postgres
    address: 127.0.0.1:5432
    credentials: { user: orders_app, password: "\${env:PASSWORD_THAT_NOBODY_SET}" }
`;

test('an agent says at once which variable of its configuration is not set', async () => {
  const cli = new Cli();
  const config = join(cli.configDir, 'agent.yaml');
  writeFileSync(config, agentYaml);
  const nobody = 'http://127.0.0.1:9';
  const agent = new Role(cli.start(['agent', 'start', '--gateway', nobody, '--join', 'TOKEN', '--config', config]));
  const [warning] = await agent.says(/.*PASSWORD_THAT_NOBODY_SET.*/);
  expect(JSON.parse(warning)).toMatchObject({ level: 40, resource: 'orders-db', role: 'agent' });
  await agent.kill('SIGTERM');
  cli.remove();
});
