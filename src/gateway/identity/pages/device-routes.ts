import type { FastifyInstance, FastifyRequest } from 'fastify';
import { oidcPath } from '../../../shared/api.ts';
import type { DeviceAsk } from '../ask.ts';
import type { DeviceFacts } from '../provider-configuration.ts';
import { askPage, decide, expired } from './ask-pages.ts';
import type { Form, PageContext } from './context.ts';
import { enterCodeView, faultView } from './views.ts';

type CodeQuery = { Querystring: { user_code?: string } };

/**
 * The verification pages of the device flow (RFC 8628 section 3.3), in the place of oidc-provider's: there is no browser session, every
 * approval is proved anew, so that no other page and no coding agent can ride on an old sign-in, and `auth_time` is always true.
 */
export function registerDevicePages(app: FastifyInstance, context: PageContext): void {
  const { identity, guard, show } = context;
  const { deviceFlow, verificationUriComplete } = identity.options;
  const path = `${oidcPath}/device`;
  if (!deviceFlow) {
    app.get(path, (_request, reply) => show(reply, switchedOff));
    return;
  }

  app.get<CodeQuery>(path, (request, reply) => {
    const typed = request.query.user_code;
    const isTyped = verificationUriComplete || request.headers['sec-fetch-site'] === 'same-origin';
    if (typeof typed !== 'string' || typed.trim() === '' || !isTyped) return show(reply, enterCodeView());
    const ask = lookUp(context, request, typed);
    if (!ask) return show(reply, enterCodeView(unknownCode), 404);
    return show(reply, askPage(context, { request, reply, ask }));
  });

  app.post<{ Body: Form }>(path, async (request, reply) => {
    const { csrf, user_code: typed = '', ...form } = request.body ?? {};
    guard.check(request, csrf);
    const ask = lookUp(context, request, typed);
    return ask ? decide(context, { request, reply, ask }, form) : show(reply, expired, 410);
  });
}

const unknownCode = 'There is no such code. It may have expired: codes live five minutes and work once.';
const switchedOff = faultView(
  'Sign in from your terminal',
  'This gateway takes no codes.',
  'Run hoop login --browser on the machine that this browser is on.',
);

/** Letters only, as oidc-provider stores them. */
const normalised = (typed: string): string => typed.toUpperCase().replaceAll(/\W/g, '').slice(0, 20);

/** The request behind a typed code; a wrong one counts against the address it was typed at. */
function lookUp({ identity, registry }: PageContext, request: FastifyRequest, typed: string): DeviceAsk | undefined {
  identity.signIn.checkCode(request.ip);
  const userCode = normalised(typed);
  const pending = registry.signIns.pendingDevice(userCode);
  if (pending) return { kind: 'device', userCode, facts: pending['deviceInfo'] as DeviceFacts };
  identity.signIn.wrongCode(request.ip);
  return undefined;
}
