import { stat } from 'node:fs';

/** What may hang longest where it does. */
const everyMillis = 500;
let timer: NodeJS.Timeout | undefined;

/**
 * Until the process ends; it does not keep it alive. Before glibc 2.41 pthread_cond_signal may lose a wake-up (its bug 25847): all threads
 * of Node's pool sleep, and a sync or an unlink waits in their queue for good. The next piece of work wakes one, which takes both; a program
 * that waits for the first never has a next. So it is given one.
 */
export function keepThreadPoolAwake(): void {
  timer ??= setInterval(() => stat('/', () => undefined), everyMillis).unref();
}
