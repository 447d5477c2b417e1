import type { JsonWebKey } from 'node:crypto';
import { keyTypes, publicKeyOf, verifierKey, type VerifierKey } from '../recording/note.ts';

/** The gateway's private Ed25519 key, as the registry keeps it. */
export type GatewayKeyJwk = JsonWebKey & { kid: string };

/** Where the key is kept, and the one that is to replace it (store/registry/keys.ts). */
export interface LogKeyStore {
  readonly gateway: GatewayKeyJwk;
  readonly nextGateway: GatewayKeyJwk | undefined;
  /** The same where there is one already. */
  makeNextGateway(): GatewayKeyJwk;
  dropNextGateway(): void;
  adoptNextGateway(): void;
}

/** The log's origin and the name of its key: random, so that it says nothing, and the same for the life of the data directory. */
export const gatewayLogKey = (jwk: GatewayKeyJwk): VerifierKey =>
  verifierKey(`hoop-gateway/${jwk.kid}`, keyTypes.ed25519, publicKeyOf(jwk));

/** As genesis entries name the key: origin and key id. */
export const gatewayKeyName = ({ name, id }: VerifierKey): string => `${name}+${id.toString('hex')}`;
