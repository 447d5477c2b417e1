import { headerBytes, isOneOf, kindOf, seqOf } from '../recording/entry-codec.ts';
import type { EntryKind } from '../recording/entry.ts';
import { parseSessionId } from '../recording/session-id.ts';
import { writable, type Duplex } from '../shared/duplex.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import {
  fromWitnessSchema,
  type WitnessCheckpoint,
  type WitnessCosigned,
  type WitnessDeclined,
  type WitnessRefused,
} from '../shared/witness-messages.ts';
import type { Connection } from '../tunnel/websocket.ts';
import { writeControl } from '../tunnel/control.ts';
import {
  EntryMessages,
  encodeWitnessEntry,
  encodeWitnessJson,
  readWitnessMessages,
  witnessMessageTypes,
} from '../tunnel/witness-frame.ts';
import { withSequence, type Shower } from '../tunnel/sequence-frame.ts';

/** What the agent gets whole, salt and payload: what is about to reach its resource. Of the rest (who asked, what came back) the header. */
const shownWhole: ReadonlySet<EntryKind> = new Set(['statement', 'data', 'state', 'cancel']);

const shownBytesMax = (entry: Buffer): number =>
  kindOf(entry) === 'data' ? limits.witnessDataBytesMax : limits.witnessPayloadBytesMax;

/** Of a session: why what was shown cannot be its record, and whether it ends before what the agent has seen. */
export type Refused = Required<Pick<WitnessRefused, 'session' | 'why' | 'truncated'>>;

/** The stream of one link on which the agent is shown what was recorded, before it gets what is the record of. */
export class WitnessFeed {
  readonly #connection: Connection;
  readonly #stream: Duplex;
  readonly #log: Log;
  /** Was sent, and the agent has not made room for it. */
  #unread = 0;
  /** Of the link. */
  readonly closed: Promise<unknown>;
  #asked: Promise<void>;
  /** Called when the agent refuses a session. */
  onRefused: (refused: Refused) => void = () => undefined;
  /** Called with the agent's first words: how many leaves of the log it has cosigned; undefined in an agent that does not. */
  onOpen: (cosigned: number | undefined) => void = () => undefined;
  /** Called when the agent has been shown what it asked for. */
  onShown: () => void = () => undefined;
  onCosigned: (cosigned: WitnessCosigned) => void = () => undefined;
  onDeclined: (declined: WitnessDeclined) => void = () => undefined;
  /** A session's entries, once it has ended; undefined when there is no recording of it. */
  recorded: (session: string) => Promise<AsyncIterable<Uint8Array> | undefined> = async () => undefined;

  constructor(connection: Connection, log: Log) {
    this.#connection = connection;
    this.#stream = connection.open();
    this.closed = connection.closed;
    this.#log = log;
    this.#asked = writeControl(this.#stream, { kind: 'witness' });
    this.#asked.catch(() => undefined); // the link is closing
    void this.#listen().catch(() => connection.close('the agent’s witness stopped listening'));
  }

  session(): SessionWitness {
    return new SessionWitness((messages) => this.#send(messages));
  }

  /** The key of the gateway's log. */
  showLog(key: string): void {
    this.#send(encodeWitnessJson({ kind: 'log', key })).catch(() => undefined); // the link is closing
  }

  /** A checkpoint to cosign. */
  offer(checkpoint: WitnessCheckpoint): Promise<void> {
    return this.#send(encodeWitnessJson(checkpoint));
  }

  #send(messages: Buffer): Promise<void> {
    const sent = this.#stream.write(messages);
    if (sent === writable) return sent;
    this.#unread += messages.length;
    if (this.#unread > limits.witnessUnreadBytesMax) this.#connection.close('the agent’s witness does not read');
    return sent.then(() => void (this.#unread -= messages.length));
  }

  /** From the genesis entry to the end, headers alone: what the agent has seen of them it has seen. */
  async #showAgain(sessions: string[]): Promise<void> {
    for (const session of sessions) {
      const [idBytes, entries] = [parseSessionId(session), await this.recorded(session)];
      if (!idBytes || !entries) {
        this.#log.error({ session }, 'ALARM: the agent has seen a session of which there is no recording');
        await this.#send(encodeWitnessJson({ kind: 'unknown', session }));
        continue;
      }
      try {
        for await (const entry of entries)
          await this.#send(encodeWitnessEntry(idBytes, entry.subarray(0, headerBytes)));
      } catch (error) {
        // A recording that cannot be read has been named by recovery; the others are shown all the same.
        this.#log.error({ session, error: String(error) }, 'the agent could not be shown a recording');
      }
    }
  }

  #opened(sessions: string[], cosigned: number | undefined): void {
    this.onOpen(cosigned);
    void this.#showAgain(sessions).then(
      () => this.onShown(),
      (error: unknown) => this.#log.error({ error: String(error) }, 'the agent could not be shown what was recorded'),
    );
  }

  #refused({ session, why, truncated = false }: WitnessRefused): void {
    this.#log.error({ session, why }, 'ALARM: the agent refuses the record of a session');
    this.onRefused({ session, why, truncated });
  }

  async #listen(): Promise<void> {
    await readWitnessMessages(this.#stream, (type, body) => {
      if (type === witnessMessageTypes.json) this.#heard(body); // the others are of a newer agent
    });
  }

  #heard(body: Buffer): void {
    const said = fromWitnessSchema.safeParse(JSON.parse(body.toString('utf8')));
    if (!said.success) return;
    const { data: message } = said;
    if (message.kind === 'open') this.#opened(message.sessions, message.cosigned);
    else if (message.kind === 'cosigned') this.onCosigned(message);
    else if (message.kind === 'declined') this.onDeclined(message);
    else this.#refused(message);
  }
}

/** How far entries go: their count, the number of the last, and where its message ends. */
interface Extent {
  readonly entries: number;
  readonly seq: number;
  readonly mark: number;
}

const nothing: Extent = { entries: 0, seq: -1, mark: 0 };

/** One session's entries on their way to the witness: those that are durable, in order, before the bytes that they are the record of. */
export class SessionWitness implements Shower {
  readonly #send: (messages: Buffer) => Promise<void>;
  #messages: EntryMessages | undefined;
  #appended = nothing;
  #durable = nothing;
  /** What will be durable when a promise resolves which somebody waits for. */
  #due: { upTo: Extent } | undefined;
  #awaited: Promise<void> | undefined;
  #noted: Promise<void> | undefined;
  #shown = nothing;
  #isBehind = false;
  /** Called when much was appended for which nobody waits (what is refused, what comes by itself): to be followed by `after`. */
  onBehind: () => void = () => undefined;

  constructor(send: (messages: Buffer) => Promise<void>) {
    this.#send = send;
  }

  /** Takes every entry as it is appended: whole, or its header. Copies it. */
  add(id: string, entry: Buffer): void {
    this.#messages ??= new EntryMessages(parseSessionId(id)!);
    const isShown = entry.length <= shownBytesMax(entry) && isOneOf(shownWhole, entry);
    this.#messages.add(isShown ? entry : entry.subarray(0, headerBytes));
    this.#appended = { entries: this.#appended.entries + 1, seq: seqOf(entry), mark: this.#messages.mark };
    if (this.#isBehind || this.#appended.entries - this.#durable.entries < limits.witnessEntries) return;
    this.#isBehind = true;
    this.onBehind();
  }

  /** `durable`: resolves when all that was appended so far is. What it resolves for may be shown then. */
  after(durable: Promise<void>): Promise<void> {
    const known = this.#due;
    // All who wait for one flush wait for one promise, so that it is noted once; the last of them knows most.
    if (this.#awaited === durable && known) {
      known.upTo = this.#appended;
      return this.#noted!;
    }
    const due = { upTo: this.#appended };
    this.#awaited = durable;
    this.#due = due;
    this.#noted = durable.then(() => this.#becameDurable(due));
    return this.#noted;
  }

  #becameDurable(due: { upTo: Extent }): void {
    this.#isBehind = false;
    if (due === this.#due) this.#due = undefined;
    if (due.upTo.entries > this.#durable.entries) this.#durable = due.upTo;
    // What nothing is forwarded after (answers to one long statement) must not pile up here.
    if (this.#durable.entries - this.#shown.entries >= limits.witnessEntries) this.show()?.catch(() => undefined);
  }

  get shownSeq(): number {
    return this.#shown.seq;
  }

  show(): Promise<void> | undefined {
    if (this.#durable.entries === this.#shown.entries) return undefined;
    this.#shown = this.#durable;
    return this.#send(this.#messages!.take(this.#durable.mark));
  }

  /** All that was appended is durable, the seal too. The link may be gone already. */
  showEnd(): void {
    this.#durable = this.#appended;
    this.show()?.catch(() => undefined);
  }

  /** A stream of the resource, on which every write names the entry that it needs. */
  over(stream: Duplex): Duplex {
    return withSequence(stream, this);
  }
}
