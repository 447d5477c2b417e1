import type { Duplex } from '../../shared/duplex.ts';
import { StreamReset } from '../../shared/duplex.ts';
import { ProtocolError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { ByteReader } from '../byte-reader.ts';
import type { Admission, Frontend, FrontendContext, LocalCredential } from '../protocol.ts';
import { LoginReader } from './login-reader.ts';
import {
  backendType,
  bytesOf,
  cstring,
  encodeErrorResponse,
  encodeMessage,
  frontendType,
  headerBytes,
  int32,
  textOf,
} from './messages.ts';
import { iterationsMin, makeVerifier, startServer, type Verifier } from './scram.ts';
import { sqlStateOf } from './sql-state.ts';
import { parseStartupPacket, protocol30, protocol32, startupLength, type StartupPacket } from './startup.ts';

type StartupMessage = Extract<StartupPacket, { kind: 'startup' }>;

/** Gateway side of the login: SSLRequest → N (the tunnel is encrypted already), SCRAM-SHA-256 with the session's credential. */
export const frontend: Frontend = {
  async admit(client, context) {
    const reader = new LoginReader(client, limits.controlBytesMax);
    try {
      return await admit(client, reader, context);
    } catch (error) {
      if (error instanceof StreamReset) return { kind: 'gone' };
      if (!(error instanceof ProtocolError)) throw error;
      return refuse(client, { code: '08P01', reason: error.reason, message: error.message });
    }
  },

  async refuse(client, code, message) {
    const reader = new LoginReader(client, limits.controlBytesMax);
    try {
      const start = await readStartup(client, reader);
      if (typeof start !== 'string' && start.kind === 'startup')
        await client.write(encodeErrorResponse({ severity: 'FATAL', code: sqlStateOf(code), message }));
    } catch {
      // Whoever cannot say hello cannot be told anything either.
    }
    client.end();
  },
};

async function admit(client: Duplex, reader: LoginReader, context: FrontendContext): Promise<Admission> {
  const start = await readStartup(client, reader);
  if (start === 'gone') return { kind: 'gone' };
  if (start === 'http') return refuseHttp(client);
  if (start === 'direct-tls')
    return {
      kind: 'refused',
      reason: 'direct-tls',
      message: 'TLS was begun at once; the local port speaks plain PostgreSQL (sslmode=disable or prefer)',
    };
  if (start.kind === 'cancel') return start;
  if (start.kind !== 'startup')
    throw new ProtocolError('bad-startup', 'an encryption request where a StartupMessage belongs');
  const version = await negotiate(client, start);
  const wrong = wrongTarget(start, context.credential);
  if (!(await provesPassword(client, reader, { context, isKnown: wrong?.reason !== 'wrong-user' }))) {
    const message = `hoop: password authentication failed for user "${start.user}"; use the credential that hoop connect printed for this session`;
    return refuse(
      client,
      wrong?.reason === 'wrong-user' ? wrong : { code: '28P01', reason: 'wrong-password', message },
    );
  }
  if (wrong) return refuse(client, wrong);
  return {
    kind: 'admitted',
    startup: { parameters: start.parameters },
    leftover: reader.leftover,
    clientVersion: `3.${version & 0xffff}`,
    cancelKeyBytes: version === protocol32 ? 36 : 8,
    greet,
  };
}

function greet(greeting: Uint8Array, cancelKey: Uint8Array): Uint8Array {
  const key = encodeMessage(backendType.backendKeyData, cancelKey);
  // ReadyForQuery is the last message of the greeting; the key belongs before it.
  const ready = greeting.subarray(greeting.length - headerBytes - 1);
  const parameters = greeting.subarray(0, greeting.length - headerBytes - 1);
  return Buffer.concat([encodeMessage(backendType.authentication, int32(0)), parameters, key, ready]);
}

type Start = StartupPacket | 'gone' | 'http' | 'direct-tls';

/** Answers encryption requests with N, at most once each and with nothing behind them; gives the packet that follows. */
async function readStartup(client: Duplex, reader: LoginReader): Promise<Start> {
  const asked = new Set<string>();
  for (;;) {
    const first = await reader.peek();
    if (first === null) return 'gone';
    if (first === 0x16) return 'direct-tls';
    if (first >= 0x41 && first <= 0x5a) return 'http'; // GET, POST, …: a startup packet begins with a zero byte
    const header = (await reader.bytes(4))!;
    const body = await reader.bytes(startupLength(header) - 4);
    if (!body) throw new ProtocolError('truncated', 'the connection ended inside the login');
    const packet = parseStartupPacket(Buffer.concat([header, body]));
    if (packet.kind !== 'ssl' && packet.kind !== 'gss') return packet;
    if (asked.has(packet.kind)) throw new ProtocolError('bad-startup', 'the same encryption request twice');
    // Bytes that wait behind it were sent before the answer (CVE-2021-23214).
    if (reader.leftover.length > 0)
      throw new ProtocolError('bytes-behind-request', 'bytes behind an encryption request');
    asked.add(packet.kind);
    await client.write(bytesOf('N'));
  }
}

/** 3.0 and 3.2 are spoken; anything newer (libpq sends 3.9999 on purpose) and unknown extensions are negotiated down. */
async function negotiate(client: Duplex, { version, extensions }: StartupMessage): Promise<number> {
  const spoken = version >= protocol32 ? protocol32 : protocol30;
  if (spoken === version && extensions.length === 0) return spoken;
  const names = extensions.flatMap((name) => cstring(bytesOf(name)));
  await client.write(
    encodeMessage(backendType.negotiateProtocolVersion, int32(spoken), int32(extensions.length), ...names),
  );
  return spoken;
}

function wrongTarget({ user, database }: StartupMessage, credential: LocalCredential) {
  if (user !== credential.user) {
    const message = `hoop: this port is for the user "${credential.user}"; "${user}" belongs to nobody here (the resource's own user stays with the agent)`;
    return { code: '28000', reason: 'wrong-user', message };
  }
  if (database !== credential.database) {
    const message = `hoop: this session reaches the database "${credential.database}"; for "${database}" connect the resource that has it`;
    return { code: '3D000', reason: 'wrong-database', message };
  }
  return undefined;
}

const verifiers = new WeakMap<LocalCredential, Promise<Verifier>>();

/** The exchange runs to its end for unknown users too, so that its course and time say nothing. */
async function provesPassword(
  client: Duplex,
  reader: LoginReader,
  { context, isKnown }: { context: FrontendContext; isKnown: boolean },
): Promise<boolean> {
  const { credential, randomBytes } = context;
  let verifier = verifiers.get(credential);
  if (!verifier) {
    verifier = makeVerifier(credential.password, randomBytes(16), iterationsMin);
    verifiers.set(credential, verifier);
  }
  await client.write(encodeMessage(backendType.authentication, int32(10), bytesOf('SCRAM-SHA-256\0\0')));
  const clientFirst = initialResponse(await password(reader));
  const exchange = startServer(clientFirst, await verifier, Buffer.from(randomBytes(18)).toString('base64'));
  await client.write(encodeMessage(backendType.authentication, int32(11), bytesOf(exchange.serverFirst)));
  const serverFinal = exchange.finish(textOf(await password(reader)));
  if (serverFinal === undefined || !isKnown) return false;
  await client.write(encodeMessage(backendType.authentication, int32(12), bytesOf(serverFinal)));
  return true;
}

/** SASLInitialResponse: the mechanism, and the client-first message with its length. */
function initialResponse(body: Uint8Array): string {
  const fields = new ByteReader(body);
  const mechanism = textOf(fields.cstring());
  const clientFirst = fields.bytes(fields.int32());
  fields.done();
  if (mechanism !== 'SCRAM-SHA-256') throw new ProtocolError('scram', 'a SASL mechanism that was not offered');
  return textOf(clientFirst);
}

async function password(reader: LoginReader): Promise<Uint8Array> {
  const message = await reader.message(limits.startupBytesMax, frontendType.password);
  if (!message) throw new StreamReset('the client went away during the login');
  return message.body;
}

async function refuse(
  client: Duplex,
  { code, reason, message }: { code: string; reason: string; message: string },
): Promise<Admission> {
  await client.write(encodeErrorResponse({ severity: 'FATAL', code, message })).catch(() => undefined);
  return { kind: 'refused', reason, message };
}

async function refuseHttp(client: Duplex): Promise<Admission> {
  const body = 'This is a PostgreSQL port of hoop, not a web server. Connect with psql or a driver.\n';
  const answer = `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
  await client.write(bytesOf(answer)).catch(() => undefined);
  return { kind: 'refused', reason: 'http', message: 'an HTTP request on a PostgreSQL port' };
}
