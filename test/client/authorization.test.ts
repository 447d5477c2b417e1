import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { whoami } from '../../src/client/api/account.ts';
import { StoredAuthorization } from '../../src/client/authorization.ts';
import { GatewayApi } from '../../src/client/gateway-api.ts';
import { openGatewayFetch } from '../../src/client/gateway-fetch.ts';
import { openGatewayRequest } from '../../src/client/gateway-request.ts';
import { signInAgain, type DevicePrompt } from '../../src/client/sign-in.ts';
import { openTokenStore, type StoredSignIn } from '../../src/client/token-store.ts';
import { approveDevice } from '../../src/client/approve-device.ts';
import { Cli } from '../support/cli.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

let gateway: TestGateway;
let cli: Cli;
const send = openGatewayFetch();

beforeAll(async () => {
  gateway = await startTestGateway();
  await gateway.addUser('alice');
});
afterAll(() => gateway.close());

beforeEach(async () => {
  cli = new Cli();
  await cli.login('alice', password, ['--gateway', gateway.url]);
  process.env['HOOP_CONFIG_DIR'] = cli.configDir;
});
afterEach(() => {
  delete process.env['HOOP_CONFIG_DIR'];
  cli.remove();
});

const path = () => {
  const folder = join(cli.configDir, 'tokens');
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.json')) ?? '');
};
const stored = (): StoredSignIn => JSON.parse(readFileSync(path(), 'utf8'));
const store = (signIn: StoredSignIn) => writeFileSync(path(), JSON.stringify(signIn));
const authorization = () => new StoredAuthorization(gateway.url, send);
const api = () => new GatewayApi(gateway.url, authorization(), openGatewayRequest());

describe('a sign-in that lasts', () => {
  it('an answer that was lost on the way does not sign the honest user out', async () => {
    const before = { ...stored(), accessExpiresAt: Date.now() + 1000 };
    store(before);
    await authorization().credentials();
    expect(stored().refreshToken).not.toBe(before.refreshToken);
    // As if the process had died before it stored what the gateway gave it.
    store(before);
    expect(await whoami(api())).toMatchObject({ user: 'alice' });
    expect(stored().refreshToken).not.toBe(before.refreshToken);
  });

  it('a gateway that cannot be reached while it is renewed leaves it as it was', async () => {
    const before = { ...stored(), accessExpiresAt: Date.now() + 1000 };
    store(before);
    const away = new StoredAuthorization(gateway.url, () => send('http://127.0.0.1:1/'));
    await expect(away.credentials()).rejects.toMatchObject({ code: 'HOOP_GATEWAY_UNREACHABLE' });
    expect(stored()).toEqual(before);
  });

  it('an access token that the gateway no longer takes is renewed once, unseen', async () => {
    store({ ...stored(), accessToken: 'A'.repeat(43) });
    expect(await whoami(api())).toMatchObject({ user: 'alice' });
  });

  it('one that was revoked ends, and its tokens are removed', async () => {
    gateway.identity.revokeUser(gateway.registry.users.get('alice'));
    await expect(whoami(api())).rejects.toMatchObject({
      code: 'HOOP_SIGN_IN',
      next: `run: hoop login --gateway ${gateway.url}`,
    });
    expect(readdirSync(join(cli.configDir, 'tokens'))).toEqual([]);
  });
});

describe('several long-running processes whose sign-in has gone', () => {
  it('ask for one approval, not for one each', async () => {
    gateway.identity.revokeUser(gateway.registry.users.get('alice'));
    await expect(whoami(api())).rejects.toMatchObject({ code: 'HOOP_SIGN_IN' });
    const prompts: DevicePrompt[] = [];
    const show = (prompt: DevicePrompt) => {
      prompts.push(prompt);
      const approval = { verificationUriComplete: prompt.urlWithCode, user: 'alice', password, fetch: send as never };
      void approveDevice(approval);
    };
    const signal = AbortSignal.timeout(25_000);
    const tokens = await openTokenStore();
    await Promise.all([1, 2, 3].map(() => signInAgain({ gateway: gateway.url, send, store: tokens, show, signal })));
    expect(prompts).toHaveLength(1);
    expect(await whoami(api())).toMatchObject({ user: 'alice' });
  });
});
