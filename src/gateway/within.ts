import { UserError } from '../shared/errors.ts';
import type { Registry } from '../store/registry.ts';
import { connectInProcess, type GatewayWithin } from '../tunnel/in-process.ts';
import type { AgentLinks } from './agent-links.ts';
import type { RecordAct } from './recordings.ts';

/** The agent in the gateway's own process, where its key is not pinned to another name already. */
const colocatedAgent = 'colocated';

interface WithinParts {
  url: string;
  links: AgentLinks;
  agents: Registry['agents'];
  recordAct: RecordAct;
  stopping: AbortSignal;
}

/** What an agent in this process has in the place of the gateway's address. */
export function gatewayWithin({ url, links, agents, recordAct, stopping }: WithinParts): GatewayWithin {
  return {
    url,
    stopping,
    async join(publicKey) {
      if (agents.agentByKey(publicKey) !== undefined) return undefined;
      const known = agents.list().find(({ name }) => name === colocatedAgent);
      if (known && known.fingerprint !== null) throw hasAnotherKey(known.fingerprint);
      // There without a key: a run that ended before it had joined.
      const { token } = known ? agents.newJoinToken(colocatedAgent) : agents.create(colocatedAgent);
      const act = known ? 'join-token-made' : 'agent-created';
      await recordAct({ act, by: 'gateway', via: 'start', subject: { agent: colocatedAgent } });
      return token;
    },
    link() {
      const { dialled, accepted } = connectInProcess();
      void links.accept(accepted, { colocated: true });
      return dialled;
    },
    get served() {
      return [...(links.colocated?.resources.keys() ?? [])];
    },
  };
}

const hasAnotherKey = (fingerprint: string) =>
  new UserError('HOOP_EXISTS', `the agent ${colocatedAgent} is pinned to another key, ${fingerprint}`, {
    next: `put that key back into the agent’s stateDir, or start without --agent, run \`hoop agents remove ${colocatedAgent}\` and start again`,
  });
