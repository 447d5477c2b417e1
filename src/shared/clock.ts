import { whenTurnEnds } from './turn.ts';

/** Time as an argument, so that tests and the simulation own it. */
export interface Clock {
  /** Wall time in microseconds since 1970-01-01T00:00Z; below 2^53 until the year 2255. */
  nowMicros(): number;
  /** Monotonic time in microseconds, for durations. */
  monotonicMicros(): number;
}

/** Read once: asking costs more than the time itself. */
const { timeOrigin } = performance;

export const systemClock: Clock = {
  nowMicros: () => Math.round((timeOrigin + performance.now()) * 1000),
  monotonicMicros: () => Math.round(performance.now() * 1000),
};

/** Waiting as an argument, for the same reason. */
export interface Timers {
  /** Acts so many milliseconds later; what it gives calls that off. */
  after(millis: number, act: () => void): () => void;
  /** Acts when this turn of the event loop is over, before what was written in it is sent. */
  soon(act: () => void): void;
}

export const systemTimers: Timers = {
  after(millis, act) {
    const timer = setTimeout(act, millis);
    return () => clearTimeout(timer);
  },
  soon: (act) => whenTurnEnds('record', act),
};
