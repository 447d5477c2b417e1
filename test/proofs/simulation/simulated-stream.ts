import { StreamReset, type Duplex } from '../../../src/shared/duplex.ts';
import type { World } from './world.ts';

/** The gateway's end of a connection; the other end is the simulation. Bytes arrive in the pieces in which they are given. */
export class SimulatedStream implements Duplex {
  readonly #world: World;
  readonly #life: number;
  readonly #arrived: (Uint8Array | null)[] = [];
  #waiting: { resolve: (bytes: Uint8Array | null) => void; reject: (error: Error) => void } | undefined;
  #reset: StreamReset | undefined;
  #rejectWrites: (error: Error) => void = () => undefined;
  readonly #broken = new Promise<never>((_, reject) => (this.#rejectWrites = reject));
  readonly closed = new Promise<void>(() => undefined);
  /** Called at the moment at which the gateway lets go of bytes. */
  onWrite: (bytes: Uint8Array) => void = () => undefined;
  onEnd: () => void = () => undefined;

  constructor(world: World) {
    this.#world = world;
    this.#life = world.life;
    this.#broken.catch(() => undefined);
  }

  /** Bytes arrive at the gateway, or the end of them. */
  arrive(bytes: Uint8Array | null): void {
    if (this.#waiting) this.#waiting.resolve(bytes);
    else this.#arrived.push(bytes);
    this.#waiting = undefined;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#reset) return Promise.reject(this.#reset);
    const next = this.#arrived.shift();
    if (next !== undefined) return Promise.resolve(next);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  /** Takes the bytes at once; now and then more may be written only after a while. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#reset) return Promise.reject(this.#reset);
    if (this.#world.life === this.#life) this.onWrite(bytes);
    if (this.#world.chance(0.7)) return Promise.resolve();
    const taken = new Promise<void>((resolve) => this.#world.after(this.#world.random() * 20, resolve, this.#life));
    return Promise.race([taken, this.#broken]);
  }

  end(): void {
    if (this.#world.life === this.#life) this.onEnd();
  }

  reset(reason: string): void {
    if (this.#reset) return;
    this.#reset = new StreamReset(reason);
    this.#waiting?.reject(this.#reset);
    this.#rejectWrites(this.#reset);
  }
}
