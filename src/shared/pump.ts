import { written, type Duplex } from './duplex.ts';

/**
 * Joins two byte streams until both directions have ended: what client and agent do with bytes that only the gateway reads.
 * Half-close passes through; a reset of one side resets the other. Resolves when both are closed; never rejects.
 */
export async function pump(a: Duplex, b: Duplex): Promise<void> {
  await Promise.allSettled([carryOneWay(a, b), carryOneWay(b, a)]);
  await Promise.all([a.closed, b.closed]);
}

async function carryOneWay(from: Duplex, to: Duplex): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes !== null; bytes = await from.read()) {
      const writing = to.write(bytes);
      if (writing !== written) await writing;
    }
    to.end();
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'reset';
    from.reset(reason);
    to.reset(reason);
  }
}
