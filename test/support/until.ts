/** Waits for a condition in the world outside (a file, another process), or throws saying what was waited for. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { seconds = 20, what = () => String(condition) }: { seconds?: number; what?: () => string } = {},
): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; !(await condition());) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
