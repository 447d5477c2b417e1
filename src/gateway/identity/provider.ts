import type { Provider } from 'oidc-provider';
import { tokenExchangeGrant } from '../../shared/api.ts';
import type { Registry } from '../../store/registry.ts';
import type { ProofVerifier } from './dpop.ts';
import { loadProvider } from './load-provider.ts';
import { providerConfiguration } from './provider-configuration.ts';
import { exchangeToken } from './token-exchange.ts';

export interface ProviderParts {
  issuer: string;
  registry: Registry;
  proofs: ProofVerifier;
}

/** The OAuth server: device flow, rotating refresh tokens and HOOP_TOKEN exchange for one public client, DPoP always. */
export async function createProvider(parts: ProviderParts): Promise<Provider> {
  const { Provider, errors } = await loadProvider();
  const provider = new Provider(parts.issuer, providerConfiguration(parts.registry));
  // It believes X-Forwarded-*, which mount-provider.ts sets on every request: the client's own never reach it.
  provider.proxy = true;
  const refused = (why: string) => new errors.InvalidGrant(why);
  provider.registerGrantType(tokenExchangeGrant, async (ctx) => exchangeToken(ctx, { ...parts, provider, refused }), [
    'subject_token',
    'subject_token_type',
    'scope',
  ]);
  return provider;
}
