import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cosign, type NoteSignature } from '../recording/note.ts';
import { agentWitnessKey } from '../recording/witness-key.ts';
import { UserError } from '../shared/errors.ts';

export interface AgentKey {
  /** base64url of the 32 raw bytes. */
  publicKey: string;
  /** First start: no key was there before. */
  fresh: boolean;
  sign(message: string): string;
  /** A checkpoint's text, as a witness; the name of the key is that of `agentWitnessKey`. */
  cosign(text: string, seconds: number): NoteSignature;
}

/** The agent's Ed25519 key, made on first start. The join token pins it at the gateway. */
export async function loadAgentKey(stateDir: string): Promise<AgentKey> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, 'agent-key.pem');
  const pem = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new UserError('HOOP_CONFIG', `the agent's key ${path} cannot be read`, {
      next: 'make it readable for the agent',
      cause: error,
    });
  });
  if (pem !== undefined) return agentKey(createPrivateKey(pem), false);
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  await chmod(path, 0o600);
  return agentKey(privateKey, true);
}

function agentKey(privateKey: KeyObject, fresh: boolean): AgentKey {
  const raw = createPublicKey(privateKey).export({ format: 'jwk' });
  return {
    publicKey: raw.x!,
    fresh,
    sign: (message) => sign(null, Buffer.from(message), privateKey).toString('base64url'),
    cosign: (text, seconds) => {
      const { name } = agentWitnessKey(Buffer.from(raw.x!, 'base64url'));
      return cosign(text, seconds, name, privateKey.export({ format: 'jwk' }));
    },
  };
}
