import type { BackendCredentials, TlsMode } from '../../protocol/protocol.ts';
import { protocolNamed } from '../../protocol/registry.ts';
import { UserError } from '../../shared/errors.ts';

/** A server that is reached without the gateway. */
export interface DsnTarget {
  protocol: string;
  /** `host:port`, or the absolute path of a unix socket. */
  address: string;
  database: string;
  credentials: BackendCredentials;
  tls: { mode: TlsMode; ca?: string };
}

const schemes: Record<string, { protocol: string; mode: TlsMode }> = {
  'postgres:': { protocol: 'postgres', mode: 'prefer' },
  'postgresql:': { protocol: 'postgres', mode: 'prefer' },
  'redis:': { protocol: 'redis', mode: 'disable' },
  'rediss:': { protocol: 'redis', mode: 'verify-full' },
};
const modes: readonly TlsMode[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'];

export const isDsn = (target: string): boolean => target.includes('://');

/** Parsed into parts: nothing of it enters a connection string again. Throws HOOP_USAGE, without quoting the password. */
export function parseDsn(dsn: string, environment: NodeJS.ProcessEnv): DsnTarget {
  const url = URL.canParse(dsn) ? new URL(dsn) : undefined;
  const scheme = url && schemes[url.protocol];
  if (!url || !scheme) throw malformed('it is no postgres:// or redis:// address');
  const { protocol } = scheme;
  const user = decoded(url.username) || (protocol === 'redis' ? 'default' : 'postgres');
  const secret = environment[protocol === 'redis' ? 'REDISCLI_AUTH' : 'PGPASSWORD'];
  const database = decoded(url.pathname.slice(1)) || (protocol === 'redis' ? '0' : user);
  const ca = url.searchParams.get('sslrootcert');
  return {
    protocol,
    address: addressOf(url, protocol),
    database,
    credentials: { user, password: decoded(url.password) || secret, database },
    tls: { mode: modeOf(url, scheme.mode), ...(ca && { ca }) },
  };
}

/** `postgres:///orders?host=/run/postgresql&port=5432` is a unix socket, as libpq has it. */
function addressOf(url: URL, protocol: string): string {
  const host = url.searchParams.get('host') ?? url.hostname;
  const port = url.port || url.searchParams.get('port') || String(protocolNamed(protocol)!.defaultPort);
  if (host.startsWith('/')) return protocol === 'postgres' ? `${host}/.s.PGSQL.${port}` : host;
  if (host === '') throw malformed('it names no host');
  return `${host}:${port}`;
}

function modeOf(url: URL, usual: TlsMode): TlsMode {
  const given = url.searchParams.get('sslmode');
  if (given === null) return usual;
  const mode = modes.find((one) => one === given);
  if (mode) return mode;
  throw malformed(`sslmode is none of ${modes.join(', ')}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw malformed('a % in it begins no encoded character');
  }
}

const malformed = (why: string): UserError =>
  new UserError('HOOP_USAGE', `the DSN after --into is not understood: ${why}`, {
    next: 'give postgres://user@host:port/database (the password may stand in PGPASSWORD), or the name of a resource',
  });
