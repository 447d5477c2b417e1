import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { clientId, hoopTokenType, tokenExchangeGrant } from '../../shared/api.ts';
import { limits } from '../../shared/limits.ts';
import type { Registry } from '../../store/registry.ts';
import { createAdapter } from './adapter.ts';
import type { ProofVerifier } from './dpop.ts';
import { loadProvider } from './load-provider.ts';

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
/** Carried from the handler of a grant to the claims of its token. */
interface TokenFacts {
  tokenId?: string;
}

export interface ProviderParts {
  issuer: string;
  registry: Registry;
  proofs: ProofVerifier;
}

/** The OAuth server: device flow, rotating refresh tokens and HOOP_TOKEN exchange for one public client, DPoP always. */
export async function createProvider(parts: ProviderParts): Promise<Provider> {
  const { Provider, errors } = await loadProvider();
  const provider = new Provider(parts.issuer, configuration(parts));
  // It believes X-Forwarded-*, which mount-provider.ts sets on every request: the client's own never reach it.
  provider.proxy = true;
  provider.registerGrantType<{ subject_token?: string; subject_token_type?: string }>(
    tokenExchangeGrant,
    async (ctx) => exchangeToken(ctx, parts, provider, (why) => new errors.InvalidGrant(why)),
    ['subject_token', 'subject_token_type', 'scope'],
  );
  return provider;
}

function configuration({ registry }: ProviderParts): Configuration {
  const { keys, users } = registry;
  return {
    adapter: createAdapter(registry.signIns),
    clients: [
      {
        client_id: clientId,
        client_name: 'hoop',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: [deviceGrant, 'refresh_token', tokenExchangeGrant],
        response_types: [],
        redirect_uris: [],
        dpop_bound_access_tokens: true,
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...keys.signing, use: 'sig', alg: 'ES256' } as never] },
    cookies: { keys: [keys.cookie] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'], dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519'] },
    scopes: ['openid', 'offline_access'],
    extraParams: ['client_host', 'client_name'],
    routes: { code_verification: '/device', device_authorization: '/device/auth' },
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
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      introspection: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****', deviceInfo: (ctx) => deviceFacts(ctx) },
    },
    ttl: {
      AccessToken: limits.accessTokenSeconds,
      DeviceCode: limits.deviceCodeSeconds,
      Grant: limits.refreshTokenSeconds,
      IdToken: limits.accessTokenSeconds,
      Interaction: limits.deviceCodeSeconds,
      RefreshToken: limits.refreshTokenSeconds,
      Session: limits.deviceCodeSeconds,
    },
  };
}

/** Who asks: the address as we see it, the rest as declared. Shown to the person who approves. */
function deviceFacts(ctx: KoaContextWithOIDC): Record<string, string | number> {
  const declared = (name: string) => String(ctx.oidc.params?.[name] ?? '').slice(0, 100);
  return { address: ctx.ip, host: declared('client_host'), client: declared('client_name'), at: Date.now() };
}

/** When a password was proved, and by which HOOP_TOKEN, if by one. */
function tokenClaims(ctx: KoaContextWithOIDC): Record<string, string | number> {
  const { RefreshToken, DeviceCode } = ctx.oidc.entities;
  const { tokenId } = ctx.state as TokenFacts;
  const authTime = RefreshToken?.authTime ?? DeviceCode?.authTime;
  if (tokenId !== undefined) return { hoop_token: tokenId };
  return authTime === undefined ? {} : { auth_time: authTime };
}

type ExchangeContext = KoaContextWithOIDC & { state: TokenFacts };

/** RFC 8693: HOOP_TOKEN in, a DPoP-bound access token out; no refresh token. */
async function exchangeToken(
  ctx: KoaContextWithOIDC,
  { registry, proofs, issuer }: ProviderParts,
  provider: Provider,
  refused: (why: string) => Error,
): Promise<void> {
  const { subject_token: secret, subject_token_type: type } = ctx.oidc.params ?? {};
  const { client } = ctx.oidc;
  if (!client || type !== hoopTokenType || typeof secret !== 'string') throw refused('not a HOOP_TOKEN');
  const jkt = await proofs
    .verify(ctx.get('dpop') || undefined, { method: 'POST', url: `${issuer}/token` })
    .catch((error: Error) => Promise.reject(refused(error.message)));
  const token = registry.tokens.use(secret);
  const user = token && registry.users.byId(token.userId);
  if (!token || !user || user.disabled) throw refused('the HOOP_TOKEN is wrong, expired or revoked');
  const grantId = await tokenGrant(provider, token);
  (ctx as ExchangeContext).state.tokenId = token.id;
  const leftSeconds = Math.floor((token.expiresAt - Date.now()) / 1000);
  const access = new provider.AccessToken({
    client,
    accountId: user.id,
    grantId,
    gty: 'token_exchange',
    scope: 'openid',
    expiresIn: Math.max(1, Math.min(limits.accessTokenSeconds, leftSeconds)),
  } as ConstructorParameters<Provider['AccessToken']>[0]);
  access.setThumbprint('jkt', jkt);
  ctx.body = {
    access_token: await access.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'DPoP',
    expires_in: access.expiration,
    scope: 'openid',
  };
}

/** One grant per HOOP_TOKEN, however often it is exchanged. */
async function tokenGrant(
  provider: Provider,
  token: { id: string; userId: string; expiresAt: number },
): Promise<string> {
  const grantId = tokenGrantId(token.id);
  const known = await provider.Grant.find(grantId);
  if (known) return grantId;
  const properties = {
    clientId,
    accountId: token.userId,
    expiresIn: Math.max(1, Math.ceil((token.expiresAt - Date.now()) / 1000)),
  };
  const grant = new provider.Grant(properties);
  grant.jti = grantId;
  grant.addOIDCScope('openid');
  await grant.save();
  return grantId;
}

export const tokenGrantId = (tokenId: string): string => `hoop-token:${tokenId}`;
