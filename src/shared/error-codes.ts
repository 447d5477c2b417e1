/** Exit codes of the command line; documented in README.md, compared by test/house.test.ts. */
export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  denied: 3,
  signInNeeded: 4,
  gatewayUnreachable: 5,
  resourceUnreachable: 6,
  notFound: 7,
} as const;

/** Every error that a person can meet: its exit code and what it means (the README's table is compared with this). */
export const errorCodes = {
  HOOP_INTERNAL: { exit: 1, means: 'A bug in hoop.' },
  HOOP_USAGE: { exit: 2, means: 'The command line is not understood.' },
  HOOP_CONFIG: { exit: 2, means: 'A configuration file, flag or variable is malformed; the message names the key.' },
  HOOP_DENIED: { exit: 3, means: 'Signed in, but not allowed: no grant for the resource, or not the role.' },
  HOOP_LOCAL_CREDENTIAL: { exit: 3, means: 'The local port was used with a wrong user, database or password.' },
  HOOP_JOIN_TOKEN: {
    exit: 3,
    means: 'An agent join token is wrong, used or expired, or the agent key is not the pinned one.',
  },
  HOOP_SIGN_IN: { exit: 4, means: 'Not signed in, or the sign-in expired or was revoked.' },
  HOOP_FRESH_SIGN_IN: { exit: 4, means: 'An administrative act needs a sign-in younger than ten minutes.' },
  HOOP_GATEWAY_UNREACHABLE: { exit: 5, means: 'The gateway does not answer at its address.' },
  HOOP_GATEWAY_DRAINING: { exit: 5, means: 'The gateway is stopping and takes no new sessions.' },
  HOOP_AGENT_OFFLINE: { exit: 6, means: 'No agent that serves the resource is linked to the gateway.' },
  HOOP_RESOURCE_UNREACHABLE: {
    exit: 6,
    means: 'The agent cannot reach the resource, or the resource refused its credentials.',
  },
  HOOP_NOT_FOUND: { exit: 7, means: 'No resource, session, user, grant or agent of that name or id.' },
  HOOP_EXISTS: { exit: 1, means: 'It exists already.' },
  HOOP_PORT_TAKEN: { exit: 1, means: 'The port belongs to another process.' },
  HOOP_DATA_DIR_LOCKED: { exit: 1, means: 'Another gateway runs on this data directory.' },
  HOOP_RECORDER: {
    exit: 1,
    means: 'The record cannot be written (disk full, failed or too slow), so nothing is forwarded.',
  },
  HOOP_RECORD_DAMAGED: { exit: 1, means: 'A journal or a recording cannot be read; the message says where.' },
  HOOP_VERSION_SKEW: { exit: 1, means: 'Client, gateway or agent are more than one minor version apart.' },
  HOOP_PROTOCOL: { exit: 1, means: 'Bytes that are not the expected protocol, or that may not be sent now.' },
  HOOP_LIMIT: { exit: 1, means: 'A bound was reached (streams, sessions, message size, time).' },
  HOOP_SESSION_ENDED: { exit: 1, means: 'The session ended at the gateway; the message says why.' },
  HOOP_KEYCHAIN: { exit: 1, means: 'The keychain that holds the tokens does not answer.' },
} as const satisfies Record<`HOOP_${string}`, { exit: number; means: string }>;

export type ErrorCode = keyof typeof errorCodes;
