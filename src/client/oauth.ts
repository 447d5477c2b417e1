import * as client from 'openid-client';
import { clientId, oidcPath } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { GatewayFetch } from './gateway-fetch.ts';
import { gatewayRefusal, notAGateway } from './gateway-refusal.ts';
import { isLoopback } from './gateway-url.ts';

const metadata = { id_token_signed_response_alg: 'ES256' };
const requestSeconds = 20;

/** For refresh, exchange and revocation: the addresses are known, so nothing is asked for first. */
export function knownConfiguration(gateway: string, send: GatewayFetch): client.Configuration {
  const issuer = gateway + oidcPath;
  const server = { issuer, token_endpoint: `${issuer}/token`, revocation_endpoint: `${issuer}/token/revocation` };
  const config = new client.Configuration(server, clientId, metadata, client.None());
  config[client.customFetch] = fetchFor(send);
  config.timeout = requestSeconds;
  if (isLoopback(new URL(gateway).hostname)) client.allowInsecureRequests(config);
  return config;
}

export async function discoveredConfiguration(gateway: string, send: GatewayFetch): Promise<client.Configuration> {
  return client.discovery(new URL(gateway + oidcPath), clientId, metadata, client.None(), {
    execute: isLoopback(new URL(gateway).hostname) ? [client.allowInsecureRequests] : [],
    [client.customFetch]: fetchFor(send),
    timeout: requestSeconds,
  });
}

/** undici's `fetch`; what is not an OAuth answer (a limit, a proxy's page) becomes our own error here. */
const fetchFor =
  (send: GatewayFetch): client.CustomFetch =>
  async (url, options) => {
    const answer = await send(url, options as Parameters<GatewayFetch>[1]);
    if (answer.status < 400) return answer as unknown as Response;
    const body: unknown = await answer
      .clone()
      .json()
      .catch(() => undefined);
    const refusal = gatewayRefusal(body);
    if (refusal) throw refusal;
    if (body === undefined) throw notAGateway(url, answer.status);
    return answer as unknown as Response;
  };

/** The library wraps what `fetch` threw. */
export function wrappedUserError(error: unknown): UserError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof UserError) return cause;
  return undefined;
}

/** RFC 6749 error code (`invalid_grant` …), where the gateway answered with one. */
export const oauthErrorOf = (error: unknown): string | undefined =>
  error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError
    ? error.error
    : undefined;

/** For an OAuth answer that nothing special is known about. */
export function oauthFailure(error: unknown, what: string): UserError {
  const known = wrappedUserError(error);
  if (known) return known;
  const why = error instanceof client.ResponseBodyError ? (error.error_description ?? error.error) : undefined;
  if (oauthErrorOf(error) === 'invalid_dpop_proof')
    return new UserError('HOOP_SIGN_IN', `${what}: the gateway does not accept the proof (${why})`, {
      next: 'set this machine’s clock; a minute off is too much',
      cause: error,
    });
  return new UserError('HOOP_SIGN_IN', `${what}: ${why ?? (error instanceof Error ? error.message : String(error))}`, {
    next: 'run: hoop login',
    cause: error,
  });
}
