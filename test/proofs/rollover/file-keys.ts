import { generateKeyPairSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayKeyJwk, LogKeyStore } from '../../../src/gateway/log-key.ts';

interface Kept {
  gateway: GatewayKeyJwk;
  next?: GatewayKeyJwk | undefined;
}

/**
 * The log's keys in a file, each change whole and durable when it returns: what the registry promises by SQLite's transactions, written so
 * that the shim between program and disk sees it.
 */
export function fileKeys(dataDir: string): LogKeyStore {
  const path = join(dataDir, 'keys.json');
  const write = (kept: Kept): void => {
    const file = openSync(`${path}.tmp`, 'w');
    writeSync(file, JSON.stringify(kept), 0);
    fsyncSync(file);
    closeSync(file);
    renameSync(`${path}.tmp`, path);
    const folder = openSync(dataDir, 'r');
    fsyncSync(folder);
    closeSync(folder);
  };
  const read = (): Kept => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Kept;
    } catch {
      write({ gateway: newKey('0123456789abcdef') });
      return read();
    }
  };
  return {
    get gateway() {
      return read().gateway;
    },
    get nextGateway() {
      return read().next;
    },
    makeNextGateway() {
      const { gateway, next = newKey(gateway.kid) } = read();
      write({ gateway, next });
      return next;
    },
    dropNextGateway: () => write({ gateway: read().gateway }),
    adoptNextGateway: () => write({ gateway: read().next! }),
  };
}

const newKey = (kid: string): GatewayKeyJwk => ({
  ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
  kid,
});
