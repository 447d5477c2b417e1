import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import * as client from 'openid-client';
import { UserError } from '../shared/errors.ts';
import { version } from '../shared/version.ts';
import type { DpopKey } from './dpop-key.ts';

export interface LoopbackOptions {
  config: client.Configuration;
  key: DpopKey;
  /** The page to open in a browser of this machine. */
  show: (url: string, expiresInSeconds: number) => void;
  signal: AbortSignal;
}

const waitSeconds = 5 * 60;

/** Authorization code with PKCE, answered at a port of this machine (RFC 8252): nothing that somebody else could send a person. */
export async function loopbackSignIn({ config, key, show, signal }: LoopbackOptions) {
  const state = client.randomState();
  const verifier = client.randomPKCECodeVerifier();
  const port = await listen();
  try {
    const redirectUri = `http://127.0.0.1:${(port.server.address() as AddressInfo).port}/callback`;
    const answered = untilAnswered(port.server, state, redirectUri, signal);
    answered.catch(() => undefined); // awaited below
    show(await pageFor(config, { redirectUri, state, verifier }), waitSeconds);
    const { url, done } = await answered;
    try {
      const checks = { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true };
      const DPoP = client.getDPoPHandle(config, key);
      const tokens = await client.authorizationCodeGrant(config, url, checks, undefined, { DPoP });
      done('You are signed in', 'You can close this page and go back to your terminal.');
      return tokens;
    } catch (error) {
      done('You were not signed in', 'Your terminal says why. You can close this page.');
      throw error;
    }
  } finally {
    port.close();
  }
}

async function pageFor(
  config: client.Configuration,
  { redirectUri, state, verifier }: { redirectUri: string; state: string; verifier: string },
): Promise<string> {
  return client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid offline_access',
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    client_host: hostname().slice(0, 100),
    client_name: `hoop ${version} on ${process.platform}`,
  }).href;
}

async function listen(): Promise<{ server: Server; close: () => void }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = () => {
    server.close();
    server.closeIdleConnections();
  };
  return { server, close };
}

interface Answer {
  url: URL;
  /** What the browser is told; once. */
  done: (title: string, text: string) => void;
}

/** The first answer with our state; any other program of this machine may knock without ending the sign-in. */
function untilAnswered(server: Server, state: string, redirectUri: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooLate()), waitSeconds * 1000);
    timer.unref(); // the server keeps the process up
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', stop, { once: true });
    let isAnswered = false;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(redirectUri + (request.url ?? '').replace(/^\/callback/, ''));
      const isOurs = request.method === 'GET' && (request.url ?? '').startsWith('/callback?');
      if (isAnswered || !isOurs || url.searchParams.get('state') !== state) {
        page(response, 404, 'Nothing here', 'This page belongs to a sign-in that is over, or to none.');
        return;
      }
      isAnswered = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve({ url, done: (title, text) => page(response, 200, title, text) });
    });
  });
}

function page(response: ServerResponse, status: number, title: string, text: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  });
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>${title} · hoop</title><main><h1>${title}</h1><p>${text}</p></main></html>\n`,
  );
}

const tooLate = (): UserError =>
  new UserError('HOOP_SIGN_IN', 'nobody signed in at the page within five minutes', { next: 'run: hoop login' });
