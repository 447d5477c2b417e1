import { createHeldBudget } from '../../../src/gateway/held-budget.ts';
import { openRecorder, type Recorder, type SessionRecorder } from '../../../src/gateway/recorder.ts';
import { relay, type RelayParts } from '../../../src/gateway/relay.ts';
import { sessionFacts } from '../../support/recorder.ts';
import { immediateGzip } from './compression.ts';
import { dialects, markerOf, markersIn, type Dialect } from './dialects.ts';
import { forgetfulCatalog } from './forgetful-catalog.ts';
import type { Ledger, SentOnStream } from './ledger.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { SimulatedStream } from './simulated-stream.ts';
import type { World } from './world.ts';

/** Ways of breaking the gateway on purpose, to show that the simulation sees it. */
export interface Sabotage {
  durable?: RelayParts['durable'];
}

export interface LifeParts {
  world: World;
  disk: SimulatedDisk;
  ledger: Ledger;
  sabotage: Sabotage;
}

interface Carried {
  stop(): void;
  ended: Promise<void>;
}

/** One run of a gateway's process, from its start to its end or to the moment at which the power goes. */
export class GatewayLife {
  readonly #parts: LifeParts;
  readonly #life: number;
  #recorder: Recorder | undefined;
  /** Grows with each failure of the recorder: what was opened before must forward nothing after. */
  #failures = 0;
  /** Of what failures made necessary. */
  #goingOn = Promise.resolve();
  readonly #open = new Map<SessionRecorder, Set<Carried>>();

  constructor(parts: LifeParts) {
    this.#parts = parts;
    this.#life = parts.world.life;
  }

  /** Rejects when the disk does not let it start. */
  async start(): Promise<Recorder> {
    const { world, disk } = this.#parts;
    this.#recorder = await openRecorder({
      dataDir: '/gateway',
      catalog: forgetfulCatalog(),
      clock: world.clock,
      randomBytes: (size) => world.bytes(size),
      gatewayKeyId: () => 'key-1',
      segmentBytes: 8 * 1024,
      durableMillisMax: 1000,
      quickAfterWrites: 8,
      pendingBytesMax: 64 * 1024,
      world: { disk: disk.mount(this.#life), timers: world.timers(this.#life), compression: immediateGzip },
      onFailure: () => this.#failed(),
    });
    return this.#recorder;
  }

  /** Sessions come and go; each with a few connections. */
  async serve(sessions: number): Promise<void> {
    await Promise.all(Array.from({ length: sessions }, () => this.#session()));
  }

  async #pause(millisMax: number): Promise<void> {
    const { world } = this.#parts;
    await new Promise<void>((resolve) => world.after(world.random() * millisMax, resolve, this.#life));
  }

  async #session(): Promise<void> {
    const { world, ledger } = this.#parts;
    await this.#pause(100);
    const dialect = dialects[world.below(dialects.length)]!;
    const resource = { name: 'db', protocol: dialect.protocol.name, address: 'here', database: null };
    const facts = sessionFacts({ resource, declared: { user: 'root', session: 'another' } });
    let session: SessionRecorder;
    try {
      session = this.#recorder!.openSession(facts, (_id, entry) => ledger.appended(entry));
    } catch {
      return; // the record lags or has failed: refused
    }
    const carried = new Set<Carried>();
    this.#open.set(session, carried);
    const known = ledger.opened(session.id, facts);
    try {
      await session.durable();
      known.isDurable = true;
      const streams = Array.from({ length: 1 + world.below(3) }, (_, index) =>
        this.#stream(session, dialect, index + 1),
      );
      await Promise.all(streams);
      if (world.chance(0.2)) return; // stays open until the power goes or the gateway stops
      this.#open.delete(session);
      await session.seal('client closed');
      known.sealedHead = Buffer.from(session.head.hash).toString('hex');
    } catch {
      this.#open.delete(session);
      await session.seal('recorder_failed').catch(() => undefined);
    }
  }

  async #stream(session: SessionRecorder, dialect: Dialect, ordinal: number): Promise<void> {
    const { world, ledger, sabotage } = this.#parts;
    await this.#pause(50);
    const sent = ledger.stream(session.id, ordinal);
    const recorded = session.stream(ordinal, { evidence: { process: 'postgres' } });
    const decoder = dialect.protocol.createDecoder({
      sink: recorded,
      clock: world.clock,
      messageBytesMax: 1024 * 1024,
      greeting: new Uint8Array(0),
      randomBytes: (size) => world.bytes(size),
    });
    const [client, resource] = [new SimulatedStream(world), new SimulatedStream(world)];
    const failuresBefore = this.#failures;
    this.#resource(resource, dialect, sent, () => this.#failures > failuresBefore);
    this.#client(client, dialect, sent);
    const durable = sabotage.durable ?? (() => session.durable());
    const { together } = recorded;
    const held = createHeldBudget(1024 * 1024);
    const ended = relay({ client, resource, decoder, together, durable, held }).then(
      ({ reason }) => recorded.close(reason),
      () => recorded.close('reset'),
    );
    const carried = {
      ended,
      stop: () => [client, resource].forEach((side) => side.reset('stopped')),
    };
    this.#open.get(session)?.add(carried);
    await ended;
    carried.stop();
  }

  /** Sends statements, some at once, cut anywhere; then ends, vanishes or stays. */
  #client(client: SimulatedStream, dialect: Dialect, sent: SentOnStream): void {
    const { world, ledger } = this.#parts;
    let millis = 0;
    for (let count = 1 + world.below(6); count > 0; count--) {
      const marker = markerOf(ledger.nextMarker());
      sent.asked.push(marker);
      const padding = 'x'.repeat(world.chance(0.1) ? world.below(6000) : world.below(60));
      let rest: Buffer = dialect.ask(marker, padding);
      while (rest.length > 0) {
        const piece = world.chance(0.3) ? rest.subarray(0, 1 + world.below(rest.length)) : rest;
        rest = rest.subarray(piece.length);
        world.after(millis, () => client.arrive(piece));
        if (world.chance(0.6)) millis += world.random() * 20;
      }
    }
    const end = world.random();
    if (end < 0.7) world.after(millis + world.random() * 100, () => client.arrive(null));
    else if (end < 0.9) world.after(millis * world.random(), () => client.reset('gone'));
  }

  /** Looks at what it gets, at the moment at which it gets it; answers in order, now and then late or never. */
  #resource(resource: SimulatedStream, dialect: Dialect, sent: SentOnStream, isForbidden: () => boolean): void {
    const { world, ledger, disk } = this.#parts;
    let rest = Buffer.alloc(0);
    resource.onWrite = (bytes) => {
      if (isForbidden()) world.violated('bytes are forwarded after the recorder has failed');
      rest = Buffer.concat([rest, bytes]);
      const markers = markersIn(rest);
      for (const marker of markers) {
        if (!disk.holds(Buffer.from(marker), '/gateway/journal/'))
          world.violated(`${marker} is forwarded and is not durable`);
        ledger.forwarded(sent, marker);
        this.#answer(resource, dialect, sent, marker);
      }
      if (markers.length > 0) rest = Buffer.alloc(0);
    };
    resource.onEnd = () => world.after(world.random() * 50, () => resource.arrive(null), this.#life);
    if (world.chance(0.05)) world.after(world.random() * 300, () => resource.reset('gone'), this.#life);
  }

  #answer(resource: SimulatedStream, dialect: Dialect, sent: SentOnStream, marker: string): void {
    const { world } = this.#parts;
    if (sent.isSilent || world.chance(0.02)) {
      sent.isSilent = true;
      return;
    }
    const [status, bytes] = world.chance(0.8)
      ? (['ok', dialect.answer(marker)] as const)
      : (['error', dialect.refusal(marker)] as const);
    sent.answerMillis = Math.max(sent.answerMillis, world.millis) + world.random() * 10;
    world.after(
      sent.answerMillis - world.millis,
      () => {
        sent.answered.set(marker, status);
        const cut = world.below(bytes.length);
        if (cut > 0) resource.arrive(bytes.subarray(0, cut));
        resource.arrive(bytes.subarray(cut));
      },
      this.#life,
    );
  }

  /** As the gateway does: all sessions end; when the disk takes writes again, it goes on. */
  #failed(): void {
    const { world } = this.#parts;
    if (world.life !== this.#life) return;
    this.#failures++;
    this.#goingOn = this.#goingOn.then(() => this.#goOn());
  }

  async #goOn(): Promise<void> {
    const { world, ledger } = this.#parts;
    const ended = [...this.#open].map(async ([session, carried]) => {
      for (const one of carried) one.stop();
      await Promise.all([...carried].map((one) => one.ended));
      await session.seal('recorder_failed').catch(() => undefined);
    });
    this.#open.clear();
    await Promise.all(ended);
    for (let tries = 0; tries < 5 && this.#recorder!.hasFailed; tries++) {
      await new Promise<void>((resolve) => world.after(2500, resolve, this.#life));
      await this.#recorder!.resume().catch(() => undefined);
    }
    if (this.#recorder!.hasFailed) return;
    ledger.resumed++;
    await this.serve(1 + world.below(2));
  }

  /** Until all is served, and what failed goes on again. */
  async served(): Promise<void> {
    for (let seen = -1; seen !== this.#failures;) {
      seen = this.#failures;
      await this.#goingOn;
    }
  }

  async stop(): Promise<void> {
    for (const [session, carried] of this.#open) {
      for (const one of carried) one.stop();
      await Promise.all([...carried].map((one) => one.ended));
      await session.seal('gateway_stopped').catch(() => undefined);
    }
    await this.#recorder?.close();
  }
}
