import { expect, test } from 'vitest';
import { linkPath, tunnelPath } from '../../src/shared/api.ts';
import { controlRefusedSchema, linkChallengeSchema, tunnelOpenedSchema } from '../../src/shared/handshake.ts';
import { handshakeVersion } from '../../src/shared/version.ts';
import { readControl, writeControl } from '../../src/tunnel/control.ts';
import { connectWebSocket } from '../../src/tunnel/websocket.ts';
import { makeProof } from '../support/identity-gateway.ts';
import { aliceAtOrders } from '../support/alice.ts';

const here = aliceAtOrders();

const { major, minor } = handshakeVersion;
const skews = [
  ['one minor version newer', { major, minor: minor + 1 }, undefined],
  ['two minor versions newer', { major, minor: minor + 2 }, /upgrade.*gateway/i],
  ['another major version', { major: major + 1, minor: 0 }, /upgrade.*gateway/i],
] as const;

test.each(skews)('a client of %s', async (_what, version, refusal) => {
  const url = new URL(tunnelPath, here.stack.gateway.url).href;
  const dpop = await makeProof(here.alice.key, { htm: 'GET', htu: url, accessToken: here.alice.accessToken });
  const headers = { authorization: `DPoP ${here.alice.accessToken}`, dpop };
  const connection = await connectWebSocket(url.replace(/^http/, 'ws'), {
    headers,
    signal: new AbortController().signal,
  });
  const control = connection.open();
  await writeControl(control, { kind: 'open', version, resource: 'orders-db', declared: {} });
  const { value } = await readControl(control, tunnelOpenedSchema.or(controlRefusedSchema));
  if (refusal === undefined) expect(value).toMatchObject({ kind: 'opened' });
  else {
    expect(value).toMatchObject({ kind: 'refused', code: 'HOOP_VERSION_SKEW' });
    expect(JSON.stringify(value)).toMatch(refusal);
  }
  connection.close('done');
});

test.each(skews)('an agent of %s', async (_what, version, refusal) => {
  const url = new URL(linkPath, here.stack.gateway.url).href.replace(/^http/, 'ws');
  const connection = await connectWebSocket(url, { signal: new AbortController().signal });
  const control = connection.open();
  await writeControl(control, { kind: 'hello', version, agentVersion: '9', publicKey: 'A'.repeat(43), resources: [] });
  const { value } = await readControl(control, linkChallengeSchema.or(controlRefusedSchema));
  if (refusal === undefined) expect(value).toMatchObject({ kind: 'challenge' });
  else {
    expect(value).toMatchObject({ kind: 'refused', code: 'HOOP_VERSION_SKEW' });
    expect(JSON.stringify(value)).toMatch(refusal);
  }
  connection.close('done');
});
