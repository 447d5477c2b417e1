import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { clientId, oidcPath } from '../../../shared/api.ts';
import type { BrowserAsk } from '../ask.ts';
import { askPage, decide } from './ask-pages.ts';
import type { Form, PageContext } from './context.ts';
import { faultView } from './views.ts';

/** RFC 8252 section 7.3: a port of the machine that the browser is on, and nothing else. */
const redirectPattern = /^http:\/\/(127\.0\.0\.1|\[::1\]):(\d{1,5})\/callback$/;

const askSchema = z.object({
  redirect_uri: z.string().regex(redirectPattern),
  state: z.string().regex(/^[A-Za-z0-9_-]{8,200}$/),
  code_challenge: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  client_host: z.string().max(100).default(''),
  client_name: z.string().max(100).default(''),
});

/** What must be as it is; the form carries the rest. */
const requestSchema = askSchema.extend({
  client_id: z.literal(clientId),
  response_type: z.literal('code'),
  code_challenge_method: z.literal('S256'),
});

/**
 * The authorization endpoint (RFC 6749 section 4.1 with PKCE), in the place of oidc-provider's, which would keep a session in the
 * browser. A faulty request is told to the person, never to an address that stands in it.
 */
export function registerBrowserPages(app: FastifyInstance, context: PageContext): void {
  const { guard, show } = context;
  const path = `${oidcPath}/auth`;

  app.get(path, (request, reply) => {
    const ask = askOf(requestSchema, request.query, request);
    return ask ? show(reply, askPage(context, { request, reply, ask })) : show(reply, misunderstood, 400);
  });

  app.post<{ Body: Form }>(path, async (request, reply) => {
    const { csrf, ...form } = request.body ?? {};
    guard.check(request, csrf);
    const ask = askOf(askSchema, form, request);
    return ask ? decide(context, { request, reply, ask }, form) : show(reply, misunderstood, 400);
  });
}

const misunderstood = faultView(
  'This link is not complete',
  'It is not one that hoop login makes.',
  'Run hoop login --browser again and open the link that it shows.',
);

function askOf(schema: typeof askSchema, given: unknown, { ip }: FastifyRequest): BrowserAsk | undefined {
  const asked = schema.safeParse(given);
  if (!asked.success) return undefined;
  const { redirect_uri: redirectUri, state, code_challenge: codeChallenge, client_host: host } = asked.data;
  const facts = { address: ip, host, client: asked.data.client_name, at: Date.now() };
  return { kind: 'browser', redirectUri, state, codeChallenge, facts };
}
