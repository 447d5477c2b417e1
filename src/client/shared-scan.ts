/**
 * One scan for all who ask while another one runs, begun after each of them asked: what it finds is never older than the question.
 * A scan that fails fails for those who wait for it, and for nobody after them.
 */
export function sharedScan<T>(scan: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= start();
    return next;
  };
  function start(): Promise<T> {
    const mine = running.then(() => {
      next = undefined; // whoever asks from now on needs a later one
      return scan();
    });
    running = mine.catch(() => undefined);
    return mine;
  }
}
