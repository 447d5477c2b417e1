import type { Provider } from 'oidc-provider';
import { UserError } from '../../shared/errors.ts';
import type { Registry } from '../../store/registry.ts';
import type { ProofVerifier } from './dpop.ts';
import type { Principal } from './principal.ts';

/** The parts of an HTTP request (or WebSocket upgrade) that say who sent it. */
export interface Credentials {
  method: string;
  /** Absolute, as the client should have addressed it. */
  url: string;
  authorization: string | undefined;
  proof: string | undefined;
}

export interface AuthenticateParts {
  provider: Provider;
  registry: Registry;
  proofs: ProofVerifier;
}

/** Claims that provider.ts puts into access tokens. */
interface ExtraClaims {
  auth_time?: number;
  hoop_token?: string;
}

/** A live access token, proved to be its holder's. Throws HOOP_SIGN_IN, always in words that say nothing about why to a guesser. */
export async function authenticate(parts: AuthenticateParts, credentials: Credentials): Promise<Principal> {
  const { provider, registry, proofs } = parts;
  const value = /^DPoP ([A-Za-z0-9_-]{20,200})$/i.exec(credentials.authorization ?? '')?.[1];
  if (value === undefined) throw signIn('you are not signed in');
  const token = await provider.AccessToken.find(value);
  // Without `jkt` it would be a bearer token: none is ever issued.
  if (!token?.isValid || !token.jkt || !token.accountId || !token.grantId) throw ended();
  await proofs.verify(credentials.proof, { ...credentials, accessToken: value }, token.jkt);
  const grant = await provider.Grant.find(token.grantId);
  const user = registry.users.byId(token.accountId);
  const extra = ((token as { extra?: ExtraClaims }).extra ?? {}) as ExtraClaims;
  const hoopToken = extra.hoop_token === undefined ? undefined : registry.tokens.live(extra.hoop_token);
  if (!grant || !user || user.disabled || (extra.hoop_token !== undefined && !hoopToken)) throw ended();
  if (typeof token.iat === 'number') registry.signIns.answerArrived(token.grantId, token.iat);
  const authTime = hoopToken || extra.auth_time === undefined ? null : extra.auth_time * 1000;
  return {
    userId: user.id,
    user: user.name,
    role: user.role,
    groups: user.groups,
    via: hoopToken ? 'token' : 'sign-in',
    authTime,
    approvedAt: hoopToken || grant.iat === undefined ? null : (authTime ?? grant.iat * 1000),
    tokenId: hoopToken?.id ?? null,
    grantId: token.grantId,
    expiresAt: hoopToken?.expiresAt ?? (grant.exp === undefined ? null : grant.exp * 1000),
  };
}

const signIn = (message: string): UserError => new UserError('HOOP_SIGN_IN', message, { next: 'run: hoop login' });
const ended = (): UserError => signIn('the sign-in has expired or was revoked');
