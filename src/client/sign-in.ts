import { hostname } from 'node:os';
import * as client from 'openid-client';
import { UserError } from '../shared/errors.ts';
import { pause } from '../shared/pause.ts';
import { version } from '../shared/version.ts';
import { expiry } from './authorization.ts';
import { newDpopKey, type DpopKey } from './dpop-key.ts';
import { tryLock, withLock, type HeldLock } from './file-lock.ts';
import { ownAddress, type GatewayFetch } from './gateway-fetch.ts';
import { normaliseGateway } from './gateway-url.ts';
import { discoveredConfiguration, knownConfiguration, oauthErrorOf, oauthFailure, wrappedUserError } from './oauth.ts';
import { gatewaySettings, updateSettings } from './settings.ts';
import { openTokenStore, signInLockPath, tokenLockPath, type StoredSignIn, type TokenStore } from './token-store.ts';

/** What the person has to approve in a browser. */
export interface DevicePrompt {
  /** None where the page must be opened in a browser of this machine. */
  userCode: string | undefined;
  url: string;
  /** The page with the code filled in already. */
  urlWithCode: string;
  expiresInSeconds: number;
}

export interface SignInOptions {
  gateway: string;
  send: GatewayFetch;
  store: TokenStore;
  show: (prompt: DevicePrompt) => void;
  /** Before anything is shown: the gateway was reached by another name than its own. */
  onOwnAddress?: (gateway: string) => void;
  /** In a browser of this machine, without a code. */
  browser?: boolean;
  signal: AbortSignal;
}

const defaultIntervalSeconds = 5;

/** Device authorization grant (RFC 8628), bound to a new key; stores the tokens. Returns the gateway's own address. */
export async function signIn(options: SignInOptions): Promise<string> {
  const { send, store } = options;
  const gateway = normaliseGateway(await ownAddress(options.gateway, send));
  if (gateway !== options.gateway) options.onOwnAddress?.(gateway);
  const lock = await tryLock(signInLockPath(gateway));
  if (!('release' in lock)) throw alreadyWaiting(gateway, lock.owner?.pid);
  try {
    const signedIn = await askAndWait({ ...options, gateway });
    // Not while another process stores what it refreshed.
    await withLock(tokenLockPath(gateway), () => store.write(signedIn));
  } finally {
    await lock.release();
  }
  await updateSettings((settings) => {
    const { aliases } = gatewaySettings(settings, gateway);
    if (options.gateway !== gateway && !aliases.includes(options.gateway)) aliases.push(options.gateway);
    settings.defaultGateway = gateway;
  });
  return gateway;
}

/**
 * For a long-running process whose sign-in has gone: asks once, however many processes of this user need it; the others wait and take
 * what that one stored.
 */
export async function signInAgain(options: SignInOptions): Promise<void> {
  const { gateway, store, signal } = options;
  const before = await store.read(gateway);
  for (let lock: HeldLock | undefined; !signal.aborted;) {
    const taken = await tryLock(signInLockPath(gateway));
    if ('release' in taken) lock = taken;
    try {
      const now = await store.read(gateway);
      if (now && now.refreshToken !== before?.refreshToken) return;
      if (lock) return await store.write(await askAndWait(options));
    } finally {
      await lock?.release();
    }
    await pause(1000, signal);
  }
  signal.throwIfAborted();
}

async function askAndWait(options: SignInOptions): Promise<StoredSignIn> {
  const { gateway, send } = options;
  try {
    const config = await discoveredConfiguration(gateway, send);
    const key = await newDpopKey();
    // A gateway whose administrator switched the device flow off names no endpoint for it.
    const hasCodes = config.serverMetadata().device_authorization_endpoint !== undefined;
    const inBrowser = options.browser === true || !hasCodes;
    const tokens = await (inBrowser ? askInBrowser(config, key, options) : askByCode(config, key, options));
    if (tokens.refresh_token === undefined) throw new Error('the gateway gave no refresh token');
    return {
      version: 1,
      gateway,
      refreshToken: tokens.refresh_token,
      accessToken: tokens.access_token,
      accessExpiresAt: expiry(tokens.expires_in),
      key: key.jwk,
    };
  } catch (error) {
    options.signal.throwIfAborted();
    throw refusal(error) ?? oauthFailure(error, 'the sign-in failed');
  }
}

async function askByCode(config: client.Configuration, key: DpopKey, { show, signal }: SignInOptions) {
  const asked = await client.initiateDeviceAuthorization(config, {
    scope: 'openid offline_access',
    client_host: hostname(),
    client_name: `hoop ${version} on ${process.platform}`,
  });
  show({
    userCode: asked.user_code,
    url: webAddress(asked.verification_uri),
    urlWithCode: webAddress(asked.verification_uri_complete ?? asked.verification_uri),
    expiresInSeconds: asked.expires_in,
  });
  return pollUntilAnswered(config, asked, key, signal);
}

async function askInBrowser(config: client.Configuration, key: DpopKey, { show, signal }: SignInOptions) {
  const { loopbackSignIn } = await import('./loopback-sign-in.ts');
  const shown = (url: string, expiresInSeconds: number) =>
    show({ userCode: undefined, url: webAddress(url), urlWithCode: webAddress(url), expiresInSeconds });
  return loopbackSignIn({ config, key, show: shown, signal });
}

/** A network that goes away for a while (a laptop on the move) is no answer: the code is good until it expires. */
async function pollUntilAnswered(
  config: client.Configuration,
  asked: client.DeviceAuthorizationResponse,
  key: DpopKey,
  signal: AbortSignal,
) {
  const ends = Date.now() + asked.expires_in * 1000;
  const DPoP = client.getDPoPHandle(config, key);
  const interval = asked.interval ?? defaultIntervalSeconds;
  for (;;) {
    const left = ends - Date.now();
    if (left <= 0) throw expired();
    const polling = AbortSignal.any([signal, AbortSignal.timeout(left)]);
    try {
      return await client.pollDeviceAuthorizationGrant(config, { ...asked, interval }, undefined, {
        DPoP,
        signal: polling,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (polling.aborted) throw expired();
      if (wrappedUserError(error)?.code !== 'HOOP_GATEWAY_UNREACHABLE') throw error;
    }
  }
}

/** Ends the sign-in at the gateway. */
export async function revokeSignIn(signedIn: StoredSignIn, send: GatewayFetch): Promise<void> {
  const config = knownConfiguration(signedIn.gateway, send);
  await client
    .tokenRevocation(config, signedIn.refreshToken, { token_type_hint: 'refresh_token' })
    .catch((error: unknown) => Promise.reject(oauthFailure(error, 'the sign-in could not be revoked')));
}

export interface SignedOut {
  gateway: string;
  signedIn: boolean;
  /** Why the gateway could not be told, where it could not. */
  notRevoked?: UserError;
}

/** Revokes and forgets. What is here is removed in any case: without key and tokens nobody can go on with the sign-in. */
export async function signOut(gateway: string, send: GatewayFetch): Promise<SignedOut> {
  const store = await openTokenStore();
  return withLock(tokenLockPath(gateway), async () => {
    const signedIn = await store.read(gateway).catch(() => undefined);
    let notRevoked: UserError | undefined;
    if (signedIn)
      await revokeSignIn(signedIn, send).catch((error: unknown) => {
        if (!(error instanceof UserError)) throw error;
        notRevoked = error;
      });
    await store.remove(gateway);
    return { gateway, signedIn: signedIn !== undefined, ...(notRevoked ? { notRevoked } : {}) };
  });
}

const expired = (): UserError =>
  new UserError('HOOP_SIGN_IN', 'the code expired before it was approved', { next: 'run: hoop login' });

function refusal(error: unknown): UserError | undefined {
  const code = oauthErrorOf(error);
  if (code === 'expired_token') return expired();
  if (code === 'access_denied')
    return new UserError('HOOP_DENIED', 'the sign-in was denied in the browser', {
      next: 'run hoop login again, and choose Approve if it was you',
    });
  return undefined;
}

function alreadyWaiting(gateway: string, pid: number | undefined): UserError {
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new UserError('HOOP_EXISTS', `a sign-in at ${gateway} is waiting for its approval already (${who})`, {
    next: 'approve that code, or end that process first',
  });
}

/** Shown to a person and given to a browser: nothing but a web address. */
function webAddress(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text).href;
  throw new UserError('HOOP_PROTOCOL', 'the gateway’s answer to the sign-in holds no web address', {
    next: 'check that it is a hoop gateway',
  });
}
