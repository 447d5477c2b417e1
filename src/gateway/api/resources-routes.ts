import type { FastifyInstance } from 'fastify';
import type { Resource } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import type { StoredResource } from '../../store/registry/agents.ts';
import { mayReach } from '../identity/authorise.ts';
import type { Principal } from '../identity/principal.ts';
import { named, principalOf, type ApiContext } from './context.ts';

export function registerResources(app: FastifyInstance, { registry, ports }: ApiContext): void {
  const shown = (
    { name, protocol, agent, address, database, tls, results, sandbox }: StoredResource,
    granted: boolean,
  ): Resource => ({
    name,
    protocol,
    agent,
    online: ports.agents.online(agent) !== undefined,
    address,
    database,
    tls,
    recorded: true,
    results,
    sandbox: sandbox === true,
    witness: ports.agents.witnessKey?.(agent) ?? null,
    granted,
  });
  /** For whom a resource without a grant does not exist. */
  const visible = (principal: Principal, resource: StoredResource): Resource | undefined => {
    const granted = mayReach(registry, principal, resource.name);
    return granted || principal.role !== 'user' ? shown(resource, granted) : undefined;
  };

  app.get('/resources', async (request) => {
    const principal = principalOf(request);
    const all = registry.agents.resources().map((resource) => visible(principal, resource));
    return { resources: all.filter((resource) => resource !== undefined) };
  });

  app.get('/resources/:name', async (request) => {
    const name = named(request, 'name');
    const found = registry.agents.resource(name);
    const resource = found && visible(principalOf(request), found);
    if (resource) return resource;
    throw new UserError('HOOP_NOT_FOUND', `there is no resource ${name.slice(0, 63)}, or you may not reach it`, {
      next: '`hoop resources` lists those you may reach',
    });
  });
}
