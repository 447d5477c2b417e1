import * as client from 'openid-client';
import { UserError } from '../../../shared/errors.ts';
import { limits } from '../../../shared/limits.ts';
import type { UpstreamPerson } from '../../../store/registry/upstream-users.ts';
import type { Ask } from '../ask.ts';
import { Pending } from '../pending.ts';
import type { OidcOptions } from '../sign-in-options.ts';
import { personOf, type Claims } from './person.ts';

export const callbackPath = '/oidc/upstream/callback';

interface Begun {
  ask: Ask;
  /** The cookie of the browser that set out: an answer that another browser brings is somebody else's. */
  browser: string;
  verifier: string;
  nonce: string;
}

export interface UpstreamAnswer {
  ask: Ask;
  person: UpstreamPerson;
  /** When the person proved it there, in milliseconds; null where the provider does not say. */
  authTime: number | null;
}

/** Sign-in at the company's OpenID Connect provider: authorization code with PKCE, state, nonce and issuer. */
export class Upstream {
  /** As the pages call it. */
  readonly name: string;
  readonly #options: OidcOptions;
  readonly #redirectUri: string;
  readonly #begun: Pending<Begun>;
  #discovered: { config: client.Configuration; until: number } | undefined;
  readonly #now: () => number;

  constructor(options: OidcOptions, publicUrl: string, now: () => number) {
    this.#options = options;
    this.name = options.name ?? new URL(options.issuer).host;
    this.#redirectUri = publicUrl + callbackPath;
    this.#now = now;
    this.#begun = new Pending(now, limits.deviceCodeSeconds * 1000, limits.upstreamSignInsMax);
  }

  /** Where the browser goes. Throws HOOP_SIGN_IN when the provider cannot be reached. */
  async begin(ask: Ask, browser: string): Promise<string> {
    const config = await this.#discover();
    const verifier = client.randomPKCECodeVerifier();
    const nonce = client.randomNonce();
    const state = this.#begun.put({ ask, browser, verifier, nonce });
    return client.buildAuthorizationUrl(config, {
      redirect_uri: this.#redirectUri,
      scope: this.#options.scopes.join(' '),
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      // A coding agent beside the browser must not ride on an old sign-in; the answer then says `auth_time`.
      max_age: String(limits.freshSignInSeconds),
    }).href;
  }

  /** What the provider answered, by the browser. Throws HOOP_DENIED or HOOP_SIGN_IN. */
  async finish(query: string, browser: string | undefined): Promise<UpstreamAnswer> {
    const url = new URL(this.#redirectUri + query);
    const state = url.searchParams.get('state');
    const begun = this.#begun.take(state);
    if (!begun || state === null || browser !== begun.browser)
      throw new UserError('HOOP_DENIED', 'this answer belongs to no sign-in that this browser began', {
        next: 'begin again at the page that your command line shows; its link works once',
      });
    const config = await this.#discover();
    const claims = await this.#claims(config, url, state, begun);
    const authTime = claims['auth_time'];
    return {
      ask: begun.ask,
      person: personOf(claims, this.#options),
      authTime: typeof authTime === 'number' ? Math.min(authTime * 1000, this.#now()) : null,
    };
  }

  async #claims(config: client.Configuration, url: URL, state: string, { verifier, nonce }: Begun): Promise<Claims> {
    try {
      const tokens = await client.authorizationCodeGrant(config, url, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (!claims) throw new Error('there is no ID token');
      if (config.serverMetadata().userinfo_endpoint === undefined || !this.#isMore(claims)) return claims;
      const more = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
      return { ...more, ...claims };
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Many providers keep e-mail and groups for the userinfo endpoint. */
  #isMore(claims: Record<string, unknown>): boolean {
    const { groupsClaim } = this.#options;
    return claims['email'] === undefined || (groupsClaim !== undefined && claims[groupsClaim] === undefined);
  }

  /** Asked for at the first sign-in, not at start: a provider that is down for a while must not keep the gateway down. */
  async #discover(): Promise<client.Configuration> {
    if (this.#discovered && this.#discovered.until > this.#now()) return this.#discovered.config;
    const { issuer, clientId, clientSecret } = this.#options;
    try {
      const execute = [client.enableNonRepudiationChecks];
      if (issuer.startsWith('http:')) execute.push(client.allowInsecureRequests);
      const config = await client.discovery(new URL(issuer), clientId, clientSecret, undefined, {
        execute,
        timeout: limits.upstreamSeconds,
      });
      this.#discovered = { config, until: this.#now() + 3600_000 };
      return config;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): UserError {
    const cause = { cause: error };
    if (error instanceof client.AuthorizationResponseError && error.error === 'access_denied')
      return new UserError('HOOP_DENIED', `${this.name} was told not to sign you in`, {
        next: 'begin again at the page that your command line shows, and agree there',
        ...cause,
      });
    if (isUnreachable(error))
      return new UserError('HOOP_SIGN_IN', `${this.name} cannot be reached from this gateway`, {
        next: 'try again in a few minutes; if it stays so, tell your administrator',
        ...cause,
      });
    return new UserError('HOOP_DENIED', `the answer of ${this.name} is not one that this gateway can trust`, {
      next: 'begin again at the page that your command line shows; if it happens again, tell your administrator',
      ...cause,
    });
  }
}

/** No answer, or one of a server that is not well. */
function isUnreachable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TypeError && cause.message === 'fetch failed') return true;
    if (cause.name === 'TimeoutError') return true;
    if (cause.cause instanceof Response) return cause.cause.status >= 500;
  }
  return false;
}
