import { exportJWK } from 'jose';
import type { Authorization } from '../../src/client/authorization.ts';
import type { PrivateJwk } from '../../src/client/dpop-key.ts';
import { GatewayApi } from '../../src/client/gateway-api.ts';
import { openGatewayRequest } from '../../src/client/gateway-request.ts';
import type { SignedIn } from './identity-gateway.ts';

/** The gateway's API as the command line has it, for somebody who is signed in. */
export function apiOf({ url }: { url: string }, { accessToken, key }: SignedIn): GatewayApi {
  const authorization: Authorization = {
    kind: 'sign-in',
    credentials: async () => ({ accessToken, key: (await exportJWK(key.privateKey)) as PrivateJwk }),
    refused: async () => undefined,
    takeStored: async () => false,
  };
  return new GatewayApi(url, authorization, openGatewayRequest());
}

export async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}
