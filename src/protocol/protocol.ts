import type { Clock } from '../shared/clock.ts';
import type { Duplex } from '../shared/duplex.ts';
import type { EventSink, Sequence, StatementEvent } from './event.ts';

/** A wire protocol: everything the product knows of it. One folder each; `registry.ts` lists them. */
export interface Protocol extends LocalProtocol {
  readonly defaultPort: number;
  /** What `database` is for a resource whose configuration names none. */
  defaultDatabase(resource: string): string;
  /** Agent side: logs in at the resource with the resource's credentials. */
  readonly backend: Backend;
  /** What decoding needs besides code (a grammar): a gateway awaits it before it takes sessions. */
  load?(): Promise<void>;
  createDecoder(options: DecoderOptions): Decoder;
  /** One statement as a person would type it; control characters are the caller's to escape. */
  renderParameter(type: number, format: number, value: Uint8Array): string;
  /** The same for a protocol whose command is a list of words (Redis): one line, each byte exact. */
  renderCommand?(words: readonly Uint8Array[]): string;
  /** Result messages that the record kept, as tables; values as text, null for NULL. May throw on what it did not write. */
  renderResult?(messages: Uint8Array, resultFormats: readonly number[]): ResultTable[];
  /** What a statement's text does, for search: never decides what is recorded. What cannot be told is `dangerous`. */
  classify?(text: string): ReadonlySet<StatementClass>;
  /** Client side: sends what was recorded again. */
  readonly again: Again;
  /** The protocol's own fatal error, for streams that never reached a frontend (session ended, gateway away). */
  fatal(code: string, message: string): Uint8Array;
}

/** What the local port needs of a protocol: no more than this is loaded where a command has to start quickly. */
export interface LocalProtocol {
  readonly name: string;
  /** Gateway side: ends the client program's login with the session's credential. Client side: turns programs away. */
  readonly frontend: Frontend;
  /** What the first bytes of a connection to the local port ask for. Without it they all go to the gateway as they are. */
  readonly opening?: (bytes: Uint8Array) => Opening;
  /** A unix socket's file name, for protocols whose clients look for one in a folder. */
  readonly socketName?: (port: number) => string;
  /** What a client program needs to reach the local port. */
  connectInfo(local: LocalEndpoint): ConnectInfo;
}

/** Reading is none of them; a statement may be several. */
export type StatementClass = 'write' | 'ddl' | 'dangerous';

/** What running a recording again needs of a protocol: messages of recorded events. */
export interface Again {
  /** The message that gave this event; undefined for a login, which the new connection has behind it. Of withheld text the caller sends nothing. */
  encode(statement: StatementEvent): Uint8Array | undefined;
  /** Makes the resource answer what it has got, where it would wait for more. */
  flush?(): Uint8Array;
  /** Fails and runs nothing, in the place of a statement of that verb; `verb` is what it is recorded as. */
  failure?(verb: string): { verb: string; bytes: Uint8Array };
}

export interface ResultTable {
  columns: string[];
  rows: (string | null)[][];
}

export interface LocalEndpoint {
  /** An address, or the absolute path of the folder with the unix socket. */
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/** What a client program asks for before its login, between it and the local port. `length` bytes are the request; `answer` goes first. */
export type Opening =
  | { kind: 'incomplete' }
  /** TLS, which the local port ends. The gateway sees what is inside. */
  | { kind: 'tls'; length: number; answer: Uint8Array; alpn: string; alpnRequired: boolean }
  /** An encryption that is not offered; the client goes on. */
  | { kind: 'declined'; length: number; answer: Uint8Array }
  /** A request that needs no answer, so that a client may have gone when it is read; its own secret proves it. */
  | { kind: 'parting' }
  | { kind: 'login' };

export interface ConnectInfo {
  /** Printed for people and set as DATABASE_URL (or the protocol's own variable). */
  dsn: string;
  environment: Record<string, string>;
  /** By name, programs that take the address from their arguments only: what is put before those of a child. Holds no secret. */
  programArguments?: Record<string, string[]>;
}

// ── gateway side ────────────────────────────────────────────────────────────

export interface LocalCredential {
  user: string;
  password: string;
  database: string;
}

export interface FrontendContext {
  credential: LocalCredential;
  randomBytes(size: number): Uint8Array;
  messageBytesMax: number;
}

/** What the login phase came to. No byte has been sent to any resource yet. */
export type Admission =
  /**
   * The client proved the credential. `startup` goes to the agent; the client is still waiting for what `greet` makes of the resource's
   * greeting and a cancel key of `cancelKeyBytes` random bytes (PostgreSQL: AuthenticationOk, ParameterStatus, our BackendKeyData,
   * ReadyForQuery; Redis: the answer to AUTH or HELLO, whichever it sent).
   */
  | {
      kind: 'admitted';
      startup: Startup;
      leftover: Uint8Array;
      cancelKeyBytes: number;
      clientVersion?: string;
      greet(greeting: Uint8Array, cancelKey: Uint8Array): Uint8Array;
    }
  /** A cancel request on a connection of its own. */
  | { kind: 'cancel'; key: Uint8Array }
  /** The client was told why in its own protocol; `record` says what the record shows. */
  | { kind: 'refused'; reason: string; message: string }
  /** The client went away before it said anything (a port probe). */
  | { kind: 'gone' };

/** Allow-listed, parsed start-up facts; strings never enter a connection string. */
export interface Startup {
  parameters: Record<string, string>;
}

export interface Frontend {
  /** Runs the login on the client's stream. Never throws for what the client sent; rejects only when the stream is reset. */
  admit(client: Duplex, context: FrontendContext): Promise<Admission>;
  /**
   * Turns a client away without a login, politely: answers what a client must have answered before it reads an error
   * (PostgreSQL: SSLRequest → N, StartupMessage), then the protocol's own fatal error, then ends. Never rejects; bounded in time by the caller.
   */
  refuse(client: Duplex, code: string, message: string): Promise<void>;
}

// ── agent side ──────────────────────────────────────────────────────────────

/** A byte pipe to the resource; TLS can be started on it once. The agent makes it, so protocols do no I/O of their own. */
export interface Transport extends Duplex {
  /** Starts TLS. Throws if bytes are buffered (nothing may cross a plaintext → TLS switch). `alpn` e.g. `postgresql`. */
  startTls(options: { alpn?: string }): Promise<void>;
  readonly encrypted: boolean;
  /** RFC 5929 `tls-server-end-point` hash input: the server certificate (DER), once TLS runs. */
  readonly peerCertificate: Uint8Array | undefined;
}

export interface BackendCredentials {
  user: string;
  password: string | undefined;
  database: string;
}

/** libpq's words. */
export type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export interface BackendContext {
  dial(): Promise<Transport>;
  tlsMode: TlsMode;
  credentials: BackendCredentials;
  startup: Startup;
  /** Set as application_name or the protocol's like, so that the server's own log can be joined to the record. */
  label: string;
  randomBytes(size: number): Uint8Array;
}

export interface BackendReady {
  resource: Transport;
  /** Opaque to the gateway's core: given to the admission's `greet`, and to the decoder. */
  greeting: Uint8Array;
  /** Bytes that came after the greeting. */
  leftover: Uint8Array;
  /** Cancels what runs on this stream, on a connection of its own. */
  cancel(): Promise<void>;
}

export interface Backend {
  /** Throws UserError HOOP_RESOURCE_UNREACHABLE with a message without secrets. */
  connect(context: BackendContext): Promise<BackendReady>;
}

// ── decoding ────────────────────────────────────────────────────────────────

/** What the owner of a resource decided about its record. */
export interface RecordPolicy {
  /** What is left out besides passwords, by the protocol's own names; absent: all that the protocol knows. */
  redact?: readonly string[] | undefined;
  /** Whether rows are kept, or a digest of them only; absent: the digest. */
  results?: 'digest' | 'rows' | undefined;
}

export interface DecoderOptions extends RecordPolicy {
  sink: EventSink;
  clock: Clock;
  messageBytesMax: number;
  /** The greeting the client saw: initial state (client_encoding, …). */
  greeting: Uint8Array;
  /** For protocols in which a client may log in again under way. */
  credential?: LocalCredential;
  /** Salts of what is withheld. Cryptographically secure; absent: the platform's. */
  randomBytes?: (size: number) => Uint8Array;
}

/**
 * What is to be done after some bytes were decoded. Before anything of `toResource` leaves, all that was appended to the sink
 * must be durable; further chunks may be decoded meanwhile. `end` closes the stream after the bytes were written, and nothing of its
 * direction is decoded behind it.
 */
export interface Step {
  toResource: Uint8Array[];
  toClient: Uint8Array[];
  end: StreamEnd | null;
  /** Much was appended: what goes to the client waits for the disk too, so that a resource cannot run ahead of it. */
  recordFirst?: true | undefined;
}

export interface StreamEnd {
  /** `client` closed, `resource` closed, `refused` by the gateway. */
  by: 'client' | 'resource' | 'refused';
  reason: string;
}

/**
 * One per stream; pure. Sees both sides, so that it can pair answers with questions. Chunks may be cut anywhere: the same bytes in
 * other cuts give the same events (adjacent `data` events apart). Malformed bytes and impossible answers never throw: they give a
 * refusal event, the protocol's own error in `toClient`, and `end`.
 */
export interface Decoder {
  client(chunk: Uint8Array): Step;
  resource(chunk: Uint8Array): Step;
  /** The client ended its half (or was lost). Bytes of an incomplete message are a refusal. */
  clientEnded(): Step;
  /** The resource ended its half: statements in flight become `unknown`. */
  resourceEnded(): Step;
  /** The session is over for a reason of ours (killed, recorder failed, gateway stopping): outcomes `unknown`, a fatal error for the client. */
  abort(code: string, message: string): Step;
  /**
   * The gateway is stopping: from now on nothing new is taken. What would begin something is recorded with the outcome *refused* and not
   * forwarded; once all that is in flight is answered (at once, if nothing is), the client gets a fatal error and the stream ends.
   */
  drain(code: string, message: string): Step;
  /** A cancel request for this stream arrived; true if something is in flight (then it is to be forwarded). */
  cancel(): boolean;
  /** Bytes of incomplete or waiting messages. */
  readonly heldBytes: number;
  /** Is an answer to this statement still to come? Also of one that expects no outcome (PostgreSQL: a Sync's ReadyForQuery). */
  awaits?(of: Sequence): boolean;
  /** As the resource said last. */
  readonly inTransaction?: boolean;
}
