import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { clientId, hoopTokenType } from '../../shared/api.ts';
import { limits } from '../../shared/limits.ts';
import type { Registry } from '../../store/registry.ts';
import type { StoredToken } from '../../store/registry/tokens.ts';
import type { ProofVerifier } from './dpop.ts';
import type { TokenFacts } from './provider-configuration.ts';

export interface ExchangeParts {
  provider: Provider;
  issuer: string;
  registry: Registry;
  proofs: ProofVerifier;
  refused: (why: string) => Error;
}

/** RFC 8693: HOOP_TOKEN in, a DPoP-bound access token out; no refresh token, and no proof of a password. */
export async function exchangeToken(ctx: KoaContextWithOIDC, parts: ExchangeParts): Promise<void> {
  const { provider, proofs, issuer, refused } = parts;
  const { client } = ctx.oidc;
  if (!client) throw refused('no client');
  const jkt = await proofs
    .verify(ctx.get('dpop') || undefined, { method: 'POST', url: `${issuer}/token` })
    .catch((error: Error) => Promise.reject(refused(error.message)));
  const token = liveToken(ctx, parts);
  const facts: TokenFacts = { tokenId: token.id };
  Object.assign(ctx.state as object, facts);
  const access = new provider.AccessToken({
    client,
    accountId: token.userId,
    grantId: await tokenGrant(provider, token),
    gty: 'token_exchange',
    scope: 'openid',
    expiresIn: Math.min(limits.accessTokenSeconds, secondsLeft(token)),
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

function liveToken(ctx: KoaContextWithOIDC, { registry, refused }: ExchangeParts): StoredToken {
  const { subject_token: secret, subject_token_type: type } = ctx.oidc.params ?? {};
  if (type !== hoopTokenType || typeof secret !== 'string') throw refused('not a HOOP_TOKEN');
  const token = registry.tokens.use(secret);
  const user = token && registry.users.byId(token.userId);
  if (!token || !user || user.disabled) throw refused('the HOOP_TOKEN is wrong, expired or revoked');
  return token;
}

/** One grant per HOOP_TOKEN, however often it is exchanged. */
async function tokenGrant(provider: Provider, token: StoredToken): Promise<string> {
  const grantId = tokenGrantId(token.id);
  if (await provider.Grant.find(grantId)) return grantId;
  const properties = { clientId, accountId: token.userId, expiresIn: secondsLeft(token) };
  const grant = new provider.Grant(properties);
  grant.jti = grantId;
  grant.addOIDCScope('openid');
  await grant.save();
  return grantId;
}

export const tokenGrantId = (tokenId: string): string => `hoop-token:${tokenId}`;

const secondsLeft = ({ expiresAt }: StoredToken): number => Math.max(1, Math.ceil((expiresAt - Date.now()) / 1000));
