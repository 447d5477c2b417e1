import type { Decoder } from '../../../src/protocol/protocol.ts';
import type { Random } from '../engine/random.ts';
import { Finding } from '../engine/target.ts';
import { difference, Transcript } from './transcript.ts';

export const acts = ['cancel', 'client-ended', 'resource-ended', 'abort', 'drain'] as const;

export function act(decoder: Decoder, transcript: Transcript, bytes: Uint8Array): void {
  switch (acts[(bytes[0] ?? 0) % acts.length]!) {
    case 'cancel':
      return void decoder.cancel();
    case 'client-ended':
      return transcript.take(decoder.clientEnded(), decoder);
    case 'resource-ended':
      return transcript.take(decoder.resourceEnded(), decoder);
    case 'abort':
      return transcript.take(decoder.abort('HOOP_RECORDER', 'the record cannot be written'), decoder);
    case 'drain':
      return transcript.take(decoder.drain('gateway_stopped', 'the gateway is stopping'), decoder);
  }
}

export function* pieces(bytes: Uint8Array, random: Random | undefined): Iterable<Uint8Array> {
  if (bytes.length === 0) return;
  if (!random) return yield bytes;
  const sizeMax = random.pick([3, 20, 80]);
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.int(sizeMax);
    yield bytes.subarray(at, end);
    at = end;
  }
}

export function checkSame(whole: Transcript, cut: Transcript): void {
  const events = difference(whole.events, cut.events, 'events');
  const found =
    events ??
    difference(Buffer.concat(whole.toResource), Buffer.concat(cut.toResource), 'forwarded') ??
    difference(Buffer.concat(whole.toClient), Buffer.concat(cut.toClient), 'passed on') ??
    difference(whole.end, cut.end, 'end');
  if (found !== undefined) throw new Finding(`in other cuts it differs at ${found}`);
}

/** An outcome for everything that expects one, and only one; nothing refers to what is not there. */
export function checkEvents({ events }: Transcript): void {
  const outcomes = new Map<number, number>();
  for (const [sequence, event] of events.entries()) {
    const of = 'of' in event ? event.of : undefined;
    if (of !== undefined && (of >= sequence || events[of]?.kind !== 'statement'))
      throw new Finding(`event ${sequence} refers to ${of}`);
    if (event.kind === 'outcome') outcomes.set(event.of, (outcomes.get(event.of) ?? 0) + 1);
  }
  for (const [sequence, event] of events.entries()) {
    const count = outcomes.get(sequence) ?? 0;
    if (count > 1) throw new Finding(`${count} outcomes for event ${sequence}`);
    if (event.kind === 'statement' && event.expectsOutcome && count === 0)
      throw new Finding(`no outcome for event ${sequence}`);
  }
}
