import type { Provider } from 'oidc-provider';
import { clientId, oidcPath } from '../../shared/api.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';
import type { Registry } from '../../store/registry.ts';
import type { StoredUser } from '../../store/registry/users.ts';
import { authenticate, type Credentials } from './authenticate.ts';
import { ProofVerifier } from './dpop.ts';
import type { Principal, Revocation } from './principal.ts';
import { createProvider } from './provider.ts';
import { tokenGrantId } from './token-exchange.ts';
import { SignIn } from './sign-in.ts';

export interface IdentityParts {
  /** `http(s)://host:port`, without a path. */
  publicUrl: string;
  registry: Registry;
  clock?: Clock;
}

const purgeIntervalMillis = 5 * 60_000;

/** Everything about who somebody is: the OAuth server, passwords, proofs, and the end of it all. */
export class Identity {
  readonly provider: Provider;
  readonly publicUrl: string;
  readonly signIn: SignIn;
  /** Called when access ended for a reason other than time, so that live sessions can end. */
  onRevoked: (revocation: Revocation) => void = () => undefined;
  readonly #registry: Registry;
  readonly #proofs: ProofVerifier;
  readonly #purging: NodeJS.Timeout;

  constructor(provider: Provider, proofs: ProofVerifier, { publicUrl, registry, clock = systemClock }: IdentityParts) {
    this.provider = provider;
    this.publicUrl = publicUrl;
    this.#registry = registry;
    this.#proofs = proofs;
    this.signIn = new SignIn(registry, () => clock.nowMicros() / 1000);
    // Reuse of a refresh token, and revocation at the OAuth endpoint.
    provider.on('grant.revoked', (_ctx, grantId) => this.onRevoked({ kind: 'grant', grantId }));
    this.#purging = setInterval(() => registry.purge(), purgeIntervalMillis);
    this.#purging.unref();
  }

  /** Throws HOOP_SIGN_IN. */
  authenticate(credentials: Credentials): Promise<Principal> {
    return authenticate({ provider: this.provider, registry: this.#registry, proofs: this.#proofs }, credentials);
  }

  revokeGrant(grantId: string): void {
    this.#registry.signIns.revokeGrant(grantId);
    this.onRevoked({ kind: 'grant', grantId });
  }

  /** After the token itself was revoked in the registry. */
  revokeToken(tokenId: string): void {
    this.revokeGrant(tokenGrantId(tokenId));
  }

  /** Ends every sign-in of a user: deleted, disabled, or with a new password. */
  revokeUser({ id, name }: Pick<StoredUser, 'id' | 'name'>): void {
    this.#registry.signIns.revokeUser(id);
    this.onRevoked({ kind: 'user', userId: id, user: name });
  }

  /** Binds a waiting device code to a user who just proved a password. False: expired, or answered already. */
  async approveDevice(userCode: string, user: StoredUser, authTime: number): Promise<boolean> {
    const grant = new this.provider.Grant({ clientId, accountId: user.id });
    grant.addOIDCScope('openid offline_access');
    const grantId = await grant.save();
    const answered = this.#registry.signIns.answerDevice(userCode, {
      accountId: user.id,
      grantId,
      scope: 'openid offline_access',
      authTime: Math.floor(authTime / 1000),
      amr: ['pwd'],
    });
    if (!answered) this.#registry.signIns.revokeGrant(grantId);
    return answered;
  }

  denyDevice(userCode: string): boolean {
    return this.#registry.signIns.answerDevice(userCode, {
      error: 'access_denied',
      errorDescription: 'the request was denied',
    });
  }

  close(): void {
    clearInterval(this.#purging);
  }
}

export async function createIdentity(parts: IdentityParts): Promise<Identity> {
  const clock = parts.clock ?? systemClock;
  const proofs = new ProofVerifier(() => clock.nowMicros() / 1_000_000);
  const issuer = parts.publicUrl + oidcPath;
  const provider = await createProvider({ issuer, registry: parts.registry, proofs });
  return new Identity(provider, proofs, parts);
}
