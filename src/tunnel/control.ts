/** Control messages: 4 bytes of length (big-endian) and that much JSON, at the start of a stream or on a stream of their own. */
import type * as z from 'zod';
import { StreamReset, type Duplex } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import type { ControlRefused } from '../shared/handshake.ts';
import { limits } from '../shared/limits.ts';
import { prefixed } from './prefixed.ts';

export { prefixed } from './prefixed.ts';

const lengthBytes = 4;

export interface ControlMessage<T> {
  value: T;
  /** The stream behind the message: bytes that came with it are read first. Use it instead of the stream that was given. */
  rest: Duplex;
}

/**
 * Reads one control message. Throws UserError HOOP_PROTOCOL for bytes that are none, HOOP_LIMIT when it does not come in time (the
 * stream is reset then), StreamReset when the stream was reset.
 */
export async function readControl<Schema extends z.ZodType>(
  duplex: Duplex,
  schema: Schema,
  { millisMax = limits.handshakeMillisMax }: { millisMax?: number } = {},
): Promise<ControlMessage<z.output<Schema>>> {
  const deadline = startDeadline(duplex, millisMax);
  try {
    const { json, leftover } = await readMessage(duplex);
    return { value: parse(json, schema), rest: prefixed(leftover, duplex) };
  } catch (error) {
    if (deadline.passed && error instanceof StreamReset) throw tooSlow(millisMax);
    throw error;
  } finally {
    deadline.clear();
  }
}

export async function writeControl(duplex: Duplex, value: unknown): Promise<void> {
  const json = Buffer.from(JSON.stringify(value));
  if (json.length > limits.controlBytesMax) {
    throw new UserError(
      'HOOP_LIMIT',
      `a control message of ${json.length} bytes is more than ${limits.controlBytesMax}`,
      {
        next: 'configure fewer resources on this agent, or shorter names',
      },
    );
  }
  const message = Buffer.allocUnsafe(lengthBytes + json.length);
  message.writeUInt32BE(json.length, 0);
  message.set(json, lengthBytes);
  await duplex.write(message);
}

/** Says no, ends our half, and resets the stream if the other side does not end its own in time. Never rejects. */
export async function refuseControl(duplex: Duplex, { code, message, next }: UserError): Promise<void> {
  try {
    await writeControl(duplex, {
      kind: 'refused',
      code,
      message,
      ...(next === undefined ? {} : { next }),
    } satisfies ControlRefused);
  } catch {
    return; // reset: nobody listens any more
  }
  duplex.end();
  const deadline = startDeadline(duplex, limits.handshakeMillisMax);
  void duplex.closed.then(deadline.clear);
}

export interface HandshakeVersion {
  major: number;
  minor: number;
}

/** One minor version of skew works. Throws HOOP_VERSION_SKEW, which names the side to upgrade. */
export function checkVersion(
  theirs: HandshakeVersion,
  ours: HandshakeVersion,
  names: { theirs: string; ours: string },
): void {
  if (theirs.major === ours.major && Math.abs(theirs.minor - ours.minor) <= 1) return;
  const theyAreOlder = theirs.major < ours.major || (theirs.major === ours.major && theirs.minor < ours.minor);
  const older = theyAreOlder ? names.theirs : names.ours;
  throw new UserError(
    'HOOP_VERSION_SKEW',
    `the ${names.theirs} speaks version ${theirs.major}.${theirs.minor} of hoop’s handshake, the ${names.ours} ${ours.major}.${ours.minor}`,
    { next: `upgrade hoop on the ${older}’s side` },
  );
}

async function readMessage(duplex: Duplex): Promise<{ json: Uint8Array; leftover: Uint8Array }> {
  let held: Uint8Array = new Uint8Array(0);
  for (;;) {
    const needed = held.length < lengthBytes ? lengthBytes : lengthBytes + lengthOf(held);
    if (held.length >= lengthBytes && held.length >= needed) {
      return { json: held.subarray(lengthBytes, needed), leftover: held.subarray(needed) };
    }
    const bytes = await duplex.read();
    if (bytes === null) throw malformed('the stream ended within a control message');
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
  }
}

function lengthOf(message: Uint8Array): number {
  const length = new DataView(message.buffer, message.byteOffset).getUint32(0);
  if (length > limits.controlBytesMax)
    throw malformed(`a control message of ${length} bytes; ${limits.controlBytesMax} is the most`);
  return length;
}

function parse<Schema extends z.ZodType>(json: Uint8Array, schema: Schema): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw malformed('a control message is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(
    `a control message is not what this version expects: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  );
}

function startDeadline(duplex: Duplex, millis: number): { readonly passed: boolean; clear: () => void } {
  let passed = false;
  if (millis === Infinity) return { passed, clear: () => undefined };
  const timer = setTimeout(() => {
    passed = true;
    duplex.reset('too slow');
  }, millis);
  timer.unref();
  return {
    get passed() {
      return passed;
    },
    clear: () => clearTimeout(timer),
  };
}

const malformed = (message: string) =>
  new UserError('HOOP_PROTOCOL', message, { next: 'upgrade hoop on the side that is older' });

const tooSlow = (millis: number) =>
  new UserError('HOOP_LIMIT', `no control message within ${millis / 1000} s`, { next: 'connect again' });
