/** Time as an argument, so that tests and the simulation own it. */
export interface Clock {
  /** Wall time in microseconds since 1970-01-01T00:00Z; below 2^53 until the year 2255. */
  nowMicros(): number;
  /** Monotonic time in microseconds, for durations. */
  monotonicMicros(): number;
}

export const systemClock: Clock = {
  nowMicros: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
  monotonicMicros: () => Math.round(performance.now() * 1000),
};
