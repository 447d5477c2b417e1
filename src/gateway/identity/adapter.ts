import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { SignIns } from '../../store/registry/sign-ins.ts';

/** oidc-provider's storage, in the registry (docs/decisions/0003). Sessions and interactions are never made: see docs/decisions/0073. */
export function createAdapter(signIns: SignIns): (model: string) => Adapter {
  return (model) => ({
    async upsert(id, payload, expiresIn) {
      signIns.save(model, id, payload as Record<string, unknown>, expiresIn);
    },
    find: async (id) => signIns.find(model, id) as AdapterPayload | undefined,
    // Both are the browser's way in, which is not oidc-provider's here.
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
    async consume(id) {
      signIns.consume(model, id);
    },
    async destroy(id) {
      signIns.remove(model, id);
    },
    async revokeByGrantId(grantId) {
      signIns.revokeGrant(grantId);
    },
  });
}
