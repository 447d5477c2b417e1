import type { Duplex } from '../../shared/duplex.ts';
import { StreamReset } from '../../shared/duplex.ts';
import { ProtocolError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { Admission, Frontend, FrontendContext } from '../protocol.ts';
import { CommandCutter } from './command-cutter.ts';
import { nameOf } from './commands.ts';
import {
  isComplaint,
  notLoggedIn,
  parseAuth,
  parseHello,
  proves,
  wrongPassword,
  type Complaint,
  type RespVersion,
} from './login.ts';
import { encodeError, encodeSimple, latin1, textOf } from './messages.ts';

/** Gateway side of the login: AUTH, or HELLO with AUTH, with the session's credential. Everything before gets NOAUTH. */
export const frontend: Frontend = {
  async admit(client, context) {
    try {
      return await admit(client, context);
    } catch (error) {
      if (error instanceof StreamReset) return { kind: 'gone' };
      if (!(error instanceof ProtocolError)) throw error;
      const { reason, message } = error;
      await client.write(encodeError('ERR', `hoop: ${message}`)).catch(() => undefined);
      return { kind: 'refused', reason, message };
    }
  },

  /** A client reads an error as the answer to what it sent first: one that sends nothing is not told anything. */
  async refuse(client, _code, message) {
    try {
      if (await client.read()) await client.write(encodeError('ERR', message));
    } catch {
      // It is gone.
    }
    client.end();
  },
};

/** What a command of the login came to: an answer, or the end of the login. */
type Turn = { say: Uint8Array } | { version: RespVersion; name: Uint8Array | undefined; isHello: boolean } | 'left';

async function admit(client: Duplex, context: FrontendContext): Promise<Admission> {
  const commands = new CommandCutter(limits.controlBytesMax);
  for (let total = 0; ;) {
    const chunk = await client.read();
    if (!chunk) {
      if (commands.heldBytes > 0) throw new ProtocolError('truncated', 'the connection ended inside the login');
      return { kind: 'gone' };
    }
    total += chunk.length;
    if (isHttp(chunk) && commands.heldBytes === 0) return refuseHttp(client);
    commands.push(chunk);
    for (let command = commands.next(); command; command = commands.next()) {
      const turn = turnOf(command.words, context);
      if (turn === 'left') return leave(client);
      if ('say' in turn) await client.write(turn.say);
      else if ('code' in turn) return refuse(client, turn);
      else return admitted(turn, commands.rest);
    }
    if (total > limits.controlBytesMax)
      throw new ProtocolError('login-too-long', `more than ${limits.controlBytesMax} bytes without a login`);
  }
}

function turnOf(words: readonly Uint8Array[], { credential }: FrontendContext): Turn | Complaint {
  const command = nameOf(words);
  if (command === 'quit') return 'left';
  if (command === 'auth') {
    const login = parseAuth(words);
    if (isComplaint(login)) return say(login);
    return proves(login, credential) ? { version: 2, name: undefined, isHello: false } : wrongPassword;
  }
  if (command !== 'hello') return say(notLoggedIn);
  const hello = parseHello(words);
  if (isComplaint(hello)) return say(hello);
  const { version, login, name } = hello;
  if (!version || !login) return say(notLoggedIn);
  return proves(login, credential) ? { version, name, isHello: true } : wrongPassword;
}

const say = ({ code, message }: Complaint): Turn => ({ say: encodeError(code, message) });

function admitted(
  { version, name, isHello }: Exclude<Turn, { say: Uint8Array } | 'left'>,
  leftover: Uint8Array,
): Admission {
  return {
    kind: 'admitted',
    startup: { parameters: { protocol: String(version), ...(name ? { 'client-name': textOf(name) } : {}) } },
    leftover,
    cancelKeyBytes: 0,
    clientVersion: `RESP${version}`,
    // The greeting is the server's answer to HELLO.
    greet: (greeting) => (isHello ? greeting : encodeSimple('OK')),
  };
}

async function leave(client: Duplex): Promise<Admission> {
  await client.write(encodeSimple('OK')).catch(() => undefined);
  return { kind: 'gone' };
}

async function refuse(client: Duplex, { code, message }: Complaint): Promise<Admission> {
  await client.write(encodeError(code, message)).catch(() => undefined);
  return { kind: 'refused', reason: 'wrong-password', message };
}

/** `GET / HTTP/1.1` and its like, which a Redis would take for an inline command. */
const isHttp = (chunk: Uint8Array): boolean => /^[A-Z]+ \S+ HTTP\//.test(latin1(chunk.subarray(0, 2048)));

async function refuseHttp(client: Duplex): Promise<Admission> {
  const body = 'This is a Redis port of hoop, not a web server. Connect with redis-cli or a driver.\n';
  const answer = `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
  await client.write(Buffer.from(answer)).catch(() => undefined);
  return { kind: 'refused', reason: 'http', message: 'an HTTP request on a Redis port' };
}
