/**
 * JSON on a link's witness stream (tunnel/witness-frame.ts carries it beside the entries). Agent: WitnessOpen first, then WitnessRefused,
 * WitnessCosigned, WitnessDeclined. Gateway: WitnessLog first, then WitnessUnknown and WitnessCheckpoint. What the other side does not
 * know is ignored.
 */
import * as z from 'zod';

const sizeSchema = z.number().int().nonnegative();

/**
 * Agent, first: sessions whose seal it has not seen; the gateway shows each again, from its genesis entry to its end. `cosigned`: how many
 * leaves of the log it has cosigned; absent in an agent that does not.
 */
export const witnessOpenSchema = z.object({
  kind: z.literal('open'),
  sessions: z.array(z.string().max(32)).max(10_000),
  cosigned: sizeSchema.optional(),
});

/** Agent: what cannot be the record of that session; nothing more of it reaches the resource. */
export const witnessRefusedSchema = z.object({
  kind: z.literal('refused'),
  session: z.string().max(32),
  why: z.string().max(300),
  /** The record ends before what was seen; absent: it is not what was seen. */
  truncated: z.boolean().optional(),
});

/** Agent: the signature line of a checkpoint that was offered (cosignature/v1). */
export const witnessCosignedSchema = z.object({ kind: z.literal('cosigned'), signature: z.string().max(400) });

/** Agent: why it cosigns no more checkpoints on this link. */
export const witnessDeclinedSchema = z.object({
  kind: z.literal('declined'),
  verdict: z.enum(['UNPINNED', 'LOG_ROLLBACK', 'FORK']),
  why: z.string().max(300),
});

/** Gateway, first: the verifier key of its log, which the agent pins when it sees it for the first time. */
export const witnessLogSchema = z.object({ kind: z.literal('log'), key: z.string().max(200) });

/** Gateway: there is no recording of a session that the agent has seen. */
export const witnessUnknownSchema = z.object({ kind: z.literal('unknown'), session: z.string().max(32) });

/** Gateway: a checkpoint to cosign, and the proof that it begins with the tree of `before` leaves, which the agent has cosigned. */
export const witnessCheckpointSchema = z.object({
  kind: z.literal('checkpoint'),
  note: z.string().max(16_384),
  before: sizeSchema,
  /** RFC 6962 consistency proof, base64. */
  proof: z.array(z.string().max(64)).max(64),
  /** By which the log's key was followed by others, from the first on (recording/rollover.ts). */
  rollovers: z.array(z.string().max(16_384)).max(1000).default([]),
});
export type WitnessCheckpoint = z.input<typeof witnessCheckpointSchema>;

export const fromWitnessSchema = z.discriminatedUnion('kind', [
  witnessOpenSchema,
  witnessRefusedSchema,
  witnessCosignedSchema,
  witnessDeclinedSchema,
]);
export const toWitnessSchema = z.discriminatedUnion('kind', [
  witnessLogSchema,
  witnessUnknownSchema,
  witnessCheckpointSchema,
]);
export type WitnessRefused = z.infer<typeof witnessRefusedSchema>;
export type WitnessDeclined = z.infer<typeof witnessDeclinedSchema>;
export type WitnessCosigned = z.infer<typeof witnessCosignedSchema>;
