import { generateKeyPairSync, randomBytes, type JsonWebKey } from 'node:crypto';
import type { Sql } from './sql.ts';

/** The gateway's own keys: made once, on first start, and kept with the registry (back it up, and keep the backup secret). */
export interface GatewayKeys {
  /** Signs ID tokens (P-256, private JWK). */
  signing: JsonWebKey & { kid: string };
  /** Signs form tokens and the OAuth server's cookies. */
  cookie: string;
  /** Root of the local credentials (`localPassword`). */
  credentialKey: Uint8Array;
  /** Ed25519, private JWK: the gateway's identity in the record. */
  gateway: JsonWebKey & { kid: string };
}

export function openKeys(sql: Sql): GatewayKeys {
  const kept = (name: string, make: () => string): string =>
    sql.transaction(() => {
      const row = sql.get<{ value: string }>('select value from secrets where name = ?', name);
      if (row) return row.value;
      const value = make();
      sql.run('insert into secrets (name, value) values (?, ?)', name, value);
      return value;
    });
  return {
    signing: JSON.parse(kept('signing', () => JSON.stringify(newKey('ec')))) as GatewayKeys['signing'],
    cookie: kept('cookie', () => randomBytes(32).toString('base64url')),
    credentialKey: Buffer.from(
      kept('credential', () => randomBytes(32).toString('base64url')),
      'base64url',
    ),
    gateway: JSON.parse(kept('gateway', () => JSON.stringify(newKey('ed25519')))) as GatewayKeys['gateway'],
  };
}

function newKey(type: 'ec' | 'ed25519'): JsonWebKey & { kid: string } {
  const { privateKey } =
    type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return { ...privateKey.export({ format: 'jwk' }), kid: randomBytes(8).toString('hex') };
}
