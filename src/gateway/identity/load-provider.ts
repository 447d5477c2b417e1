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
    await withoutAsyncContext();
    return await import('oidc-provider');
  } finally {
    console.warn = warn;
  }
}

/**
 * oidc-provider keeps each request in an AsyncLocalStorage, for client metadata documents, which are not offered here. Before Node 24 the
 * first use of one makes every promise of the process call back into JavaScript for good: a tenth of what a statement costs.
 */
async function withoutAsyncContext(): Promise<void> {
  const { default: storage } = await import('oidc-provider/lib/helpers/als.js');
  storage.run = (_store: unknown, act: () => unknown) => act();
}
