import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli } from '../support/cli.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

describe('the first administrator of a new gateway, without a browser', () => {
  const cli = new Cli();
  let gateway: TestGateway;
  let code: string;
  const create = (setupCode: string, stdin: string, name = 'root') =>
    cli.run(
      ['users', 'create', name, '--setup-code', setupCode, '--gateway', gateway.url, '--password-stdin', '--json'],
      {
        stdin,
      },
    );

  beforeAll(async () => {
    gateway = await startTestGateway();
    code = gateway.registry.invitations.issue(null).secret;
  });
  afterAll(async () => {
    cli.remove();
    await gateway.close();
  });

  it.each([
    ['a wrong code', 'wrong', password, 'root', 3],
    ['a short password', '', 'short', 'root', 2],
    ['no password', '', '', 'root', 2],
    ['a name that is none', '', password, 'Röot', 2],
  ])('%s makes nobody', async (_what, wrong, typed, name, exit) => {
    const result = await create(wrong || code, typed, name);
    expect(result.code).toBe(exit);
    expect(JSON.parse(result.stdout).error.message).not.toBe('');
    expect(gateway.registry.users.list()).toEqual([]);
  });

  it('the right one makes one administrator, once', async () => {
    expect(await create(code, `${password}\n`)).toMatchObject({ code: 0 });
    expect(gateway.registry.users.list()).toMatchObject([{ name: 'root', role: 'admin', active: true }]);
    expect(await create(code, password, 'second')).toMatchObject({ code: 3 });
    expect(await cli.login('root', password, ['--gateway', gateway.url])).toMatchObject({ code: 0 });
  });
});
