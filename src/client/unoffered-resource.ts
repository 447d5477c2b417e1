import { listResources } from './api/resources.ts';
import type { GatewayApi } from './gateway-api.ts';

const namesShownMax = 8;

/** What to tell who names a resource that no agent has ever offered: too early, or mistyped. Undefined for one that is known, and for `*`. */
export async function unofferedResource(api: GatewayApi, resource: string): Promise<string | undefined> {
  if (resource === '*') return undefined;
  const names = (await listResources(api)).resources.map(({ name }) => name);
  if (names.includes(resource)) return undefined;
  const shown = names.slice(0, namesShownMax).join(', ') + (names.length > namesShownMax ? ', …' : '');
  const offered = names.length > 0 ? `there are ${shown}` : 'there is none yet';
  return `no agent has offered a resource ${resource} (${offered}); the grant waits for one. Is the name right?`;
}
