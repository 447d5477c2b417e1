/**
 * Control messages of tunnel and link, as length-prefixed JSON on streams of the multiplexer (tunnel/control.ts carries them).
 *
 * Tunnel (client ⇄ gateway): one tunnel carries one session. The client opens stream 1 and sends TunnelOpen; the gateway answers
 * TunnelOpened or ControlRefused; later the gateway may send SessionEnded. Every further stream that the client opens begins with
 * StreamOpen and is bytes of the client program from there on.
 *
 * Link (agent ⇄ gateway): the agent opens stream 1: LinkHello → LinkChallenge → LinkProof → LinkWelcome, then both sides may send
 * LinkCommand. The gateway opens a stream per client connection: ResourceOpen → ResourceReady or ControlRefused, then bytes.
 */
import * as z from 'zod';
import { ttlSecondsMax } from './api.ts';

const handshakeVersionSchema = z.object({ major: z.number().int(), minor: z.number().int() });

export const controlRefusedSchema = z.object({
  kind: z.literal('refused'),
  code: z.string(),
  message: z.string(),
  next: z.string().optional(),
});
export type ControlRefused = z.infer<typeof controlRefusedSchema>;

/** Everything in `declared` is recorded as declared and believed in nothing. */
export const tunnelOpenSchema = z.object({
  kind: z.literal('open'),
  version: handshakeVersionSchema,
  resource: z.string().max(63),
  actor: z.string().max(100).optional(),
  /** Random per process; binds a successor session to its predecessor. */
  continues: z.string().max(64).optional(),
  /** End it after so long; policy may end it sooner. */
  ttlSeconds: z.number().int().min(1).max(ttlSecondsMax).optional(),
  /** Random, and the same each time: the local password shall stay the same from session to session. Policy may refuse. */
  keepCredential: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,64}$/)
    .optional(),
  declared: z.record(z.string().max(64), z.string().max(512)).default({}),
});
export type TunnelOpen = z.infer<typeof tunnelOpenSchema>;

export const tunnelOpenedSchema = z.object({
  kind: z.literal('opened'),
  version: handshakeVersionSchema,
  session: z.string(),
  protocol: z.string(),
  user: z.string(),
  /** Local credential: the same for a session and its successors. */
  credential: z.object({ user: z.string(), password: z.string(), database: z.string() }),
  /** End of the access behind it. */
  expiresAt: z.string().nullable(),
  /** The session ends then at the latest. Not a time of day: clocks differ. */
  secondsLeft: z.number().nullable().default(null),
});
export type TunnelOpened = z.infer<typeof tunnelOpenedSchema>;

/** Client → gateway on stream 1: a polite end (`client_closed`). */
export const sessionCloseSchema = z.object({ kind: z.literal('close'), reason: z.string().max(64) });
/** Gateway → client on stream 1. `final`: do not open a successor (killed, grant removed, signed out). */
export const sessionEndedSchema = z.object({
  kind: z.literal('ended'),
  reason: z.string(),
  message: z.string(),
  final: z.boolean(),
});
export type SessionEnded = z.infer<typeof sessionEndedSchema>;

/**
 * First message of every client stream: evidence about the connecting process, as the client's kernel says, or about the tool call that
 * it serves, as the coding agent says. Recorded as declared.
 */
export const streamOpenSchema = z.object({
  kind: z.literal('stream'),
  evidence: z
    .object({
      pid: z.number().int().optional(),
      uid: z.number().int().optional(),
      executable: z.string().max(1024).optional(),
      parent: z.string().max(1024).optional(),
      /** Of `hoop mcp`: the tool, the call's id in the MCP session, and its `_meta` as JSON. */
      tool: z.string().max(64).optional(),
      call: z.string().max(200).optional(),
      meta: z.string().max(2048).optional(),
    })
    .default({}),
});
export type StreamOpen = z.infer<typeof streamOpenSchema>;

// ── link ────────────────────────────────────────────────────────────────────

export const linkResourceSchema = z.object({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/),
  protocol: z.string().max(32),
  address: z.string().max(300),
  database: z.string().max(63).nullable(),
  tls: z.string().max(16),
  results: z.enum(['digest', 'rows']).default('digest'),
  /** Its owner says that recorded sessions may be run again there. */
  sandbox: z.boolean().optional(),
  /** What the record leaves out besides passwords; absent: all that the protocol knows. */
  redact: z.array(z.string().max(32)).max(16).optional(),
});
export type LinkResource = z.infer<typeof linkResourceSchema>;

export const linkHelloSchema = z.object({
  kind: z.literal('hello'),
  version: handshakeVersionSchema,
  agentVersion: z.string().max(32),
  /** Ed25519 public key, base64url of the 32 raw bytes. */
  publicKey: z.string().max(64),
  /** Only on first start. */
  joinToken: z.string().max(200).optional(),
  resources: z.array(linkResourceSchema).max(1000),
});
export type LinkHello = z.infer<typeof linkHelloSchema>;

export const linkChallengeSchema = z.object({ kind: z.literal('challenge'), nonce: z.string() });
/** Ed25519 signature over `linkProofMessage`, base64url. */
export const linkProofSchema = z.object({ kind: z.literal('proof'), signature: z.string().max(200) });
/** What an agent signs: bound to this nonce and this key. */
export const linkProofMessage = (nonce: string, publicKey: string): string =>
  `hoop link proof v1\n${nonce}\n${publicKey}`;
export const linkWelcomeSchema = z.object({
  kind: z.literal('welcome'),
  version: handshakeVersionSchema,
  agent: z.string(),
});
/** Gateway → agent: cancel what runs on a stream of this link. */
export const linkCancelSchema = z.object({ kind: z.literal('cancel'), stream: z.string() });

export const resourceOpenSchema = z.object({
  kind: z.literal('resource'),
  resource: z.string(),
  session: z.string(),
  /** `<session>/<stream>`: names the stream in LinkCommand. */
  stream: z.string(),
  label: z.string(),
  startup: z.object({ parameters: z.record(z.string(), z.string()) }),
  /** The entry that must be checked before the resource is dialled; the stream's bytes come in units then (tunnel/witness-frame.ts). */
  witnessed: z.number().int().nonnegative().optional(),
});
export const resourceReadySchema = z.object({ kind: z.literal('ready'), greeting: z.string() });

/** First message of every stream that the gateway opens on a link: bytes of a client, or the record that the agent witnesses. */
export const linkStreamSchema = resourceOpenSchema.or(z.object({ kind: z.literal('witness') }));

/** Since 1.1 agents witness, unless they run inside the gateway's process. */
export const canWitness = ({ major, minor }: { major: number; minor: number }): boolean => major > 1 || minor >= 1;
