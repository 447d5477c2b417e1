import { parseCheckpoint } from '../recording/checkpoint.ts';
import type { Leaf } from '../recording/leaf.ts';
import { inclusionProof } from '../recording/merkle.ts';
import {
  formatNote,
  keyTypes,
  publicKeyOf,
  signNote,
  verifierKey,
  type NoteSignature,
  type VerifierKey,
} from '../recording/note.ts';
import { isSignedBy, type SignedCheckpoint } from '../recording/rollover.ts';
import { formatTlogProof } from '../recording/tlog-proof.ts';
import { assert } from '../shared/errors.ts';
import type { LogStore } from '../store/log-store.ts';
import { gatewayLogKey, type GatewayKeyJwk, type LogKeyStore } from './log-key.ts';

/**
 * The log's key, and the one that is to replace it. A roll-over has five steps, each durable before the next, and a start goes on where
 * a crash came between two:
 *
 *   1  the next key is kept                           else: there is none
 *   2  its KEY leaf is durable                        else: the key is dropped, it has signed nothing
 *   3  the old key signs a checkpoint that covers it  else: the next checkpoint does
 *   4  the registry has the next key for the old      else: the next checkpoint sees to it
 *   5  the proof is on disk, made from the old key's last checkpoint; until then nothing else is signed
 */
export class LogSigner {
  readonly #keys: LogKeyStore;
  /** Public keys that KEY leaves name, and where: the number of a key is its place here. */
  readonly #announced: { publicKey: Buffer; index: number }[] = [];
  #jwk: GatewayKeyJwk;
  #next: GatewayKeyJwk | undefined;
  /** The published checkpoint is the last of the key before. */
  #owesProof = false;

  constructor(keys: LogKeyStore) {
    this.#keys = keys;
    this.#jwk = keys.gateway;
    this.#next = keys.nextGateway;
  }

  get key(): VerifierKey {
    return gatewayLogKey(this.#jwk);
  }

  /** A checkpoint is due without news. */
  get owesProof(): boolean {
    return this.#owesProof;
  }

  get keysAnnounced(): number {
    return this.#announced.length;
  }

  isAnnounced(publicKey: Uint8Array): boolean {
    return this.#placeOf(publicKey) !== undefined;
  }

  /** Hears of every leaf of the log. */
  saw({ kind, digest }: Leaf, index: number): void {
    if (kind === 'key') this.#announced.push({ publicKey: digest, index });
  }

  /** When all leaves of a start have been seen: a next key without one is not used any more. */
  dropUnannounced(): void {
    if (!this.#next || this.isAnnounced(publicKeyOf(this.#next))) return;
    this.#keys.dropNextGateway();
    this.#next = undefined;
  }

  /** Made where there is none yet. */
  prepareNext(): VerifierKey {
    this.#next = this.#keys.makeNextGateway();
    return gatewayLogKey(this.#next);
  }

  /** Is it a checkpoint that this gateway has signed? The key before may have, when a crash came between steps 4 and 5. */
  knows(signed: SignedCheckpoint): boolean {
    if (isSignedBy(signed, this.key)) return true;
    const place = this.#placeOf(this.key.publicKey);
    const before = this.#announced[(place?.number ?? 0) - 1];
    this.#owesProof =
      place !== undefined &&
      before !== undefined &&
      place.index < signed.checkpoint.size &&
      isSignedBy(signed, verifierKey(this.key.name, keyTypes.ed25519, before.publicKey));
    return this.#owesProof;
  }

  /** The signatures of others stay beside it. */
  sign(text: string, others: readonly NoteSignature[] = []): string {
    assert(!this.#owesProof, 'the proof of a new key stands before what it signs');
    const { name } = this.key;
    const signatures = [signNote(text, name, this.#jwk), ...others.filter((other) => other.name !== name)];
    return formatNote({ text, signatures });
  }

  /** Step 4, once the old key has signed that the next one follows. */
  adoptNext(signedSize: number): void {
    const place = this.#next && this.#placeOf(publicKeyOf(this.#next));
    if (!this.#next || !place || place.index >= signedSize) return;
    this.#keys.adoptNextGateway();
    this.#jwk = this.#next;
    this.#next = undefined;
    this.#owesProof = true;
  }

  /** Step 5. The store has what the old key signed last. */
  async prove(store: LogStore): Promise<void> {
    if (!this.#owesProof) return;
    const { number, index } = this.#placeOf(this.key.publicKey)!;
    const checkpoint = (await store.checkpoint())!;
    const { size } = parseCheckpoint(checkpoint).checkpoint;
    const hashes = (await inclusionProof(index, size, store.readHash)).map((hash) => Buffer.from(hash));
    await store.writeRollover(number, formatTlogProof({ extra: await store.leaf(index), index, hashes, checkpoint }));
    this.#owesProof = false;
  }

  #placeOf(publicKey: Uint8Array): { number: number; index: number } | undefined {
    const number = this.#announced.findIndex((each) => each.publicKey.equals(publicKey));
    return number < 0 ? undefined : { number, index: this.#announced[number]!.index };
  }
}
