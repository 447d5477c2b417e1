import { createHash } from 'node:crypto';
import type { Provider } from 'oidc-provider';
import { tokenExchangeGrant } from '../../shared/api.ts';
import type { Registry } from '../../store/registry.ts';
import type { ProofVerifier } from './dpop.ts';
import type { SignInOptions } from './sign-in-options.ts';
import { Attempts } from './attempts.ts';
import { loadProvider } from './load-provider.ts';
import { providerConfiguration } from './provider-configuration.ts';
import { exchangeToken } from './token-exchange.ts';

export interface ProviderParts {
  issuer: string;
  registry: Registry;
  proofs: ProofVerifier;
  options: SignInOptions;
}

/** The OAuth server: device flow and authorization codes, rotating refresh tokens and HOOP_TOKEN exchange for one public client, DPoP always. */
export async function createProvider(parts: ProviderParts): Promise<Provider> {
  const { Provider, errors } = await loadProvider();
  const provider = new Provider(parts.issuer, providerConfiguration(parts.registry, parts.options));
  // It believes X-Forwarded-*, which mount-provider.ts sets on every request: the client's own never reach it.
  provider.proxy = true;
  if (!parts.options.verificationUriComplete) withoutCompleteUri(provider);
  slowDown(provider);
  const refused = (why: string) => new errors.InvalidGrant(why);
  provider.registerGrantType(tokenExchangeGrant, async (ctx) => exchangeToken(ctx, { ...parts, provider, refused }), [
    'subject_token',
    'subject_token_type',
    'scope',
  ]);
  return provider;
}

/** The library always sends it. */
function withoutCompleteUri(provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route === 'device_authorization')
      delete (ctx.body as Record<string, unknown>)['verification_uri_complete'];
  });
}

/** The interval of five seconds that a client is given, less what a network takes away from it. */
const pollRule = { max: 1, windowMillis: 4000 };

/** RFC 8628 section 3.5, which the library leaves out: who polls faster than told is told to poll slower. */
function slowDown(provider: Provider): void {
  const polls = new Attempts(() => Date.now());
  provider.use(async (ctx, next) => {
    await next();
    const body = ctx.body as { error?: string; error_description?: string } | undefined;
    if (ctx.oidc?.route !== 'token' || body?.error !== 'authorization_pending') return;
    const code = createHash('sha256').update(String(ctx.oidc.params?.['device_code'])).digest('base64url');
    if (polls.isUsedUp(code, pollRule)) {
      ctx.body = { error: 'slow_down', error_description: 'poll every five seconds at most' };
      return;
    }
    polls.count(code, pollRule);
  });
}
