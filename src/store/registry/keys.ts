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
  /** Ed25519, private JWK: the gateway's identity in the record. `kid` names the log, and stays when the key is replaced. */
  readonly gateway: JsonWebKey & { kid: string };
  /** The one that is to replace it: made and kept, and has signed nothing yet. */
  readonly nextGateway: (JsonWebKey & { kid: string }) | undefined;
  /** Makes it where there is none. */
  makeNextGateway(): JsonWebKey & { kid: string };
  dropNextGateway(): void;
  /** The next one is the key from now on. */
  adoptNextGateway(): void;
  /** Those that were replaced are in no file of the registry any more when it returns. */
  destroyReplaced(): void;
}

export function openKeys(sql: Sql): GatewayKeys {
  const read = (name: string): string | undefined =>
    sql.get<{ value: string }>('select value from secrets where name = ?', name)?.value;
  const kept = (name: string, make: () => string): string =>
    sql.transaction(() => {
      const found = read(name);
      if (found !== undefined) return found;
      const value = make();
      sql.run('insert into secrets (name, value) values (?, ?)', name, value);
      return value;
    });
  // Not a spread: that would read the keys once, and for ever.
  return Object.assign(gatewayKey(sql, { read, kept }), {
    signing: JSON.parse(kept('signing', () => JSON.stringify(newKey('ec')))) as GatewayKeys['signing'],
    cookie: kept('cookie', () => randomBytes(32).toString('base64url')),
    credentialKey: Buffer.from(
      kept('credential', () => randomBytes(32).toString('base64url')),
      'base64url',
    ),
  });
}

type SecretRows = { read: (name: string) => string | undefined; kept: (name: string, make: () => string) => string };

function gatewayKey(sql: Sql, { read, kept }: SecretRows): Omit<GatewayKeys, 'signing' | 'cookie' | 'credentialKey'> {
  const parsed = (text: string) => JSON.parse(text) as GatewayKeys['gateway'];
  const dropNextGateway = () => void sql.run('delete from secrets where name = ?', nextName);
  kept('gateway', () => JSON.stringify(newKey('ed25519')));
  return {
    get gateway() {
      return parsed(read('gateway')!);
    },
    get nextGateway() {
      const text = read(nextName);
      return text === undefined ? undefined : parsed(text);
    },
    makeNextGateway() {
      const { kid } = parsed(read('gateway')!);
      return parsed(kept(nextName, () => JSON.stringify({ ...newKey('ed25519'), kid })));
    },
    dropNextGateway,
    adoptNextGateway() {
      sql.transaction(() => {
        sql.run('update secrets set value = ? where name = ?', read(nextName) ?? null, 'gateway');
        dropNextGateway();
      });
    },
    destroyReplaced: () => sql.settle(),
  };
}

const nextName = 'gateway-next';

function newKey(type: 'ec' | 'ed25519'): JsonWebKey & { kid: string } {
  const { privateKey } =
    type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return { ...privateKey.export({ format: 'jwk' }), kid: randomBytes(8).toString('hex') };
}
