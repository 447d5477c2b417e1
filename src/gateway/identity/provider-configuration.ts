import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { clientId, tokenExchangeGrant } from '../../shared/api.ts';
import { limits } from '../../shared/limits.ts';
import type { Registry } from '../../store/registry.ts';
import { createAdapter } from './adapter.ts';
import type { SignInOptions } from './sign-in-options.ts';

const loopbackRedirects = ['http://127.0.0.1/callback', 'http://[::1]/callback'];
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** Everything that oidc-provider would warn about has a real value here. */
export function providerConfiguration(
  { keys, users, signIns }: Registry,
  { deviceFlow }: Pick<SignInOptions, 'deviceFlow'>,
): Configuration {
  return {
    adapter: createAdapter(signIns),
    clients: [hoopCli(deviceFlow)],
    jwks: { keys: [{ ...keys.signing, use: 'sig', alg: 'ES256' } as never] },
    cookies: { keys: [keys.cookie] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'], dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519'] },
    scopes: ['openid', 'offline_access'],
    extraParams: ['client_host', 'client_name'],
    routes: { authorization: '/auth', code_verification: '/device', device_authorization: '/device/auth' },
    // By default rotation is skipped for DPoP-bound tokens; reuse detection needs it.
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    expiresWithSession: async () => false,
    clientBasedCORS: () => false,
    extraTokenClaims: async (ctx) => tokenClaims(ctx),
    async findAccount(_ctx, id) {
      const user = users.byId(id);
      return user && !user.disabled ? { accountId: id, claims: async () => ({ sub: id }) } : undefined;
    },
    // Answers to programs only: people meet our own pages.
    renderError(ctx, out) {
      ctx.body = out;
    },
    features: { ...features, deviceFlow: { ...features.deviceFlow, enabled: deviceFlow } },
    responseTypes: ['code'],
    ttl,
  };
}

const hoopCli = (deviceFlow: boolean): NonNullable<Configuration['clients']>[number] => ({
  client_id: clientId,
  client_name: 'hoop',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token', tokenExchangeGrant, ...(deviceFlow ? [deviceGrant] : [])],
  response_types: ['code'],
  // Any port of them (RFC 8252 section 7.3).
  redirect_uris: loopbackRedirects,
  dpop_bound_access_tokens: true,
  id_token_signed_response_alg: 'ES256',
});

const features = {
  devInteractions: { enabled: false },
  dPoP: { enabled: true },
  introspection: { enabled: false },
  revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
  resourceIndicators: { enabled: false },
  rpInitiatedLogout: { enabled: false },
  userinfo: { enabled: false },
  deviceFlow: {
    enabled: true,
    charset: 'base-20',
    mask: '****-****',
    deviceInfo: (ctx) => ({ ...deviceFacts(ctx) }),
  },
} satisfies Configuration['features'];

const ttl: NonNullable<Configuration['ttl']> = {
  AccessToken: limits.accessTokenSeconds,
  /** On the way from a page to a port of the same machine. */
  AuthorizationCode: 60,
  DeviceCode: limits.deviceCodeSeconds,
  /** The end of it all: a person signs in again, however often the tokens were refreshed. */
  Grant: limits.refreshTokenSeconds,
  IdToken: limits.accessTokenSeconds,
  Interaction: limits.deviceCodeSeconds,
  RefreshToken: limits.refreshTokenSeconds,
  Session: limits.deviceCodeSeconds,
};

/** Who asks for a device code. */
export interface DeviceFacts {
  /** As seen by the gateway. */
  address: string;
  /** As declared: the parameters `client_host` and `client_name`; empty where they are missing. */
  host: string;
  client: string;
  /** Milliseconds. */
  at: number;
}

/** Shown to the person who approves. */
function deviceFacts(ctx: KoaContextWithOIDC): DeviceFacts {
  const declared = (name: string): string => {
    const value = ctx.oidc.params?.[name];
    return typeof value === 'string' ? value.slice(0, 100) : '';
  };
  return { address: ctx.ip, host: declared('client_host'), client: declared('client_name'), at: Date.now() };
}

/** Carried from the handler of a grant to the claims of its token. */
export interface TokenFacts {
  tokenId?: string;
}

/** When the person was proved, or by which HOOP_TOKEN. */
function tokenClaims(ctx: KoaContextWithOIDC): Record<string, string | number> {
  const { RefreshToken, DeviceCode, AuthorizationCode } = ctx.oidc.entities;
  const { tokenId } = ctx.state as TokenFacts;
  if (tokenId !== undefined) return { hoop_token: tokenId };
  const authTime = RefreshToken?.authTime ?? DeviceCode?.authTime ?? AuthorizationCode?.authTime;
  return authTime === undefined ? {} : { auth_time: authTime };
}
