/**
 * What a decoder says happened, in words that fit every protocol. The recording turns an event into an entry; the fields
 * are stored by the table in `recording/fields.ts`. Events of one stream come in the order in which they took place.
 *
 * A `Sequence` is the entry's number in its session, assigned by `EventSink.append`; later events refer to earlier ones by it.
 */
export type Sequence = number;

export type Event = StatementEvent | DataEvent | RowsEvent | OutcomeEvent | StateEvent | RefusalEvent | CancelEvent;

/** A parameter exactly as the client sent it. `value: null` is SQL NULL; an empty Uint8Array is an empty value. */
export interface Parameter {
  /** Type as the protocol numbers it (PostgreSQL: OID, 0 when the client left it to the server). */
  type: number;
  /** Protocol's format code (PostgreSQL: 0 text, 1 binary). */
  format: number;
  value: Uint8Array | null;
}

/** Something that can make the resource act: recorded, whole, before its first byte is forwarded. */
export interface StatementEvent {
  kind: 'statement';
  /**
   * The protocol's own name of the message, lower-case: PostgreSQL `query` `parse` `bind` `execute` `describe` `close` `sync`
   * `flush` `function-call` `copy-done` `copy-fail` `terminate`; Redis `command`.
   */
  verb: string;
  /** True if an outcome will follow (or be marked unknown). */
  expectsOutcome: boolean;
  /** Statement text as raw bytes in the client's encoding, without terminator. Only where it is defined (query, parse). */
  text?: Uint8Array | undefined;
  /** The entry that this one builds on: bind → its parse, execute → its bind (or the query that made the name). */
  of?: Sequence | undefined;
  /** Name of the prepared statement (parse, bind, close, describe). Empty = the unnamed one. */
  statementName?: Uint8Array | undefined;
  /** Name of the portal (bind, execute, close, describe). */
  portalName?: Uint8Array | undefined;
  /** Parameter types declared with a text (parse). */
  parameterTypes?: number[] | undefined;
  parameters?: Parameter[] | undefined;
  resultFormats?: number[] | undefined;
  /** Rows asked for; 0 = all. */
  rowLimit?: number | undefined;
  /** Arguments of a protocol whose command is a list (Redis), or of FunctionCall. */
  arguments?: Uint8Array[] | undefined;
  /** PostgreSQL function OID. */
  functionId?: number | undefined;
  /** client_encoding in force, where it is not UTF8. */
  encoding?: string | undefined;
  /** False where the name → text mapping came from the wire but opaque SQL ran since, so that it may have changed unseen. */
  resolved?: boolean | undefined;
  /** Set where secrets were replaced before recording: how many, and by which rule. */
  redactions?: string[] | undefined;
  /** Classification for policy and search: read, write, ddl, dangerous, unknown. Never decides what is recorded. */
  class?: string | undefined;
}

/** Bytes that belong to a running statement: COPY data, as the whole protocol messages (header included). */
export interface DataEvent {
  kind: 'data';
  of: Sequence;
  bytes: Uint8Array;
}

/**
 * What the resource sent back for a statement, kept where its owner asked for it: whole messages, the first of them up to a bound.
 * `OutcomeEvent.rowsKept` says how many rows that are.
 */
export interface RowsEvent {
  kind: 'rows';
  of: Sequence;
  /** One gzip member. */
  messages: Uint8Array;
  /** Of the messages, uncompressed. */
  messageBytes: number;
}

export type OutcomeStatus = 'ok' | 'error' | 'skipped' | 'cancelled' | 'suspended' | 'refused' | 'unknown';

/** What came back for one statement. Never guessed: a crash leaves `unknown`. */
export interface OutcomeEvent {
  kind: 'outcome';
  of: Sequence;
  status: OutcomeStatus;
  /** Command tags (PostgreSQL), one per statement of a multi-statement query, joined with `; `. */
  tag?: string | undefined;
  /** Rows returned or affected, where the protocol says so. */
  rows?: number | undefined;
  /** SQLSTATE or the protocol's own code. */
  errorCode?: string | undefined;
  errorMessage?: string | undefined;
  /** From forwarded to answered, monotonic clock. */
  durationMicros?: number | undefined;
  /**
   * SHA-256 over the result messages as sent (row description, rows, copy data), in a row description with zeros for the numbers that a
   * database gives to its own objects (PostgreSQL).
   */
  resultDigest?: Uint8Array | undefined;
  resultBytes?: number | undefined;
  /** Rows that the record keeps, from the first on; absent where it keeps none by policy, or because something was withheld. */
  rowsKept?: number | undefined;
}

/** Session state that changes what later statements mean (PostgreSQL ParameterStatus). */
export interface StateEvent {
  kind: 'state';
  name: string;
  value: string;
}

/** The gateway's "no": nothing of these bytes was forwarded. */
export interface RefusalEvent {
  kind: 'refusal';
  /** Kebab-case, stable: ProtocolError's reason or a rule's name. */
  reason: string;
  message: string;
  /** The refused statement, whole, where one was decoded. */
  text?: Uint8Array;
  of?: Sequence;
}

/** A cancel asked by the client program for the statement in flight. */
export interface CancelEvent {
  kind: 'cancel';
  /** The statement it was aimed at; absent when nothing was in flight. */
  of?: Sequence;
}

/** Where a decoder puts its events. */
export interface EventSink {
  /** Appends (not yet durable) and returns the entry's number. Throws when the record cannot be written. Keeps no reference to buffers. */
  append(event: Event): Sequence;
}
