import type { Event } from '../protocol/event.ts';
import type { Genesis } from './genesis.ts';

/** All kinds of entries; a kind's number on disk is its place here, counted from 1. Append only. */
export const entryKinds = [
  'genesis',
  'stream-open',
  'statement',
  'data',
  'outcome',
  'state',
  'refusal',
  'cancel',
  'stream-close',
  'note',
  'interrupted',
  'seal',
  'rows',
  'group',
] as const;
export type EntryKind = (typeof entryKinds)[number];

export const entryVersion = 1;

/**
 * Kinds that an entry of kind `group` may hold: several events of one stream that came of one step (a chunk of the client's, of the
 * resource's). Each has a sequence number of its own; the entry's is that of the first.
 */
export const groupedKinds: ReadonlySet<EntryKind> = new Set([
  'statement',
  'data',
  'outcome',
  'state',
  'refusal',
  'cancel',
]);

/** What an entry says. Events come from a decoder; everything else is the gateway's own. */
export type EntryBody =
  | ({ kind: 'genesis' } & Genesis)
  | { kind: 'stream-open'; facts: Record<string, string> }
  | Event
  | { kind: 'stream-close'; reason: string }
  | { kind: 'note'; name: string; facts: Record<string, string> }
  /** The gateway ended without sealing; everything up to `lastDurable` was on disk, nothing else was forwarded. */
  | { kind: 'interrupted'; lastDurable: number }
  | Seal;

/** The last entry: nothing may follow. Its counts let a reader see that nothing is missing. */
export interface Seal {
  kind: 'seal';
  reason: string;
  /** Entries of the session, this one included. */
  entries: number;
  statements: number;
  errors: number;
  streams: number;
}

/** The fixed part of an entry: what the chain is made of. It names nobody and quotes nothing. */
export interface EntryHeader {
  kind: EntryKind;
  /** 0 = the session itself. */
  stream: number;
  /** Dense from 0 (the genesis entry); of a group that of its first event. */
  seq: number;
  /** How many numbers it has: 1, but for a group. */
  events: number;
  /** Microseconds since 1970, never smaller than that of the entry before. */
  timeMicros: number;
  payloadBytes: number;
  /** SHA-256("hoop payload v1\n" ‖ salt ‖ payload) */
  commitment: Uint8Array;
  /** Hash of the entry before; of the first: SHA-256("hoop session v1\n" ‖ session id). */
  previous: Uint8Array;
}

/** In the place of a body that was erased; what kind it had is in the header. */
export interface ErasedBody {
  kind: 'erased';
}

/** One event, with the header of the entry that holds it; `seq` is its own. */
export interface Entry {
  header: EntryHeader;
  body: EntryBody | ErasedBody;
}

export type WholeEntry = Entry & { body: EntryBody };
