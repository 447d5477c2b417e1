import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cosign, type NoteSignature, type VerifierKey } from '../recording/note.ts';
import { agentWitnessKey } from '../recording/witness-key.ts';
import { UserError } from '../shared/errors.ts';

export interface AgentKey {
  /** base64url of the 32 raw bytes. */
  publicKey: string;
  /** First start: no key was there before. */
  fresh: boolean;
  /** As verifiers of its cosignatures take it. */
  witness: VerifierKey;
  sign(message: string): string;
  /** A checkpoint's text, as a witness; the name of the key is that of `agentWitnessKey`. */
  cosign(text: string, seconds: number): NoteSignature;
}

/** The key that is there, or undefined. */
export async function existingAgentKey(stateDir: string): Promise<AgentKey | undefined> {
  const pem = await readPem(keyPath(stateDir));
  return pem === undefined ? undefined : agentKey(createPrivateKey(pem), false);
}

const keyPath = (stateDir: string): string => join(stateDir, 'agent-key.pem');

async function readPem(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new UserError('HOOP_CONFIG', `the agent's key ${path} cannot be read`, {
      next: 'make it readable for the agent',
      cause: error,
    });
  });
}

/** The agent's Ed25519 key, made on first start. The join token pins it at the gateway. */
export async function loadAgentKey(stateDir: string): Promise<AgentKey> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const path = keyPath(stateDir);
  const existing = await existingAgentKey(stateDir);
  if (existing) return existing;
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  await chmod(path, 0o600);
  return agentKey(privateKey, true);
}

function agentKey(privateKey: KeyObject, fresh: boolean): AgentKey {
  const raw = createPublicKey(privateKey).export({ format: 'jwk' });
  const witness = agentWitnessKey(Buffer.from(raw.x!, 'base64url'));
  return {
    publicKey: raw.x!,
    fresh,
    witness,
    sign: (message) => sign(null, Buffer.from(message), privateKey).toString('base64url'),
    cosign: (text, seconds) => {
      return cosign(text, seconds, witness.name, privateKey.export({ format: 'jwk' }));
    },
  };
}
