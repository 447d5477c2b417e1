import type { Reporter, TestCase } from 'vitest/node';

/** Only what the benchmarks print, and failures. */
export default class PlainReporter implements Reporter {
  onUserConsoleLog({ content }: { content: string }): void {
    process.stdout.write(content);
  }

  onTestCaseResult(test: TestCase): void {
    for (const error of test.result().errors ?? [])
      process.stderr.write(`${test.fullName}: ${error.stack ?? error.message}\n`);
  }
}
