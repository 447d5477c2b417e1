// `npm test`: all set-up, then lint and every test. The last line is `N passed, N failed, N skipped`.
// Arguments go to vitest. HOOP_TEST_LINT=0 leaves lint out (a second run on another Node).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { installAndBuild, root, run, say } from './set-up.mjs';

/** Real servers and programs that the tests use, by a file that shows that they are there. */
const debianPackages = [
  ['postgresql', '/usr/lib/postgresql'],
  ['gnome-keyring', '/usr/bin/gnome-keyring-daemon'],
  ['dbus', '/usr/bin/dbus-run-session'],
  ['libsecret-tools', '/usr/bin/secret-tool'],
  ['openssl', '/usr/bin/openssl'],
  ['lsof', '/usr/bin/lsof'],
  ['strace', '/usr/bin/strace'],
  ['python3', '/usr/bin/python3'],
  ['chromium', '/usr/bin/chromium'],
  ['zsh', '/usr/bin/zsh'],
];

// Also where the set-up fails: whoever reads only the last line must not take silence for success.
const noTests = () => process.stdout.write('0 passed, 1 failed, 0 skipped\n');
process.once('exit', noTests);
installAndBuild();
installDebianPackages();
const lintFailed = process.env.HOOP_TEST_LINT !== '0' && lint() !== 0;
process.off('exit', noTests);
const vitest = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // The summary counts it as one failure.
  env: { ...process.env, HOOP_TEST_LINT_FAILED: lintFailed ? '1' : '' },
});
process.exit(vitest.status === 0 && lintFailed ? 1 : (vitest.status ?? 1));

function lint() {
  say('linting …');
  const { status } = spawnSync('npm', ['run', '--silent', 'lint'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) say('lint failed; the tests run all the same');
  return status;
}

function installDebianPackages() {
  const missing = debianPackages.filter(([, file]) => !existsSync(file)).map(([name]) => name);
  if (missing.length === 0) return;
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`not installed, and this user cannot install them: ${missing.join(', ')}; tests that need them will say so`);
    return;
  }
  say(`installing ${missing.join(', ')} …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env }];
  if (attempt(...install)) return;
  run('apt-get', ['update', '-qq'], { env, quiet: true });
  run(install[0], install[1], { env, quiet: true });
}

/** Package lists that are there already often do; a refresh costs half a minute. */
function attempt(file, args, { env }) {
  return spawnSync(file, args, { stdio: 'ignore', env: { ...process.env, ...env } }).status === 0;
}
