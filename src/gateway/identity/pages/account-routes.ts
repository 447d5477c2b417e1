import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createUserSchema } from '../../../shared/api.ts';
import { hashPassword } from '../password.ts';
import type { Form, PageContext } from './context.ts';
import { faultView, invitationView, passwordSetView, setUpView, type PasswordFacts } from './views.ts';

const used = faultView(
  'This link does not work',
  'It was used already, has expired, or was replaced by a newer one.',
  'Ask your administrator for a new one. The administrator of a new gateway finds it where the gateway was started.',
);

/** Set-up (the first administrator) and invitation: one-time links, burnt by POST only, because mail scanners follow links. */
export function registerAccountPages(app: FastifyInstance, context: PageContext): void {
  registerSetUp(app, context);
  registerInvitation(app, context);
}

function registerSetUp(app: FastifyInstance, { registry, identity, guard, show }: PageContext): void {
  const isOpen = (code: string | undefined): code is string =>
    registry.users.isEmpty() && code !== undefined && registry.invitations.look(code)?.userId === null;

  app.get<{ Querystring: { code?: string } }>('/setup', (request, reply) => {
    const code = secretFrom(request, request.query.code, identity);
    if (!isOpen(code)) return wrong(request, identity, () => show(reply, used, 410));
    return show(reply, setUpView({ ...setUp, secret: code, csrf: guard.token(request, reply) }));
  });

  app.post<{ Body: Form }>('/setup', async (request, reply) => {
    const { csrf, user = '', ...form } = request.body ?? {};
    guard.check(request, csrf);
    const code = secretFrom(request, form['code'], identity);
    if (!isOpen(code)) return wrong(request, identity, () => show(reply, used, 410));
    const name = createUserSchema.shape.name.safeParse(user.trim());
    const fault = name.success ? passwordFault(form) : `The name ${name.error.issues[0]?.message ?? 'is not valid'}.`;
    if (fault !== undefined || !name.success) {
      const faulty = { fault, isNameAtFault: !name.success, chosen: user };
      const csrfToken = guard.token(request, reply);
      return show(reply, setUpView({ ...setUp, secret: code, csrf: csrfToken, ...faulty }), 400);
    }
    const passwordHash = await hashPassword(form['password'] ?? '');
    const made = registry.transaction(() => {
      if (!isOpen(code) || !registry.invitations.burn(code)) return false;
      registry.users.create({ name: name.data, role: 'admin', groups: [], passwordHash });
      return true;
    });
    if (!made) return show(reply, used, 410);
    request.log.info({ user: name.data }, 'the first administrator was made');
    return show(reply, passwordSetView(name.data, identity.publicUrl));
  });
}

const setUp = { action: '/setup', secretName: 'code' } as const satisfies Partial<PasswordFacts>;
const invitation = { action: '/invite', secretName: 'token' } as const satisfies Partial<PasswordFacts>;

function registerInvitation(app: FastifyInstance, { registry, identity, guard, show }: PageContext): void {
  const invited = (token: string | undefined) => {
    const userId = token === undefined ? undefined : registry.invitations.look(token)?.userId;
    const user = userId ? registry.users.byId(userId) : undefined;
    return user?.disabled ? undefined : user;
  };

  app.get<{ Querystring: { token?: string } }>('/invite', (request, reply) => {
    const token = secretFrom(request, request.query.token, identity);
    const user = invited(token);
    if (!user || token === undefined) return wrong(request, identity, () => show(reply, used, 410));
    const csrf = guard.token(request, reply);
    return show(reply, invitationView({ ...invitation, secret: token, csrf, user: user.name }));
  });

  app.post<{ Body: Form }>('/invite', async (request, reply) => {
    const { csrf, ...form } = request.body ?? {};
    guard.check(request, csrf);
    const token = secretFrom(request, form['token'], identity);
    const user = invited(token);
    if (!user || token === undefined) return wrong(request, identity, () => show(reply, used, 410));
    const fault = passwordFault(form);
    if (fault !== undefined) {
      const csrfToken = guard.token(request, reply);
      return show(
        reply,
        invitationView({ ...invitation, secret: token, csrf: csrfToken, fault, user: user.name }),
        400,
      );
    }
    const passwordHash = await hashPassword(form['password'] ?? '');
    const set = registry.transaction(() => {
      if (!invited(token) || !registry.invitations.burn(token)) return false;
      registry.users.setPasswordHash(user.id, passwordHash);
      return true;
    });
    if (!set) return show(reply, used, 410);
    // A new password ends what the old one opened.
    identity.revokeUser(user);
    return show(reply, passwordSetView(user.name, identity.publicUrl));
  });
}

/** One-time secrets are 256 bits; the limit is against noise, not for lack of bits. */
function secretFrom(request: FastifyRequest, given: unknown, { signIn }: PageContext['identity']): string | undefined {
  signIn.checkCode(request.ip);
  return typeof given === 'string' && given.length > 0 && given.length <= 200 ? given : undefined;
}

function wrong<Shown>(request: FastifyRequest, { signIn }: PageContext['identity'], show: () => Shown): Shown {
  signIn.wrongCode(request.ip);
  return show();
}

function passwordFault({ password = '', again = '' }: Form): string | undefined {
  const fault = createUserSchema.shape.password.safeParse(password).error?.issues[0]?.message;
  if (fault !== undefined) return `The password ${fault}.`;
  return password === again ? undefined : 'The two passwords differ.';
}
