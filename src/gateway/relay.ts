import type { Decoder, Step, StreamEnd } from '../protocol/protocol.ts';
import { writable, type Duplex } from '../shared/duplex.ts';
import { assert } from '../shared/errors.ts';
import type { HeldBudget } from './held-budget.ts';

export interface RelayParts {
  client: Duplex;
  resource: Duplex;
  decoder: Decoder;
  /** What is appended while `act` runs is one entry of the record, as far as it fits in one: what came of one chunk. */
  together: <Result>(act: () => Result) => Result;
  /** Resolves when everything that the decoder appended so far is fsynced; rejects when that can no longer be. */
  durable: () => Promise<void>;
  held: HeldBudget;
}

/**
 * Carries one stream, both ways, until it ends: the only place where bytes pass. The two directions are independent loops, so that
 * a resource that answers slowly never holds up what the client sends, nor the other way round.
 *
 *   client → resource:  read → decode → append, **await durable** → forward
 *   resource → client:  read → decode → append (an outcome lost in a crash is *unknown*) → forward
 *
 * Resolves with the reason of the end; rejects when a side was reset or the record failed. The caller closes both sides.
 */
export async function relay({ client, resource, decoder, together, durable, held }: RelayParts): Promise<StreamEnd> {
  let end = null as StreamEnd | null;

  /** Undefined where nothing has to be waited for. Order of appends = order of forwarding: all waiters of one fsync resume in order. */
  const carry = (step: Step): Promise<void> | undefined => {
    held.set(decoder, decoder.heldBytes);
    const waitsForDisk = step.toResource.length > 0 || step.recordFirst;
    // Answers, most of the time, wait for nothing but the client.
    return waitsForDisk ? durable().then(() => (end ? undefined : forward(step))) : forward(step); // invariant 1
  };

  const forward = (step: Step): Promise<void> | undefined => {
    // The gateway's own answers first: what the resource answers to the rest of the step must not overtake them.
    const told = writeAll(client, step.toClient);
    const sent = writeAll(resource, step.toResource);
    if (told || sent) return Promise.all([told, sent]).then(() => void (end ??= step.end));
    end ??= step.end;
    return undefined;
  };

  const fromClient = async (): Promise<void> => {
    while (!end) {
      const bytes = await client.read();
      const carried = carry(together(() => (bytes ? decoder.client(bytes) : decoder.clientEnded())));
      if (carried) await carried;
      if (bytes) continue;
      resource.end(); // half-close: answers still come
      return;
    }
  };

  const fromResource = async (): Promise<void> => {
    while (!end) {
      const bytes = await resource.read();
      const carried = carry(together(() => (bytes ? decoder.resource(bytes) : decoder.resourceEnded())));
      if (carried) await carried;
      if (bytes) continue;
      end ??= { by: 'resource', reason: 'resource-closed' };
    }
  };

  try {
    // The resource's loop ends every stream but those that the client's loop ends by a refusal or a farewell.
    const toTheEnd = fromResource();
    const clientGone = fromClient().then(() => (end ? undefined : toTheEnd));
    await Promise.race([toTheEnd, clientGone]);
    assert(end, 'a relay that ends has a reason');
    return end;
  } finally {
    held.release(decoder);
  }
}

/**
 * Writes in order without a pause between, so that no other loop's bytes come between; waits for back-pressure once. Undefined where
 * there is nothing to wait for.
 */
function writeAll(to: Duplex, buffers: Uint8Array[]): Promise<void> | undefined {
  let last: Promise<void> | undefined;
  for (const bytes of buffers) {
    last?.catch(() => undefined); // the last write rejects for all of them
    const writing = to.write(bytes);
    last = writing === writable ? undefined : writing;
  }
  return last;
}
