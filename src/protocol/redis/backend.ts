import { StreamReset } from '../../shared/duplex.ts';
import { ProtocolError, UserError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { Backend, BackendContext, Transport } from '../protocol.ts';
import { encodeCommand, latin1, splitError } from './messages.ts';
import { ReplyParser, type Element } from './reply-parser.ts';

/** Agent side of the login: TLS, then HELLO with the resource's ACL user, then the database. Redis 6 and later. */
export const backend: Backend = {
  async connect(context) {
    let transport: Transport | undefined;
    try {
      transport = await openTransport(context);
      const { greeting, leftover } = await logIn(transport, context);
      const resource = transport;
      return { resource, greeting, leftover, cancel: async () => resource.reset('cancelled') };
    } catch (error) {
      transport?.reset('the login failed');
      if (error instanceof ProtocolError)
        throw unreachable(`the resource does not speak Redis as expected: ${error.message}`);
      if (error instanceof StreamReset) throw unreachable(`the connection broke during the login: ${error.message}`);
      throw error;
    }
  },
};

/** A Redis speaks TLS at once or not at all. With `prefer`, whoever answers a question in plain text speaks it; the other modes do not ask. */
async function openTransport({ dial, tlsMode }: BackendContext): Promise<Transport> {
  const transport = await dial();
  if (tlsMode === 'disable' || (tlsMode === 'prefer' && (await speaksPlainText(transport)))) return transport;
  if (tlsMode !== 'prefer') return startTls(transport);
  transport.reset('it may speak TLS');
  return startTls(await dial());
}

async function startTls(transport: Transport): Promise<Transport> {
  try {
    await transport.startTls({});
    return transport;
  } catch (error) {
    transport.reset('no TLS');
    throw error;
  }
}

/** A TLS handshake would wait for ever before a Redis without TLS; this question gives nothing away, and a Redis with TLS ends it at once. */
async function speaksPlainText(transport: Transport): Promise<boolean> {
  try {
    await transport.write(encodeCommand(['PING']));
    await new LoginReplies(transport).next();
    return true;
  } catch {
    return false;
  }
}

async function logIn(transport: Transport, context: BackendContext) {
  const { credentials, startup, label } = context;
  const { user, password, database } = credentials;
  const version = startup.parameters['protocol'] === '3' ? '3' : '2';
  const auth = password === undefined ? [] : ['AUTH', user, password];
  const name = clientName(label, startup.parameters['client-name']);
  const replies = new LoginReplies(transport);
  await transport.write(encodeCommand(['HELLO', version, ...auth, 'SETNAME', name]));
  const hello = await replies.next();
  if (hello.element.type === '-') throw refusedBy(hello.element, user);
  if (hello.element.type !== (version === '3' ? '%' : '*'))
    throw new ProtocolError('desync', 'an answer to HELLO that is none');
  if (database !== '0') {
    await transport.write(encodeCommand(['SELECT', database]));
    const selected = await replies.next();
    if (selected.element.type !== '+') throw noDatabase(database, selected.element);
  }
  return { greeting: hello.bytes, leftover: replies.rest };
}

/** Ours first, so that CLIENT LIST and the slow log can be joined to the record. A client's name is letters without a space. */
const clientName = (label: string, own: string | undefined): string =>
  (own ? `${label}:${own}` : label).replaceAll(/[^!-~]/g, '_');

interface LoginReply {
  /** Its first line. */
  element: Element;
  bytes: Uint8Array;
}

/** Reads one reply after the other, bounded. */
class LoginReplies {
  readonly #transport: Transport;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get rest(): Uint8Array {
    return this.#chunk;
  }

  async next(): Promise<LoginReply> {
    const parts: Uint8Array[] = [];
    let element: Element | undefined;
    let isWhole = false;
    const parser = new ReplyParser(
      {
        element: (one) => (element ??= one),
        bytes: (bytes) => void parts.push(bytes.slice()),
        end: () => (isWhole = true),
      },
      limits.controlBytesMax,
    );
    for (let total = 0; ;) {
      for (let at = 0; at < this.#chunk.length; at++) {
        parser.push(this.#chunk.subarray(at, at + 1)); // byte by byte: what lies behind the reply is the next one's
        if (!isWhole) continue;
        this.#chunk = this.#chunk.subarray(at + 1);
        return { element: element!, bytes: Buffer.concat(parts) };
      }
      const chunk = await this.#transport.read();
      if (!chunk) throw new ProtocolError('truncated', 'it ended the connection during the login');
      total += chunk.length;
      if (total > limits.controlBytesMax) throw new ProtocolError('login-too-long', 'an answer without an end');
      this.#chunk = chunk;
    }
  }
}

/** The server's words name the user, never the password. */
function refusedBy({ line }: Element, user: string): UserError {
  const { code, message } = splitError(line);
  if (code === 'WRONGPASS' || code === 'NOAUTH' || /password/i.test(message))
    return unreachable(
      `the resource refused the login of ${user}: ${code}`,
      'check credentials.user and credentials.password in agent.yaml (without ACL users, the user is default)',
    );
  if (/unknown command/i.test(message))
    return unreachable('the resource does not know HELLO', 'hoop needs Redis 6 or later');
  return unreachable(`the resource refused the login: ${code}`, 'the log of the resource may say why');
}

function noDatabase(database: string, { line }: Element): UserError {
  const why = `the resource has no database ${database}: ${latin1(line)}`;
  return unreachable(why, 'set database in agent.yaml to a number that it has');
}

const unreachable = (message: string, next = 'check address and tls.mode in agent.yaml'): UserError =>
  new UserError('HOOP_RESOURCE_UNREACHABLE', message, { next });
