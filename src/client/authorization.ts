import { hoopTokenType, tokenExchangeGrant } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import { importDpopKey, newDpopKey, type DpopKey, type PrivateJwk } from './dpop-key.ts';
import { withLock } from './file-lock.ts';
import type { GatewayFetch } from './gateway-fetch.ts';
import { openTokenStore, tokenLockPath, type StoredSignIn, type TokenStore } from './token-store.ts';

export interface Credentials {
  accessToken: string;
  key: PrivateJwk;
}

/** By what right requests are made: a stored sign-in, or HOOP_TOKEN. */
export interface Authorization {
  readonly kind: 'sign-in' | 'token';
  /** Good for at least a few seconds more. Throws HOOP_SIGN_IN. */
  credentials(): Promise<Credentials>;
  /** The gateway refused this access token: the next `credentials` are others, or HOOP_SIGN_IN. */
  refused(accessToken: string): Promise<void>;
  /** Another sign-in may be stored than the one in use: true where it was, and is used from now on. */
  takeStored(): Promise<boolean>;
}

/** An access token with less left than this is renewed before it is used. */
const spareMillis = 60_000;

/** The sign-in in the token store, shared by all processes of this user. */
export class StoredAuthorization implements Authorization {
  readonly kind = 'sign-in';
  readonly #gateway: string;
  readonly #send: GatewayFetch;
  #held: StoredSignIn | undefined;

  constructor(gateway: string, send: GatewayFetch) {
    this.#gateway = gateway;
    this.#send = send;
  }

  async credentials(): Promise<Credentials> {
    if (!this.#held || !isGood(this.#held)) {
      const store = await openTokenStore();
      const stored = await this.#stored(store);
      this.#held = isGood(stored) ? stored : await this.#refresh(store, stored.accessToken);
    }
    const { accessToken, key } = this.#held;
    return { accessToken, key };
  }

  async refused(accessToken: string): Promise<void> {
    this.#held = undefined;
    await this.#refresh(await openTokenStore(), accessToken);
  }

  async takeStored(): Promise<boolean> {
    const stored = await (await openTokenStore()).read(this.#gateway);
    const isOther = stored !== undefined && this.#held !== undefined && stored.key.x !== this.#held.key.x;
    if (isOther) this.#held = undefined;
    return isOther;
  }

  /**
   * One process refreshes, the others take what it stored. The old refresh token stays in the store until the new one is there: if the
   * answer is lost, the gateway takes the old one again (docs/decisions/0003).
   */
  async #refresh(store: TokenStore, unwanted: string): Promise<StoredSignIn> {
    return withLock(tokenLockPath(this.#gateway), async () => {
      const stored = await this.#stored(store);
      if (stored.accessToken !== unwanted && isGood(stored)) return stored;
      const renewed = await this.#exchangeRefreshToken(stored).catch(async (error: unknown) => {
        // The gateway will never take it again.
        if (error instanceof SignInEnded) await store.remove(this.#gateway);
        throw error;
      });
      await store.write(renewed);
      return renewed;
    });
  }

  async #exchangeRefreshToken(stored: StoredSignIn): Promise<StoredSignIn> {
    const [{ getDPoPHandle, refreshTokenGrant }, oauth] = await Promise.all([
      import('openid-client'),
      import('./oauth.ts'),
    ]);
    const config = oauth.knownConfiguration(this.#gateway, this.#send);
    const DPoP = getDPoPHandle(config, await importDpopKey(stored.key));
    try {
      const tokens = await refreshTokenGrant(config, stored.refreshToken, undefined, { DPoP });
      return {
        ...stored,
        refreshToken: tokens.refresh_token ?? stored.refreshToken,
        accessToken: tokens.access_token,
        accessExpiresAt: expiry(tokens.expires_in),
      };
    } catch (error) {
      if (oauth.oauthErrorOf(error) === 'invalid_grant') throw new SignInEnded(this.#gateway, error);
      throw oauth.oauthFailure(error, 'the sign-in could not be renewed');
    }
  }

  async #stored(store: TokenStore): Promise<StoredSignIn> {
    const signIn = await store.read(this.#gateway);
    if (signIn) return signIn;
    throw new UserError('HOOP_SIGN_IN', `not signed in at ${this.#gateway}`, {
      next: `run: hoop login --gateway ${this.#gateway}`,
    });
  }
}

class SignInEnded extends UserError {
  constructor(gateway: string, cause: unknown) {
    super('HOOP_SIGN_IN', `the sign-in at ${gateway} has expired or was revoked`, {
      next: `run: hoop login --gateway ${gateway}`,
      cause,
    });
  }
}

/** HOOP_TOKEN: exchanged at once for a token bound to a key of this process; nothing of it is stored. */
export class TokenAuthorization implements Authorization {
  readonly kind = 'token';
  readonly #gateway: string;
  readonly #send: GatewayFetch;
  readonly #secret: string;
  #key: DpopKey | undefined;
  #held: (Credentials & { accessExpiresAt: number }) | undefined;

  constructor(gateway: string, send: GatewayFetch, secret: string) {
    this.#gateway = gateway;
    this.#send = send;
    this.#secret = secret;
  }

  async credentials(): Promise<Credentials> {
    if (!this.#held || !isGood(this.#held)) this.#held = await this.#exchange();
    return this.#held;
  }

  async refused(accessToken: string): Promise<void> {
    if (this.#held?.accessToken === accessToken) this.#held = undefined;
  }

  takeStored = () => Promise.resolve(false);

  async #exchange(): Promise<Credentials & { accessExpiresAt: number }> {
    const [{ getDPoPHandle, genericGrantRequest }, oauth] = await Promise.all([
      import('openid-client'),
      import('./oauth.ts'),
    ]);
    const key = (this.#key ??= await newDpopKey());
    const config = oauth.knownConfiguration(this.#gateway, this.#send);
    const parameters = { subject_token: this.#secret, subject_token_type: hoopTokenType, scope: 'openid' };
    const DPoP = getDPoPHandle(config, key);
    try {
      const tokens = await genericGrantRequest(config, tokenExchangeGrant, parameters, { DPoP });
      return { accessToken: tokens.access_token, accessExpiresAt: expiry(tokens.expires_in), key: key.jwk };
    } catch (error) {
      if (oauth.oauthErrorOf(error) !== 'invalid_grant')
        throw oauth.oauthFailure(error, 'HOOP_TOKEN could not be used');
      throw new UserError('HOOP_SIGN_IN', 'HOOP_TOKEN is wrong, expired or revoked', {
        next: 'ask an administrator for a new one (hoop tokens create), or unset it and run: hoop login',
        cause: error,
      });
    }
  }
}

/** A token without a stated life is used once more and then renewed. */
export const expiry = (expiresInSeconds: number | undefined): number => Date.now() + (expiresInSeconds ?? 90) * 1000;

/** Not only against its end: a clock set back must not make a token look good for days. */
function isGood({ accessExpiresAt }: { accessExpiresAt: number }): boolean {
  const left = accessExpiresAt - Date.now();
  return left > spareMillis && left < 24 * 3600_000;
}
