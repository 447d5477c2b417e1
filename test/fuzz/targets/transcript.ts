import type { Event, EventSink, Sequence } from '../../../src/protocol/event.ts';
import type { Decoder, Step, StreamEnd } from '../../../src/protocol/protocol.ts';

/**
 * What became of one conversation: events in order (data of one statement that lies side by side is one event, as how it is cut may
 * depend on the chunks), bytes for both sides, and the end.
 */
export class Transcript implements EventSink {
  readonly events: Event[] = [];
  readonly toResource: Uint8Array[] = [];
  readonly toClient: Uint8Array[] = [];
  end: StreamEnd | null = null;
  heldBytes = 0;

  append(event: Event): Sequence {
    const last = this.events.at(-1);
    if (event.kind === 'data' && last?.kind === 'data' && last.of === event.of)
      last.bytes = Buffer.concat([last.bytes, event.bytes]);
    else this.events.push(event.kind === 'data' ? { ...event } : event);
    return this.events.length - 1;
  }

  take({ toResource, toClient, end }: Step, decoder: Decoder): void {
    this.toResource.push(...toResource);
    this.toClient.push(...toClient);
    this.end ??= end;
    this.heldBytes = Math.max(this.heldBytes, decoder.heldBytes);
  }
}

/** The first difference of two values, as a path, or undefined. Byte arrays are compared as such. */
export function difference(one: unknown, other: unknown, path = ''): string | undefined {
  if (one === other) return undefined;
  if (one instanceof Uint8Array && other instanceof Uint8Array)
    return Buffer.compare(one, other) === 0 ? undefined : path;
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return path || '.';
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return `${path}.(size)`;
  for (const key of keys) {
    const found = difference(one[key as keyof typeof one], other[key as keyof typeof other], `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Names of the events, for features and messages. */
export const nameOf = (event: Event): string => {
  if (event.kind === 'statement') return event.verb;
  if (event.kind === 'outcome') return `outcome:${event.status}`;
  return event.kind === 'refusal' ? `refusal:${event.reason}` : event.kind;
};

/** What was special about a run, cheaply: which events came one after the other, and how much came out. */
export function featuresOf({ events, toResource, toClient }: Transcript): number[] {
  const features: number[] = [];
  let before = 0;
  for (const event of events) {
    const now = hashOfText(nameOf(event));
    features.push((Math.imul(before, 31) + now) & 0xffff);
    before = now;
  }
  features.push(hashOfText(`out ${logOf(toResource.length)} ${logOf(toClient.length)} ${logOf(events.length)}`));
  return features;
}

const logOf = (count: number): number => 32 - Math.clz32(count);

const hashes = new Map<string, number>();
function hashOfText(text: string): number {
  const known = hashes.get(text);
  if (known !== undefined) return known;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hashes.set(text, hash & 0xffff);
  return hash & 0xffff;
}
