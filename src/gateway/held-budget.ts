import { UserError } from '../shared/errors.ts';

/** Counts the bytes of incomplete messages that all decoders of a gateway hold, and refuses past a bound (invariant 8). */
export interface HeldBudget {
  /** Throws HOOP_LIMIT if the holder's new total would pass the bound. */
  set(holder: object, bytes: number): void;
  release(holder: object): void;
  readonly total: number;
}

export function createHeldBudget(bytesMax: number): HeldBudget {
  const held = new Map<object, number>();
  let total = 0;
  return {
    set(holder, bytes) {
      const before = held.get(holder) ?? 0;
      if (bytes === before) return;
      total += bytes - before;
      if (bytes === 0) held.delete(holder);
      else held.set(holder, bytes);
      if (bytes > before && total > bytesMax) {
        throw new UserError(
          'HOOP_LIMIT',
          `the gateway holds ${total} bytes of incomplete messages, more than its bound of ${bytesMax}`,
          { next: 'send smaller messages, or try again when other clients have finished' },
        );
      }
    },
    release(holder) {
      total -= held.get(holder) ?? 0;
      held.delete(holder);
    },
    get total() {
      return total;
    },
  };
}
