import { createHash } from 'node:crypto';
import { StreamReset } from '../../shared/duplex.ts';
import { ProtocolError, UserError } from '../../shared/errors.ts';
import type { Backend, BackendContext, BackendReady, Transport } from '../protocol.ts';
import { LoginReader, type LoginMessage } from './login-reader.ts';
import {
  backendType,
  bytesOf,
  cstring,
  decodeFields,
  decodeParameterStatus,
  decodeReadyForQuery,
  encodeMessage,
  frontendType,
  int32,
  textOf,
} from './messages.ts';
import { certificateBinding } from './channel-binding.ts';
import { startClient } from './scram.ts';
import { encodeCancelRequest, encodeSslRequest, encodeStartup } from './startup.ts';
import { ByteReader } from '../byte-reader.ts';

/** A server that says more than this before it is ready is not one. */
const loginBytesMax = 1024 * 1024;
const messageBytesMax = 64 * 1024;

/** Agent side of the login: libpq's TLS modes, SCRAM-SHA-256 (with channel binding under TLS), md5, cleartext only inside TLS. */
export const backend: Backend = {
  async connect(context) {
    let transport: Transport | undefined;
    try {
      transport = await openTransport(context);
      return await logIn(transport, context);
    } catch (error) {
      transport?.reset('the login failed');
      if (error instanceof ProtocolError)
        throw unreachable(`the resource does not speak PostgreSQL as expected: ${error.message}`);
      if (error instanceof StreamReset) throw unreachable(`the connection broke during the login: ${error.message}`);
      throw error;
    }
  },
};

/** `prefer` goes on in plain text when the server has no TLS; the stricter modes do not. */
async function openTransport({ dial, tlsMode }: BackendContext): Promise<Transport> {
  const transport = await dial();
  if (tlsMode === 'disable') return transport;
  try {
    await transport.write(encodeSslRequest());
    const answer = await transport.read();
    // More than the one byte would be plaintext slipped in before the TLS handshake (CVE-2021-23222).
    if (answer?.length !== 1) throw unreachable('the resource did not answer the TLS request with one byte');
    if (answer[0] === 0x53) {
      await transport.startTls({ alpn: 'postgresql' });
      return transport;
    }
    if (answer[0] !== 0x4e) throw unreachable('the resource answered the TLS request with neither S nor N');
    if (tlsMode !== 'prefer') throw unreachable(`the resource has no TLS, and tls.mode is ${tlsMode}`);
    return transport;
  } catch (error) {
    transport.reset('no TLS');
    throw error;
  }
}

async function logIn(transport: Transport, context: BackendContext): Promise<BackendReady> {
  const { credentials, startup, label } = context;
  const ownName = startup.parameters['application_name'];
  await transport.write(
    encodeStartup({
      ...startup.parameters,
      // Ours first, so that the server's log can be joined to the record even where it cuts at 63 bytes.
      application_name: ownName ? `${label} ${ownName}` : label,
      user: credentials.user,
      database: credentials.database,
    }),
  );
  const reader = new LoginReader(transport, loginBytesMax);
  await authenticate(transport, reader, context);
  const { greeting, key } = await untilReady(reader);
  return {
    resource: transport,
    greeting,
    leftover: reader.leftover,
    async cancel() {
      if (!key) return;
      const other = await openTransport(context);
      await other.write(encodeCancelRequest(key));
      other.end();
      await other.read().catch(() => null); // the server closes without a word
      other.reset('cancelled');
    },
  };
}

async function authenticate(transport: Transport, reader: LoginReader, context: BackendContext): Promise<void> {
  const fields = new ByteReader(await expectAuthentication(reader));
  const kind = fields.int32();
  switch (kind) {
    case 0:
      return;
    case 3:
      // A server (or somebody in between) could ask for the password itself.
      if (!transport.encrypted)
        throw unreachable(
          'the resource asks for the password in clear text outside TLS',
          'use scram-sha-256 in pg_hba.conf, or TLS',
        );
      await sendPassword(transport, passwordOf(context));
      break;
    case 5:
      await sendPassword(transport, md5Password(context, fields.bytes(4)));
      break;
    case 10:
      await scram(transport, reader, { context, mechanisms: textOf(fields.rest()).split('\0') });
      break;
    default:
      throw unreachable(
        `the resource asks for an authentication (${kind}) that hoop does not speak`,
        'use scram-sha-256 in pg_hba.conf',
      );
  }
  // One question, one answer: a server that keeps asking is collecting answers.
  const end = new ByteReader(await expectAuthentication(reader)).int32();
  if (end !== 0) throw new ProtocolError('desync', 'the server asks for a password again');
}

const sendPassword = (transport: Transport, password: string): Promise<void> =>
  transport.write(encodeMessage(frontendType.password, ...cstring(bytesOf(password))));

async function scram(
  transport: Transport,
  reader: LoginReader,
  { context, mechanisms }: { context: BackendContext; mechanisms: string[] },
): Promise<void> {
  const binding =
    transport.encrypted && transport.peerCertificate ? certificateBinding(transport.peerCertificate) : undefined;
  const usesBinding = binding !== undefined && mechanisms.includes('SCRAM-SHA-256-PLUS');
  if (!usesBinding && !mechanisms.includes('SCRAM-SHA-256'))
    throw unreachable('the resource offers no SASL mechanism that hoop speaks');
  const exchange = startClient({
    password: passwordOf(context),
    nonce: Buffer.from(context.randomBytes(18)).toString('base64'),
    couldBind: binding !== undefined,
    ...(usesBinding ? { channelBinding: binding } : {}),
  });
  const mechanism = usesBinding ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256';
  const first = bytesOf(exchange.clientFirst);
  await transport.write(
    encodeMessage(frontendType.password, ...cstring(bytesOf(mechanism)), int32(first.length), first),
  );
  const proof = await exchange.proof(textOf(await sasl(reader, 11)));
  await transport.write(encodeMessage(frontendType.password, bytesOf(proof)));
  exchange.checkServer(textOf(await sasl(reader, 12)));
}

async function sasl(reader: LoginReader, expected: number): Promise<Uint8Array> {
  const fields = new ByteReader(await expectAuthentication(reader));
  if (fields.int32() !== expected) throw new ProtocolError('scram', 'a SCRAM message out of order');
  return fields.rest();
}

function md5Password(context: BackendContext, salt: Uint8Array): string {
  const md5 = (...parts: (string | Uint8Array)[]) => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  return `md5${md5(md5(passwordOf(context), context.credentials.user), salt)}`;
}

function passwordOf({ credentials }: BackendContext): string {
  if (credentials.password !== undefined) return credentials.password;
  throw unreachable('the resource asks for a password, and agent.yaml has none', 'add credentials.password');
}

/** An Authentication message; an error of the server's becomes ours, with its words and no secret. */
async function expectAuthentication(reader: LoginReader): Promise<Uint8Array> {
  for (;;) {
    const { type, body } = await next(reader);
    if (type === backendType.authentication) return body;
    if (type === backendType.negotiateProtocolVersion || type === backendType.noticeResponse) continue;
    throw new ProtocolError('desync', 'something else where an authentication belongs');
  }
}

/** ParameterStatus messages and ReadyForQuery as they came: the greeting; and the cancel key, which stays here. */
async function untilReady(reader: LoginReader): Promise<{ greeting: Uint8Array; key: Uint8Array | undefined }> {
  const greeting: Uint8Array[] = [];
  let key: Uint8Array | undefined;
  for (;;) {
    const { type, body, whole } = await next(reader);
    switch (type) {
      case backendType.parameterStatus:
        decodeParameterStatus(body);
        greeting.push(whole);
        break;
      case backendType.backendKeyData:
        if (body.length < 8 || body.length > 260)
          throw new ProtocolError('bad-message', 'a cancel key of impossible length');
        key = body;
        break;
      case backendType.noticeResponse:
      case backendType.negotiateProtocolVersion:
        break;
      case backendType.readyForQuery:
        decodeReadyForQuery(body);
        return { greeting: Buffer.concat([...greeting, whole]), key };
      default:
        throw new ProtocolError('desync', 'something else where the greeting belongs');
    }
  }
}

async function next(reader: LoginReader): Promise<LoginMessage> {
  const message = await reader.message(messageBytesMax);
  if (!message) throw unreachable('the resource closed the connection during the login');
  if (message.type !== backendType.errorResponse) return message;
  const fields = decodeFields(message.body);
  // A server may leave out what it must send.
  throw unreachable(
    `the resource refused the login: ${fields.get('M') ?? 'no reason given'} (SQLSTATE ${fields.get('C') ?? 'unknown'})`,
  );
}

const unreachable = (message: string, step = 'check the resource in agent.yaml: address, credentials, tls') =>
  new UserError('HOOP_RESOURCE_UNREACHABLE', message, { next: step });
