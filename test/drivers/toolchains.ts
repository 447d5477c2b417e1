import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How a driver's program is run, or why it cannot be. */
export type Program = { file: string; args: string[]; environment?: Record<string, string> } | Missing;

interface Missing {
  missing: string;
  /** What it takes is here, and failed: no network for its packages, or a program that does not compile. */
  isFailure: boolean;
}

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, '../../.cache/drivers');
const source = (...parts: string[]): string => join(here, ...parts);
const setUpMillisMax = 240_000;
const pgjdbc = '42.7.14';

/** Each driver, and how its program is made ready. What has been made is kept under .cache/ until its source changes. */
export const drivers: Record<string, () => Program> = {
  psql: () =>
    has('psql')
      ? { file: 'psql', args: ['-XqAt', '-f', source('psql/driver.sql')] }
      : { missing: 'psql', isFailure: false },
  'postgres.js': () => ({ file: process.execPath, args: [source('postgres-js/driver.mjs')] }),
  'psycopg 3': psycopg,
  'psycopg 3 with protocol 3.2': () => {
    const program = psycopg();
    return 'missing' in program ? program : { ...program, environment: { PGMAXPROTOCOLVERSION: '3.2' } };
  },
  pgx: () => goProgram('pgx'),
  'lib/pq': () => goProgram('lib-pq'),
  JDBC: () => {
    const artifact = `org.postgresql:postgresql:${pgjdbc}`;
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
    const folder = prepared('jdbc', [source('jdbc/Driver.java')], (target) => [
      ['mvn', ['-q', '-B', copy, `-Dartifact=${artifact}`, `-DoutputDirectory=${target}`]],
      ['javac', ['-cp', join(target, `postgresql-${pgjdbc}.jar`), '-d', target, source('jdbc/Driver.java')]],
    ]);
    if ('missing' in folder) return folder;
    const path = `${join(folder.path, `postgresql-${pgjdbc}.jar`)}:${folder.path}`;
    return { file: 'java', args: ['-XX:TieredStopAtLevel=1', '-Dstdout.encoding=UTF-8', '-cp', path, 'Driver'] };
  },
  'tokio-postgres': () => {
    const files = ['src/main.rs', 'Cargo.toml', 'Cargo.lock'].map((name) => source('tokio', name));
    const manifest = source('tokio/Cargo.toml');
    const folder = prepared('tokio', files, (target) => [
      ['cargo', ['build', '-q', '--locked', '--manifest-path', manifest, '--target-dir', target]],
    ]);
    return 'missing' in folder ? folder : { file: join(folder.path, 'debug/hoop-drivers-tokio'), args: [] };
  },
};

function psycopg(): Program {
  const requirements = source('psycopg/requirements.txt');
  const folder = prepared('psycopg', [requirements], (target) => [
    ['python3', ['-m', 'venv', target]],
    [join(target, 'bin/pip'), ['install', '-q', '-r', requirements]],
  ]);
  return 'missing' in folder ? folder : { file: join(folder.path, 'bin/python'), args: [source('psycopg/driver.py')] };
}

function goProgram(name: string): Program {
  const files = ['main.go', 'go.mod', 'go.sum'].map((file) => source(name, file));
  const folder = prepared(name, files, (target) => [
    ['go', ['build', '-C', source(name), '-o', join(target, 'driver'), '.']],
  ]);
  return 'missing' in folder ? folder : { file: join(folder.path, 'driver'), args: [] };
}

/** Makes a folder with the given commands, once for each state of the files. */
function prepared(
  name: string,
  files: string[],
  commands: (target: string) => [string, string[]][],
): { path: string } | Missing {
  const state = createHash('sha256');
  for (const file of files) state.update(readFileSync(file));
  const digest = state.digest('hex');
  const path = join(cache, name);
  const stamp = join(cache, `${name}.made`);
  if (existsSync(stamp) && existsSync(path) && readFileSync(stamp, 'utf8') === digest) return { path };
  rmSync(stamp, { force: true });
  mkdirSync(path, { recursive: true });
  for (const [file, args] of commands(path)) {
    if (!has(file)) return { missing: `${file} is not on this machine`, isFailure: false };
    const { status, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: setUpMillisMax });
    const why = () => `${file} could not prepare it: ${(stderr ?? '').trim().slice(0, 300)}`;
    if (status !== 0) return { missing: why(), isFailure: true };
  }
  writeFileSync(stamp, digest);
  return { path };
}

const has = (program: string): boolean =>
  program.includes('/') ? existsSync(program) : spawnSync('which', [program]).status === 0;
