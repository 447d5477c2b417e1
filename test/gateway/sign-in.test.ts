import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signIn, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
  await gateway.addUser('root', 'admin');
  await gateway.addUser('alice', 'user', ['devs']);
});
afterAll(() => gateway.close());

describe('signing in with the device flow', () => {
  it('gives a token that says who is there', async () => {
    const alice = await signIn(gateway, 'alice');
    const { status, body } = await alice.call('GET', '/whoami');
    expect(status).toBe(200);
    expect(body).toMatchObject({ user: 'alice', role: 'user', groups: ['devs'], via: 'sign-in', gateway: gateway.url });
    expect(Date.now() - Date.parse(body.signedInAt)).toBeLessThan(60_000);
  });
});
