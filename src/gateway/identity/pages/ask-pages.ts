import type { FastifyReply, FastifyRequest } from 'fastify';
import { UserError } from '../../../shared/errors.ts';
import type { StoredUser } from '../../../store/registry/users.ts';
import type { Ask } from '../ask.ts';
import { approvalView, approvedView, deniedView, onwardView, type ApprovalFacts } from './approval-view.ts';
import { browserMark, setBrowserMark } from './browser-mark.ts';
import { sentence, type Form, type PageContext } from './context.ts';
import { enterCodeView, faultView, type View } from './views.ts';

export interface Visit {
  request: FastifyRequest;
  reply: FastifyReply;
  ask: Ask;
}

export const expired = faultView(
  'Too late',
  'This code has expired or was answered already.',
  'Run hoop login again and open the new link.',
);

export function askPage(context: PageContext, visit: Visit, more: Partial<ApprovalFacts> = {}): View {
  const { identity, guard } = context;
  return approvalView({
    ask: visit.ask,
    csrf: guard.token(visit.request, visit.reply),
    browserAddress: visit.request.ip,
    localUsers: identity.options.localUsers,
    upstream: identity.upstream?.name,
    ...more,
  });
}

/** What a person chose on the page of an ask; the form's token was checked. */
export async function decide(context: PageContext, visit: Visit, form: Form): Promise<FastifyReply> {
  const { show, identity } = context;
  switch (form['decision']) {
    case 'deny':
      return denied(context, visit);
    case 'upstream':
      return toUpstream(context, visit);
    case 'approve':
      return byPassword(context, visit, form);
    default:
      return show(visit.reply, identity.options.deviceFlow ? enterCodeView() : expired, 400);
  }
}

export async function approved(
  { identity, show }: PageContext,
  { ask, reply }: Visit,
  user: StoredUser,
  authTime: number | null,
): Promise<FastifyReply> {
  const answer = await identity.approve(ask, user, authTime);
  if (answer === false) return show(reply, expired, 410);
  if (answer === true) return show(reply, approvedView(user.name));
  return show(reply, onwardView('Back to your terminal', answer, 'You are signed in; the command line is told now.'));
}

export function denied({ identity, show }: PageContext, { ask, reply }: Visit): FastifyReply {
  const answer = identity.deny(ask);
  if (answer === false) return show(reply, expired, 410);
  if (answer === true) return show(reply, deniedView());
  return show(reply, onwardView('Denied', answer, 'The command line is told that it was not signed in.'));
}

async function byPassword(context: PageContext, visit: Visit, form: Form): Promise<FastifyReply> {
  const { identity, show } = context;
  const { user = '', password = '' } = form;
  try {
    const proved = await identity.signIn.prove({ user, password, address: visit.request.ip });
    return await approved(context, visit, proved, Date.now());
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { ask } = visit;
    if (ask.kind === 'device' && identity.signIn.wrongFor(ask.userCode)) identity.deny(ask);
    const fault = `${sentence(error.message)} ${sentence(error.next ?? '')}`;
    return show(visit.reply, askPage(context, visit, { fault, user }), error.code === 'HOOP_LIMIT' ? 429 : 403);
  }
}

async function toUpstream({ identity, show }: PageContext, { ask, request, reply }: Visit): Promise<FastifyReply> {
  const { upstream, publicUrl } = identity;
  if (!upstream)
    throw new UserError('HOOP_DENIED', 'this gateway knows no other provider', { next: 'use your password' });
  identity.signIn.leaves(request.ip);
  const mark = browserMark(request) ?? setBrowserMark(reply, publicUrl);
  try {
    const to = await upstream.begin(ask, mark);
    return await show(reply, onwardView(`On to ${upstream.name}`, to, 'You prove there who you are, and come back.'));
  } catch (error) {
    return upstreamFailed(error, { request, reply, show, name: upstream.name });
  }
}

interface Failing extends Pick<PageContext, 'show'> {
  request: FastifyRequest;
  reply: FastifyReply;
  name: string;
}

export function upstreamFailed(error: unknown, { request, reply, show, name }: Failing): FastifyReply {
  if (!(error instanceof UserError)) throw error;
  const isAway = error.code === 'HOOP_SIGN_IN';
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  request.log.warn({ provider: name, error: error.message, cause }, 'a sign-in at the upstream provider failed');
  const title = isAway ? `${name} is away` : 'You were not signed in';
  return show(reply, faultView(title, sentence(error.message), sentence(error.next ?? '')), isAway ? 502 : 403);
}
