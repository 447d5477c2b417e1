import type { Transport } from '../protocol/protocol.ts';

/**
 * Gives up connections whose login does not come to an end: a resource that takes a connection and says nothing more must not hold a
 * stream, or the connection of a cancel, for ever.
 */
export function loginDeadline(dial: () => Promise<Transport>, millisMax: number) {
  const timers = new Map<Transport, NodeJS.Timeout>();
  let isAbandoned = false;
  const done = (transport: Transport) => {
    clearTimeout(timers.get(transport));
    timers.delete(transport);
  };
  return {
    async dial(): Promise<Transport> {
      const transport = await dial();
      if (isAbandoned) transport.reset('nobody waits for it any more');
      const giveUp = () => transport.reset(`nothing came of it in ${millisMax / 1000} s`);
      timers.set(transport, setTimeout(giveUp, millisMax));
      void transport.closed.finally(() => done(transport));
      return transport;
    },
    /** Nobody waits for any of them any more. */
    abandon(): void {
      isAbandoned = true;
      for (const transport of timers.keys()) transport.reset('nobody waits for it any more');
    },
    /** The login of this one is over; it may stay. */
    done,
  };
}
