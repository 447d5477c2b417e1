/** Every bound of the product, each with its reason (invariant 8). Units are in the names. */
export const limits = {
  /** A whole message of a resource's protocol. Far below 2^31, so that no length arithmetic can wrap (CVE-2024-27304). */
  messageBytesMax: 64 * 1024 * 1024,
  /** PostgreSQL's own MAX_STARTUP_PACKET_LENGTH. */
  startupBytesMax: 10_000,
  /** A text that may hold a secret is parsed before it is recorded, while all streams wait: 0.1 s, at worst (all of it secrets) 0.6 s. */
  secretTextBytesMax: 512 * 1024,
  /** What is kept of one statement's result where rows are kept, before compression; a screen of rows is kilobytes. The rest is digested. */
  resultBytesKeptMax: 1024 * 1024,
  /** Bytes of incomplete messages held for all streams of one gateway; past it no more is read. */
  heldBytesMax: 512 * 1024 * 1024,
  /** A login that takes longer is a socket that somebody forgot, or holds on purpose. */
  handshakeMillisMax: 15_000,
  /** Streams of one session: an IDE's pool is tens, a runaway client thousands. */
  streamsPerSessionMax: 256,
  /** Streams past that which are told so in their own protocol, at a time; more than these are just closed. */
  streamsRefusedMax: 32,
  /** Live sessions of one user: twenty windows and room. */
  sessionsPerUserMax: 100,
  /** Streams of one tunnel or link that a peer may open (a link carries every session of an agent). */
  streamsPerLinkMax: 16_384,
  /** Cancels that wait for an agent to read them: people press Ctrl-C, an agent that reads none of so many is stuck. */
  cancelsWaitingMax: 256,
  /** Initial and full credit of one stream: one bandwidth-delay product of a good WAN. */
  streamWindowBytes: 1024 * 1024,
  /** Of one direction of a stream, recorded while the disk is at work: enough for one fsync to carry much, little beside the window. */
  aheadBytesMax: 512 * 1024,
  /** The same in pieces, however small they are. */
  aheadPiecesMax: 32,
  /** Largest data frame: keeps one stream from holding up the others. */
  frameBytesMax: 64 * 1024,
  /** Largest WebSocket message: frames of one event-loop turn leave in one message. */
  webSocketBytesMax: 8 * 1024 * 1024,
  /** How long a client may read our last words before a stream that it does not end is reset. */
  lingerMillis: 1_000,
  /** The port of an ended session says so for that long, then nothing: a program that tries again has read why. */
  endedPortMillis: 2_000,
  /** Between pings on a tunnel or link. */
  pingIntervalMillis: 15_000,
  /** Without a pong for that long the other side is lost (DESIGN 8). */
  pongMillisMax: 60_000,
  /** Longest wait between two tries to come back: a person sits before the client; agents are many, and nobody waits for one try. */
  clientBackoffMillisMax: 5_000,
  agentBackoffMillisMax: 30_000,
  /** Control messages are small JSON; a large one is an attack. */
  controlBytesMax: 64 * 1024,
  /** An empty line to somebody who follows a session in which nothing happens: a client takes 30 s of silence for a lost gateway. */
  followBeatMillis: 10_000,
  /** A recorder that has not made an entry durable for that long has failed: the session ends (invariant 3). */
  durableMillisMax: 10_000,
  /** So many writes say what the disk's p99 is: then the event loop's own thread may wait for it (store/write-pace.ts). */
  quickAfterWrites: 100,
  /** Between two tries to record again after a failure: each may write a whole segment. */
  recorderRetryMillis: 2_000,
  /** A checkpoint of the transparency log at least that often while there is news (DESIGN 7). */
  checkpointMillis: 1_000,
  /** A machine's receipts of its sessions, two files for each: years of work of one person, some 10 MB; the oldest go first. */
  receiptsMax: 10_000,
  /** Longer than from one yearly audit to the next. */
  receiptAgeDaysMax: 400,
  /** Sessions whose receipts are asked for in one go: what a few crashes leave. */
  receiptsAtOnceMax: 16,
  /** A command that ends waits that long for its receipts; the next one asks for those that are missing. */
  receiptsMillisMax: 3_000,
  /** The agent's own list of heads is durable at least that often while there is news (DESIGN 7). */
  witnessMillis: 1_000,
  /** So many entries are put on it at once, and then as often as this: each time is a flush of the disk. */
  witnessEntries: 64,
  witnessBusyMillis: 100,
  /** How long an export waits for its agent's cosignature: agents answer at once, and a person waits. */
  cosignatureMillisMax: 2_000,
  /** Entries without a checkpoint to cosign for so long: a log is signed every second, so its gateway keeps it from its witness. */
  uncosignedMillisMax: 60_000,
  /** A payload that the agent is given to check; of a larger one it gets the header, so that its memory stays flat. */
  witnessPayloadBytesMax: 256 * 1024,
  /** The same of what is copied in, which would else travel twice: whether it is what was committed to, `verify` says. */
  witnessDataBytesMax: 16 * 1024,
  /** One message between gateway and witness: such an entry, or the heads of all sessions that an agent has open. */
  witnessMessageBytesMax: 1024 * 1024,
  /** Shown to an agent that does not read: its link is closed past it, since its memory would be the gateway's. */
  witnessUnreadBytesMax: 64 * 1024 * 1024,
  /** Bytes whose entry does not come: the two streams are one connection, so this is the time of one message. */
  witnessWaitMillisMax: 10_000,
  /** Entries appended but not yet durable, over all sessions; past it append fails. */
  pendingBytesMax: 256 * 1024 * 1024,
  /** Preallocated size of one journal segment. */
  segmentBytes: 64 * 1024 * 1024,
  /** An independently readable gzip member of a sealed recording (uncompressed). */
  memberBytesMax: 1024 * 1024,
  /** HTTP API bodies. */
  requestBytesMax: 256 * 1024,
  /** How long SIGTERM waits for running statements before it seals. */
  drainMillisMax: 10_000,
  /** A user code and an invitation are guessed by machines: short life, few tries. */
  joinTokenSeconds: 15 * 60,
  invitationSeconds: 24 * 60 * 60,
  /** How often recordings whose time is over are looked for: periods are days. */
  retentionMillis: 60 * 60 * 1000,
  /** Administrative acts need a sign-in younger than this (DESIGN 8). */
  freshSignInSeconds: 10 * 60,
  accessTokenSeconds: 15 * 60,
  refreshTokenSeconds: 14 * 24 * 60 * 60,
  deviceCodeSeconds: 5 * 60,
  /** Tries of a password for one name from one address: a person mistypes, a machine guesses. */
  passwordTriesMax: 5,
  /** The same for all names from one address: an office behind one address. */
  passwordTriesPerAddressMax: 30,
  /** The same for one name from all addresses: below what guessing needs, above what a nuisance does by accident. */
  passwordTriesPerUserMax: 50,
  /** Window of the three above. */
  passwordTriesSeconds: 15 * 60,
  /** Wrong user codes, invitations and set-up codes from one address in the life of a code (20^8 codes). */
  wrongCodesMax: 10,
  /** Device codes asked for by one address in the life of a code: each is a row and something to guess. */
  deviceCodesMax: 60,
  /** Passwords tried for one device code: then the code is void, whichever addresses they came from. */
  passwordTriesPerCodeMax: 8,
  /** People on their way to an upstream provider or back; the oldest are forgotten. */
  upstreamSignInsMax: 10_000,
  /** For each answer of an upstream provider. */
  upstreamSeconds: 10,
  /** Keys for which tries are counted; more is an attack in itself, and the oldest are forgotten. */
  triesKeysMax: 50_000,
  /** Password hashes at once (32 MiB and a thread each), and how many may wait. */
  passwordHashesMax: 2,
  passwordHashesWaitingMax: 64,
  /** Age of a DPoP proof: clocks of two machines, and the way. */
  proofAgeSecondsMax: 60,
  /** Proofs remembered against replay; when they are full nobody is let in rather than a replay. */
  proofsSeenMax: 200_000,
  /** Forms hold names, passwords and one-time codes. */
  formBytesMax: 16 * 1024,
  /** Answers that are being written when the gateway stops. */
  closingMillisMax: 1000,
  /** HTTP: a socket that somebody holds on purpose (upgraded ones have pings instead). */
  httpHeadersMillisMax: 15_000,
  httpRequestMillisMax: 30_000,
} as const;
