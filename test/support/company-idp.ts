import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { OidcOptions } from '../../src/gateway/identity/sign-in-options.ts';

const program = fileURLToPath(new URL('company-idp-process.mjs', import.meta.url));

export interface CompanyIdp {
  issuer: string;
  options: OidcOptions;
  stop(): Promise<void>;
}

/** A company's identity provider in a process of its own, which knows one gateway. */
export async function startCompanyIdp(gatewayUrl: string, port = 0): Promise<CompanyIdp> {
  const child = spawn(process.execPath, [program, `${gatewayUrl}/oidc/upstream/callback`, String(port)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface(child.stdout);
  const issuer = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => line.startsWith('http:') && resolve(line));
    child.once('exit', (code) => reject(new Error(`the provider ended with ${code}`)));
  });
  return {
    issuer,
    options: {
      issuer,
      clientId: 'hoop',
      clientSecret: 'a secret of the client',
      name: 'Acme',
      scopes: ['openid', 'email', 'profile', 'groups'],
      groupsClaim: 'groups',
      groupNames: { 'Data Team': 'data-team' },
      adminGroups: ['platform-admins'],
      allowedDomains: ['corp.example', 'sales.corp.example'],
      requireVerifiedEmail: true,
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
