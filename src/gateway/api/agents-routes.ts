import type { FastifyInstance } from 'fastify';
import { createAgentSchema, type Agent, type AgentCreated } from '../../shared/api.ts';
import type { JoinToken, StoredAgent } from '../../store/registry/agents.ts';
import { requireRole } from '../identity/authorise.ts';
import { administrator, iso, isoOrNull, named, parse, principalOf, type ApiContext } from './context.ts';

export function registerAgents(app: FastifyInstance, context: ApiContext): void {
  const { registry, ports } = context;
  const { agents } = registry;

  const shown = (agent: StoredAgent): Agent => {
    const live = ports.agents.online(agent.name);
    return {
      name: agent.name,
      createdAt: iso(agent.createdAt),
      key: agent.fingerprint,
      online: live !== undefined,
      lastSeenAt: live ? iso(context.clock.nowMicros() / 1000) : isoOrNull(agent.lastSeenAt),
      version: live?.version ?? agent.version,
      resources: agent.resources,
    };
  };
  const created = (name: string, { token, expiresAt }: JoinToken): AgentCreated => ({
    agent: shown(agents.get(name)),
    joinToken: { token, expiresAt: iso(expiresAt) },
  });

  app.get('/agents', async (request) => {
    requireRole(principalOf(request), 'admin', 'auditor');
    return { agents: agents.list().map(shown) };
  });

  app.post('/agents', async (request, reply) => {
    const by = administrator(request, context);
    const { name } = parse(createAgentSchema, request.body);
    const joinToken = agents.create(name);
    await ports.recordAct?.({ act: 'agent-created', by, subject: { agent: name } });
    return reply.code(201).send(created(name, joinToken));
  });

  app.delete('/agents/:name', async (request, reply) => {
    const by = administrator(request, context);
    const name = named(request, 'name');
    agents.remove(name);
    ports.agents.disconnect(name, 'the agent was removed');
    await ports.recordAct?.({ act: 'agent-removed', by, subject: { agent: name } });
    return reply.code(204).send();
  });

  app.post('/agents/:name/join-token', async (request, reply) => {
    const by = administrator(request, context);
    const name = named(request, 'name');
    const joinToken = agents.newJoinToken(name);
    await ports.recordAct?.({ act: 'join-token-made', by, subject: { agent: name } });
    return reply.code(201).send(created(name, joinToken));
  });
}
