import type { Provider } from 'oidc-provider';
import { clientId, oidcPath } from '../../shared/api.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';
import type { Registry } from '../../store/registry.ts';
import type { StoredUser } from '../../store/registry/users.ts';
import { authenticate, type Credentials } from './authenticate.ts';
import { ProofVerifier } from './dpop.ts';
import type { Principal, Revocation } from './principal.ts';
import type { Ask, BrowserAsk } from './ask.ts';
import { createProvider } from './provider.ts';
import { defaultSignInOptions, type SignInOptions } from './sign-in-options.ts';
import { tokenGrantId } from './token-exchange.ts';
import { SignIn } from './sign-in.ts';
import { Upstream } from './upstream/upstream.ts';

export interface IdentityParts {
  /** `http(s)://host:port`, without a path. */
  publicUrl: string;
  registry: Registry;
  options?: SignInOptions;
  clock?: Clock;
}

const scope = 'openid offline_access';
const purgeIntervalMillis = 5 * 60_000;

/** Everything about who somebody is: the OAuth server, passwords, proofs, and the end of it all. */
export class Identity {
  readonly provider: Provider;
  readonly publicUrl: string;
  readonly signIn: SignIn;
  readonly options: SignInOptions;
  /** The company's provider, where there is one. */
  readonly upstream: Upstream | undefined;
  /** Called when access ended for a reason other than time, so that live sessions can end. */
  onRevoked: (revocation: Revocation) => void = () => undefined;
  readonly #registry: Registry;
  readonly #proofs: ProofVerifier;
  readonly #purging: NodeJS.Timeout;

  constructor(provider: Provider, proofs: ProofVerifier, parts: IdentityParts) {
    const { publicUrl, registry, options = defaultSignInOptions, clock = systemClock } = parts;
    const now = () => clock.nowMicros() / 1000;
    this.provider = provider;
    this.options = options;
    this.upstream = options.oidc && new Upstream(options.oidc, publicUrl, now);
    this.publicUrl = publicUrl;
    this.#registry = registry;
    this.#proofs = proofs;
    this.signIn = new SignIn(registry, now, options.localUsers);
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

  /**
   * Lets a waiting command line act as a user who was just proved, `authTime` (milliseconds) saying when, as far as it is known. False:
   * expired, or answered already. A browser's is the address that it goes on to, at the port of the command line.
   */
  async approve(ask: Ask, user: StoredUser, authTime: number | null): Promise<string | boolean> {
    const grant = new this.provider.Grant({ clientId, accountId: user.id });
    grant.addOIDCScope(scope);
    const grantId = await grant.save();
    const approval = {
      accountId: user.id,
      grantId,
      scope,
      ...(authTime === null ? {} : { authTime: Math.floor(authTime / 1000) }),
    };
    if (ask.kind === 'browser') return this.#codeFor(ask, approval);
    const answered = this.#registry.signIns.answerDevice(ask.userCode, approval);
    if (!answered) this.#registry.signIns.revokeGrant(grantId);
    return answered;
  }

  async #codeFor({ redirectUri, state, codeChallenge }: BrowserAsk, approval: object): Promise<string> {
    const client = await this.provider.Client.find(clientId);
    const code = new this.provider.AuthorizationCode({
      ...approval,
      client,
      redirectUri,
      codeChallenge,
      codeChallengeMethod: 'S256',
    } as never);
    return this.#redirect(redirectUri, { code: await code.save(), state });
  }

  /** False, as for `approve`. */
  deny(ask: Ask): string | boolean {
    if (ask.kind === 'device') return this.denyDevice(ask.userCode);
    return this.#redirect(ask.redirectUri, { error: 'access_denied', state: ask.state });
  }

  /** With our name in it (RFC 9207), so that the client can tell us from another server. */
  #redirect(redirectUri: string, answer: Record<string, string>): string {
    return `${redirectUri}?${new URLSearchParams({ ...answer, iss: this.publicUrl + oidcPath }).toString()}`;
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
  const provider = await createProvider({
    issuer,
    registry: parts.registry,
    proofs,
    options: parts.options ?? defaultSignInOptions,
  });
  return new Identity(provider, proofs, parts);
}
