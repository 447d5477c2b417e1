import { UserError } from '../shared/errors.ts';
import { listGrants } from './api/grants.ts';
import type { GatewayApi } from './gateway-api.ts';

export interface GrantChoice {
  id?: string | undefined;
  user?: string | undefined;
  group?: string | undefined;
  resource?: string | undefined;
}

/** The id of the grant that is meant: given, or found by who and what. */
export async function findGrant(api: GatewayApi, choice: GrantChoice): Promise<string> {
  const { id, user, group, resource } = choice;
  const byName = resource !== undefined && (user !== undefined || group !== undefined);
  const anyName = resource !== undefined || user !== undefined || group !== undefined;
  if (id !== undefined && !anyName) return id;
  if (id !== undefined || !byName)
    throw new UserError('HOOP_USAGE', 'which grant is not clear', {
      next: 'give its id alone, or --resource with --user or --group',
    });
  const { grants } = await listGrants(api, { resource });
  const found = grants.find((grant) => grant.resource === resource && grant.user === user && grant.group === group);
  if (found) return found.id;
  throw new UserError('HOOP_NOT_FOUND', `${user ?? `group ${group}`} has no grant of its own for ${resource}`, {
    next: 'see: hoop grants list',
  });
}
