import { once } from 'node:events';
import type { Duplex as NodeDuplex } from 'node:stream';
import { encodeCommand, splitError } from '../../protocol/redis/messages.ts';
import { ReplyParser } from '../../protocol/redis/reply-parser.ts';
import { limits } from '../../shared/limits.ts';

export type Reply = string | number | null | Reply[];

/** What a model can read of one answer. */
const replyBytesMax = 200_000;

/** An error reply, as the server words it. */
export class ReplyError extends Error {}

/** Sends one command on a connection of its own, after AUTH; gives its reply. Strings that are not UTF-8 are shown as redis-cli would. */
export async function runCommand(
  socket: NodeDuplex,
  environment: Record<string, string>,
  command: readonly string[],
  signal: AbortSignal,
): Promise<Reply> {
  const { REDIS_USERNAME: user = '', REDIS_PASSWORD: password = '' } = environment;
  const replies = new Replies();
  socket.on('data', (bytes: Uint8Array) => replies.feed(bytes));
  socket.on('error', () => undefined); // 'close' follows
  const gone = once(socket, 'close').then(() => Promise.reject(new Error('the session ended before the reply came')));
  gone.catch(() => undefined);
  const leave = () => socket.destroy(); // a command that blocks ends with its connection; Redis has no cancel
  signal.addEventListener('abort', leave, { once: true });
  const next = () => Promise.race([replies.next(), gone]);
  try {
    socket.write(encodeCommand(['AUTH', user, password]));
    await next();
    socket.write(encodeCommand(command));
    return await next();
  } finally {
    signal.removeEventListener('abort', leave);
    socket.destroy();
  }
}

/** Whole replies, one after the other. */
class Replies {
  readonly #parser = new ReplyParser(
    { element: () => undefined, bytes: (bytes) => this.#take(bytes), end: () => this.#end() },
    limits.messageBytesMax,
  );
  #parts: Buffer[] = [];
  #size = 0;
  #settle: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  next(): Promise<Reply> {
    return new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
  }

  feed(bytes: Uint8Array): void {
    try {
      this.#parser.push(bytes);
    } catch (error) {
      this.#settle?.reject(error as Error);
    }
  }

  #take(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (this.#size <= replyBytesMax) this.#parts.push(Buffer.from(bytes));
  }

  #end(): void {
    const size = this.#size;
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    const settle = this.#settle;
    this.#settle = undefined;
    if (size > replyBytesMax) {
      return settle?.reject(
        new ReplyError(`the reply has ${size} bytes, too many to show; ask for a part (GETRANGE, LRANGE, HSCAN)`),
      );
    }
    const { value } = parseReply(bytes, 0);
    if (value instanceof ReplyError) settle?.reject(value);
    else settle?.resolve(value);
  }
}

interface Parsed {
  value: Reply | ReplyError;
  next: number;
}

/** RESP2 of a reply that is whole. */
function parseReply(bytes: Buffer, at: number): Parsed {
  const lineEnd = bytes.indexOf('\r\n', at);
  const line = bytes.subarray(at + 1, lineEnd);
  const next = lineEnd + 2;
  const type = String.fromCharCode(bytes[at]!);
  if (type === '+') return { value: shown(line), next };
  if (type === ':') return { value: integer(line), next };
  if (type === '-') {
    const { code, message } = splitError(line);
    return { value: new ReplyError(`${code} ${message}`), next };
  }
  const count = Number(line.toString('latin1'));
  if (count < 0) return { value: null, next };
  if (type === '$') return { value: shown(bytes.subarray(next, next + count)), next: next + count + 2 };
  const items: Reply[] = [];
  let end = next;
  for (let index = 0; index < count; index++) {
    const item = parseReply(bytes, end);
    items.push(item.value instanceof ReplyError ? `(error) ${item.value.message}` : item.value);
    end = item.next;
  }
  return { value: items, next: end };
}

/** Exact where a number can be; else as text. */
function integer(line: Buffer): Reply {
  const text = line.toString('latin1');
  return Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

function shown(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  return bytes
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
