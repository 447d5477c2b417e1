/** Commands that are answered by confirmations, one for each channel, and what they count. */
const counted: ReadonlyMap<string, 'channels' | 'patterns' | 'shards'> = new Map([
  ['subscribe', 'channels'],
  ['unsubscribe', 'channels'],
  ['psubscribe', 'patterns'],
  ['punsubscribe', 'patterns'],
  ['ssubscribe', 'shards'],
  ['sunsubscribe', 'shards'],
]);
const messages: ReadonlySet<string> = new Set(['message', 'pmessage', 'smessage']);

export const isSubscription = (name: string): boolean => counted.has(name);
export const isMessage = (kind: string): boolean => messages.has(kind);

/** How many channels a stream is subscribed to, as the server's confirmations say. */
export class Subscriptions {
  readonly #counts = { channels: 0, patterns: 0, shards: 0 };

  /** True while the server may send messages, and in RESP2 takes hardly anything else than subscriptions. */
  get any(): boolean {
    const { channels, patterns, shards } = this.#counts;
    return channels + patterns + shards > 0;
  }

  /** Confirmations that a command with that many channels gets if it is answered now. Without channels: one for each it leaves. */
  confirmationsOf(name: string, channels: number): number {
    return channels > 0 ? channels : Math.max(1, this.#counts[counted.get(name)!]);
  }

  /** A confirmation came; `total` is what it says: shards have a count of their own. */
  confirmed(name: string, total: number): void {
    const what = counted.get(name)!;
    const { channels, patterns, shards } = this.#counts;
    const before = what === 'shards' ? shards : channels + patterns;
    this.#counts[what] += total - before;
  }
}
