import { StoredAuthorization, TokenAuthorization } from './authorization.ts';
import { GatewayApi } from './gateway-api.ts';
import { openGatewayFetch, ownAddress, type GatewayFetch } from './gateway-fetch.ts';
import { openGatewayRequest } from './gateway-request.ts';
import { caFileOf, chooseGateway, normaliseGateway } from './gateway-url.ts';

export interface GatewayChoice {
  /** `--gateway`; else HOOP_GATEWAY, else the gateway of the last sign-in. */
  gateway?: string | undefined;
  /** `--ca-file` or HOOP_CA_FILE. */
  caFile?: string | undefined;
}

export interface OpenedGateway {
  api: GatewayApi;
  /** By its own address. */
  url: string;
  send: GatewayFetch;
}

/** The API of the chosen gateway, by HOOP_TOKEN where it is set, else by the stored sign-in. Nothing is asked yet. */
export async function openGateway(choice: GatewayChoice): Promise<OpenedGateway> {
  const { HOOP_TOKEN: token } = process.env;
  const caFile = caFileOf(choice.caFile);
  const send = openGatewayFetch(caFile);
  const request = openGatewayRequest(caFile);
  const chosen = await chooseGateway(choice.gateway);
  if (!token) return { api: new GatewayApi(chosen, new StoredAuthorization(chosen, send), request), url: chosen, send };
  // Where only HOOP_TOKEN is used nothing is remembered, so the gateway is asked for the address that proofs are made for.
  const url = normaliseGateway(await ownAddress(chosen, send));
  return { api: new GatewayApi(url, new TokenAuthorization(url, send, token), request), url, send };
}
