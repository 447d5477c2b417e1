import type { Decoder, Step, StreamEnd } from '../protocol/protocol.ts';
import type { Duplex } from '../shared/duplex.ts';
import { assert } from '../shared/errors.ts';
import type { HeldBudget } from './held-budget.ts';

export interface RelayParts {
  client: Duplex;
  resource: Duplex;
  decoder: Decoder;
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
export async function relay({ client, resource, decoder, durable, held }: RelayParts): Promise<StreamEnd> {
  let end = null as StreamEnd | null;

  /** Does what a step asks for; the order of appends is the order of forwarding, because all waiters of one fsync resume in order. */
  const carry = async (step: Step): Promise<void> => {
    held.set(decoder, decoder.heldBytes);
    const mustBeDurable = step.toResource.length > 0 || step.recordFirst;
    if (mustBeDurable) await durable(); // invariant 1: nothing leaves before this
    if (mustBeDurable && end) return;
    // The gateway's own answers first: what the resource answers to the rest of the step must not overtake them.
    const told = step.toClient.length > 0 ? writeAll(client, step.toClient) : undefined;
    told?.catch(() => undefined);
    if (step.toResource.length > 0) await writeAll(resource, step.toResource);
    if (told) await told;
    end ??= step.end;
  };

  const fromClient = async (): Promise<void> => {
    while (!end) {
      const bytes = await client.read();
      await carry(bytes ? decoder.client(bytes) : decoder.clientEnded());
      if (bytes) continue;
      resource.end(); // half-close: answers still come
      return;
    }
  };

  const fromResource = async (): Promise<void> => {
    while (!end) {
      const bytes = await resource.read();
      await carry(bytes ? decoder.resource(bytes) : decoder.resourceEnded());
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

/** Writes in order without a pause between, so that no other loop's bytes come between; waits for back-pressure once. */
async function writeAll(to: Duplex, buffers: Uint8Array[]): Promise<void> {
  let last: Promise<void> | undefined;
  for (const bytes of buffers) {
    last?.catch(() => undefined); // the last write rejects for all of them
    last = to.write(bytes);
  }
  await last;
}
