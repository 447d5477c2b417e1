import type { AsyncLocalStorage } from 'node:async_hooks';

type OidcProvider = typeof import('oidc-provider');

/**
 * oidc-provider greets Node 20 with "Unsupported runtime" at import, whatever the configuration. hoop's own suite runs the whole sign-in
 * on every Node from 20.19 on, which is what that sentence asks for; everything else it has to say is let through.
 */
export async function loadProvider(): Promise<OidcProvider> {
  const { warn } = console;
  console.warn = (...words: unknown[]) => {
    if (!String(words[0]).includes('Unsupported runtime. Use Node.js')) warn(...words);
  };
  try {
    ({ default: storage } = await import('oidc-provider/lib/helpers/als.js'));
    return await import('oidc-provider');
  } finally {
    console.warn = warn;
  }
}

/** Where oidc-provider keeps the request that it serves. */
let storage: AsyncLocalStorage<unknown> | undefined;
let served = 0;

/**
 * Serves one request of oidc-provider's. Before Node 24 the first use of an AsyncLocalStorage makes every promise of the process call back
 * into JavaScript until it is disabled, which a statement on its way pays for: so it is, whenever nobody is being served.
 */
export async function withAsyncContext(serve: () => Promise<void>): Promise<void> {
  served++;
  try {
    await serve();
  } finally {
    if (--served === 0) storage?.disable();
  }
}
