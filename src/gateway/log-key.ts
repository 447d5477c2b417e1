import type { JsonWebKey } from 'node:crypto';
import { keyTypes, publicKeyOf, verifierKey, type VerifierKey } from '../recording/note.ts';

/** The gateway's private Ed25519 key, as the registry keeps it. */
export type GatewayKeyJwk = JsonWebKey & { kid: string };

/** The log's origin and the name of its key: random, so that it says nothing, and the same for the life of the data directory. */
export const gatewayLogKey = (jwk: GatewayKeyJwk): VerifierKey =>
  verifierKey(`hoop-gateway/${jwk.kid}`, keyTypes.ed25519, publicKeyOf(jwk));

/** As genesis entries name the key: origin and key id. */
export const gatewayKeyName = (jwk: GatewayKeyJwk): string => {
  const { name, id } = gatewayLogKey(jwk);
  return `${name}+${id.toString('hex')}`;
};
