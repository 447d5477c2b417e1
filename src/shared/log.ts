/** The few words that long-running roles say to their operator. `pino` implements it; tests pass an array. Never a secret in a field. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
