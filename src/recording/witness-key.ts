import { sha256 } from './digest.ts';
import { keyTypes, verifierKey, type VerifierKey } from './note.ts';

/** The key with which an agent cosigns checkpoints, as a verifier names it: the name says nothing but which key it is. */
export const agentWitnessKey = (publicKey: Buffer): VerifierKey =>
  verifierKey(`hoop-agent/${sha256(publicKey).toString('hex', 0, 8)}`, keyTypes.cosignature, publicKey);
