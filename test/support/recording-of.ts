import { GatewayApi } from '../../src/client/gateway-api.ts';
import { openGatewayRequest } from '../../src/client/gateway-request.ts';
import type { SignedIn } from './identity-gateway.ts';

/** The gateway's API as the command line has it, for somebody who is signed in. */
export function apiOf({ url }: { url: string }, { accessToken, key }: SignedIn): GatewayApi {
  const credentials = async () => ({ accessToken, key });
  const authorization = { credentials, refused: async () => undefined };
  return new GatewayApi(url, authorization as never, openGatewayRequest());
}

export async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}
