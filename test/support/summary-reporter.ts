import type { Reporter, TestModule } from 'vitest/node';

/** Prints `N passed, N failed, N skipped` alone on the very last line, for whoever reads results by machine. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: errors.length + (process.env['HOOP_TEST_LINT_FAILED'] ? 1 : 0), skipped: 0 };
    for (const module of modules) {
      // A file that cannot be loaded, a hook that fails: its tests count as skipped, so it counts itself.
      if (module.errors().length > 0) counts.failed++;
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) counts.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed' || state === 'failed' || state === 'skipped') counts[state]++;
      }
    }
    const line = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`;
    // After the other reporters' own end-of-run lines.
    process.once('exit', () => process.stdout.write(line));
  }
}
