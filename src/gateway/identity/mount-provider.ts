import type { FastifyInstance, FastifyRequest } from 'fastify';
import { UserError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { Attempts } from './attempts.ts';
import type { Identity } from './identity.ts';
import { withAsyncContext } from './load-provider.ts';

/** What of oidc-provider is reachable; its browser routes are not (pages/ has ours). */
const routes: [method: 'GET' | 'POST', path: string][] = [
  ['GET', '/.well-known/openid-configuration'],
  ['GET', '/.well-known/oauth-authorization-server'],
  ['GET', '/jwks'],
  ['POST', '/device/auth'],
  ['POST', '/token'],
  ['POST', '/token/revocation'],
];

const deviceRequests = { max: limits.deviceCodesMax, windowMillis: limits.deviceCodeSeconds * 1000 };

/** The OAuth endpoints under `/oidc`; oidc-provider reads the bodies itself (56 KiB at most). */
export function registerProvider(app: FastifyInstance, identity: Identity): void {
  const serve = identity.provider.callback();
  const { protocol, host } = new URL(identity.publicUrl);
  const asked = new Attempts(() => Date.now());
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const [method, url] of routes) {
    app.route({
      method,
      url,
      handler: (request, reply) => {
        if (url === '/device/auth') limitDeviceRequests(asked, identity, request);
        const { raw } = request;
        // Its answers name the public address, whatever Host header came; the address is the one that fastify made sure of.
        raw.headers['x-forwarded-proto'] = protocol.slice(0, -1);
        raw.headers['x-forwarded-host'] = host;
        raw.headers['x-forwarded-for'] = request.ip;
        raw.headers.host = host;
        const { url: original = '/' } = raw;
        Object.assign(raw, { originalUrl: original, url: original.slice(app.prefix.length) });
        for (const [name, value] of Object.entries(reply.getHeaders()))
          if (value !== undefined) reply.raw.setHeader(name, value);
        reply.hijack();
        void withAsyncContext(() => serve(raw, reply.raw));
      },
    });
  }
}

function limitDeviceRequests(asked: Attempts, { options }: Identity, { ip }: FastifyRequest): void {
  if (!options.deviceFlow)
    throw new UserError('HOOP_DENIED', 'this gateway gives no device codes', { next: 'run: hoop login --browser' });
  asked.check(ip, deviceRequests, 'sign-in requests');
  asked.count(ip, deviceRequests);
}
