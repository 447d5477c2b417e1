import type { FastifyInstance } from 'fastify';
import { createUserSchema, updateUserSchema, type User, type UserCreated } from '../../shared/api.ts';
import type { StoredUser } from '../../store/registry/users.ts';
import { requireRole } from '../identity/authorise.ts';
import { hashPassword } from '../identity/password.ts';
import { administrator, iso, named, parse, principalOf, type ApiContext } from './context.ts';

export function registerUsers(app: FastifyInstance, context: ApiContext): void {
  const { registry, identity, ports } = context;
  const { users } = registry;

  const invitation = (user: StoredUser): NonNullable<UserCreated['invitation']> => {
    const { secret, expiresAt } = registry.invitations.issue(user.id);
    return { url: `${identity.publicUrl}/invite?token=${secret}`, expiresAt: iso(expiresAt) };
  };

  app.get('/users', async (request) => {
    requireRole(principalOf(request), 'admin', 'auditor');
    return { users: users.list().map(shown) };
  });

  app.post('/users', async (request, reply) => {
    const by = administrator(request, context);
    const { password, ...wanted } = parse(createUserSchema, request.body);
    const hash = password === undefined ? {} : { passwordHash: await hashPassword(password) };
    const user = users.create({ ...wanted, ...hash });
    await ports.recordAct?.({ act: 'user-created', by, subject: { user: user.name, role: user.role } });
    const created: UserCreated = {
      user: shown(user),
      ...(password === undefined ? { invitation: invitation(user) } : {}),
    };
    return reply.code(201).send(created);
  });

  app.patch('/users/:name', async (request) => {
    const by = administrator(request, context);
    const user = users.get(named(request, 'name'));
    const change = parse(updateUserSchema, request.body);
    users.update(user.id, change);
    if (change.disabled === true) identity.revokeUser(user);
    else if (change.groups !== undefined) identity.onRevoked({ kind: 'access' });
    await ports.recordAct?.({ act: 'user-changed', by, subject: { user: user.name } });
    return shown(users.get(user.name));
  });

  app.delete('/users/:name', async (request, reply) => {
    const by = administrator(request, context);
    const user = users.get(named(request, 'name'));
    users.remove(user.id);
    identity.revokeUser(user);
    await ports.recordAct?.({ act: 'user-deleted', by, subject: { user: user.name } });
    return reply.code(204).send();
  });

  app.post('/users/:name/invitation', async (request, reply) => {
    const by = administrator(request, context);
    const user = users.get(named(request, 'name'));
    const made = invitation(user);
    await ports.recordAct?.({ act: 'user-invited', by, subject: { user: user.name } });
    return reply.code(201).send(made);
  });
}

const shown = ({ name, role, groups, createdAt, active, disabled }: StoredUser): User => ({
  name,
  role,
  groups,
  createdAt: iso(createdAt),
  active,
  disabled,
});
