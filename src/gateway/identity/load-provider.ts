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
    return await import('oidc-provider');
  } finally {
    console.warn = warn;
  }
}
