// `npm test`: all set-up, then lint and every test. The last line is `N passed, N failed, N skipped`.
// Arguments go to vitest. HOOP_TEST_LINT=0 leaves lint out (a second run on another Node).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { installAndBuild, root, run, say } from './set-up.mjs';

/** Real servers and programs that the tests use, by a file that shows that they are there. */
const debianPackages = [
  ['postgresql', () => existsSync('/usr/lib/postgresql')],
  ['postgresql-contrib', () => existsSync('/usr/lib/postgresql')],
  ['gnome-keyring', () => existsSync('/usr/bin/gnome-keyring-daemon')],
  ['dbus', () => existsSync('/usr/bin/dbus-run-session')],
  ['libsecret-tools', () => existsSync('/usr/bin/secret-tool')],
  ['strace', () => existsSync('/usr/bin/strace')],
  ['python3', () => existsSync('/usr/bin/python3')],
  ['chromium', () => existsSync('/usr/bin/chromium')],
];

installAndBuild();
installDebianPackages();
if (process.env.HOOP_TEST_LINT !== '0') run('npm', ['run', '--silent', 'lint']);
const vitest = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(vitest.status ?? 1);

function installDebianPackages() {
  const missing = debianPackages.filter(([, isThere]) => !isThere()).map(([name]) => name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`not installed, and this user cannot install them: ${missing.join(', ')}; tests that need them will say so`);
    return;
  }
  say(`installing ${missing.join(', ')} …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env, quiet: true });
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env, quiet: true });
}
