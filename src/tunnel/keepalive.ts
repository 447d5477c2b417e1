import type { Clock } from '../shared/clock.ts';

export interface KeepaliveParts {
  ping(): void;
  /** Called once, when the other side has been silent for too long. */
  onLost(): void;
  clock: Pick<Clock, 'monotonicMicros'>;
  /** Calls back after that many milliseconds unless cancelled by the returned function. */
  setTimer(callBack: () => void, millis: number): () => void;
  intervalMillis: number;
  silenceMillisMax: number;
}

export interface Keepalive {
  /** Anything that came from the other side is a sign of life. */
  heard(): void;
  stop(): void;
}

/** After a pause of our own (sleep, SIGSTOP) what came meanwhile is still unread: the other side gets this long. */
const graceMillis = 5_000;

/** Pings at intervals and says when the other side is lost. */
export function startKeepalive(parts: KeepaliveParts): Keepalive {
  const { ping, onLost, setTimer, intervalMillis, silenceMillisMax } = parts;
  const now = () => parts.clock.monotonicMicros() / 1000;
  let heardAt = now();
  let dueAt = 0;
  let cancel: () => void;

  const wait = (millis: number) => {
    dueAt = now() + millis;
    cancel = setTimer(tick, millis);
  };
  const tick = () => {
    const silence = now() - heardAt;
    const wePaused = now() - dueAt > intervalMillis;
    if (silence >= silenceMillisMax && !wePaused) return onLost();
    ping();
    if (silence >= silenceMillisMax) return wait(graceMillis);
    wait(Math.max(1, Math.min(intervalMillis, silenceMillisMax - silence)));
  };
  wait(intervalMillis);
  return { heard: () => (heardAt = now()), stop: () => cancel() };
}
