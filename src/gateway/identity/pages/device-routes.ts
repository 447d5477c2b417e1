import type { FastifyInstance, FastifyRequest } from 'fastify';
import { oidcPath } from '../../../shared/api.ts';
import { UserError } from '../../../shared/errors.ts';
import type { DeviceFacts } from '../provider-configuration.ts';
import { sentence, type Form, type PageContext } from './context.ts';
import { approvalView, approvedView, deniedView, enterCodeView, faultView, type ApprovalFacts } from './views.ts';

type CodeQuery = { Querystring: { user_code?: string } };

/**
 * The verification pages of the device flow (RFC 8628 section 3.3), in the place of oidc-provider's: there is no browser session, every
 * approval takes a password, so that no other page and no coding agent can ride on an old sign-in, and `auth_time` is always true.
 */
export function registerDevicePages(app: FastifyInstance, context: PageContext): void {
  const { identity, guard, show } = context;
  const path = `${oidcPath}/device`;

  app.get<CodeQuery>(path, (request, reply) => {
    const typed = request.query.user_code;
    if (typeof typed !== 'string' || typed.trim() === '') return show(reply, enterCodeView());
    const facts = lookUp(context, request, typed);
    if (!facts) return show(reply, enterCodeView(unknownCode), 404);
    return show(reply, approvalView({ ...facts, csrf: guard.token(request, reply) }));
  });

  app.post<{ Body: Form }>(path, async (request, reply) => {
    const { csrf, user_code: typed = '', user = '', password = '', decision } = request.body ?? {};
    guard.check(request, csrf);
    const facts = lookUp(context, request, typed);
    if (!facts) return show(reply, expired, 410);
    const code = normalised(typed);
    if (decision === 'deny') return identity.denyDevice(code) ? show(reply, deniedView()) : show(reply, expired, 410);
    if (decision !== 'approve') return show(reply, enterCodeView(), 400);
    try {
      const proved = await identity.signIn.prove({ user, password, address: request.ip });
      const approved = await identity.approveDevice(code, proved, Date.now());
      if (!approved) return show(reply, expired, 410);
      return show(reply, approvedView(proved.name));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const fault = `${sentence(error.message)} ${sentence(error.next ?? '')}`;
      const view = approvalView({ ...facts, csrf: guard.token(request, reply), fault, user });
      return show(reply, view, error.code === 'HOOP_LIMIT' ? 429 : 403);
    }
  });
}

const unknownCode = 'There is no such code. It may have expired: codes live five minutes and work once.';
const expired = faultView(
  'Too late',
  'This code has expired or was answered already.',
  'Run hoop login again and open the new link.',
);

/** Letters only, as oidc-provider stores them. */
const normalised = (typed: string): string => typed.toUpperCase().replaceAll(/\W/g, '').slice(0, 20);

/** The request behind a typed code; a wrong one counts against the address it was typed at. */
function lookUp(
  { identity, registry }: PageContext,
  request: FastifyRequest,
  typed: string,
): Omit<ApprovalFacts, 'csrf'> | undefined {
  identity.signIn.checkCode(request.ip);
  const code = normalised(typed);
  const pending = registry.signIns.pendingDevice(code);
  if (!pending) {
    identity.signIn.wrongCode(request.ip);
    return undefined;
  }
  return { userCode: `${code.slice(0, 4)}-${code.slice(4)}`, ...(pending['deviceInfo'] as DeviceFacts) };
}
