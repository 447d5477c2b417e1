import type { Provider } from 'oidc-provider';
import { tokenExchangeGrant } from '../../shared/api.ts';
import type { Registry } from '../../store/registry.ts';
import type { ProofVerifier } from './dpop.ts';
import type { SignInOptions } from './sign-in-options.ts';
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
