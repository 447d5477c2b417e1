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
] as const;
export type EntryKind = (typeof entryKinds)[number];

export const entryVersion = 1;

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
  /** Dense from 0 (the genesis entry). */
  seq: number;
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

export interface Entry {
  header: EntryHeader;
  body: EntryBody | ErasedBody;
}

export type WholeEntry = Entry & { body: EntryBody };
