import type { FastifyInstance } from 'fastify';
import { oidcPath } from '../../../shared/api.ts';
import { limits } from '../../../shared/limits.ts';
import type { Ask } from '../ask.ts';
import { Pending } from '../pending.ts';
import { callbackPath, type Upstream } from '../upstream/upstream.ts';
import { approved, askPage, denied, expired, upstreamFailed } from './ask-pages.ts';
import { browserMark } from './browser-mark.ts';
import type { Form, PageContext } from './context.ts';

interface Proved {
  ask: Ask;
  userId: string;
  authTime: number | null;
}

/** The way back from the company's provider: who came back is shown what they approve, and clicks. */
export function registerUpstreamPages(app: FastifyInstance, context: PageContext): void {
  const { identity, registry, guard, show } = context;
  const { upstream } = identity;
  if (!upstream) return;
  const waiting = new Pending<Proved>(() => Date.now(), limits.deviceCodeSeconds * 1000, limits.upstreamSignInsMax);

  app.get(callbackPath, async (request, reply) => {
    try {
      const { ask, user, email, authTime } = await cameBack(upstream, request.url, browserMark(request));
      const secret = waiting.put({ ask, userId: user.id, authTime });
      return await show(
        reply,
        askPage(context, { request, reply, ask }, { proved: { user: user.name, email, secret } }),
      );
    } catch (error) {
      return upstreamFailed(error, { request, reply, show, name: upstream.name });
    }
  });

  app.post<{ Body: Form }>(`${oidcPath}/upstream`, async (request, reply) => {
    const { csrf, proof, decision } = request.body ?? {};
    guard.check(request, csrf);
    const proved = waiting.take(proof);
    const user = proved && registry.users.byId(proved.userId);
    if (!proved || !user || user.disabled) return show(reply, expired, 410);
    const visit = { request, reply, ask: proved.ask };
    if (decision !== 'approve') return denied(context, visit);
    return approved(context, visit, user, proved.authTime);
  });

  async function cameBack(provider: Upstream, url: string, mark: string | undefined) {
    const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
    const { ask, person, authTime } = await provider.finish(query, mark);
    const { user, isNew, changed } = registry.upstreamUsers.signedIn(person);
    if (changed) identity.onRevoked({ kind: 'access' });
    if (isNew) app.log.info({ user: user.name, issuer: person.issuer }, 'a user was made at the first sign-in');
    return { ask, user, email: person.email, authTime };
  }
}
