import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { UserError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import type { AgentConfig, Secret } from './config.ts';

const commandMillisMax = 10_000;

/** The secret's value. Errors name the variable, file or command, never what it gave. */
export async function readSecret(secret: Secret, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (typeof secret === 'string') return expandEnvironment(secret, environment);
  if ('file' in secret) return readSecretFile(secret.file);
  return runSecretCommand(secret.command);
}

/** Replaces `${env:NAME}`; an unset variable is an error, not an empty password. */
export function expandEnvironment(text: string, environment: NodeJS.ProcessEnv): string {
  return text.replaceAll(/\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
    const value = environment[name];
    if (value !== undefined) return value;
    throw unavailable(`the environment variable ${name} is not set`, `set ${name} where the agent starts`);
  });
}

/** Nothing can set them later in this process; the other resources are served all the same. */
export function warnOfUnsetVariables({ resources }: Pick<AgentConfig, 'resources'>, log: Log): void {
  for (const { name, credentials } of resources) {
    if (typeof credentials.password !== 'string') continue;
    try {
      expandEnvironment(credentials.password, process.env);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      log.warn({ resource: name, error: error.message }, 'sessions on this resource will fail');
    }
  }
}

async function readSecretFile(file: string): Promise<string> {
  try {
    return withoutFinalNewline(await readFile(file, 'utf8'));
  } catch (cause) {
    throw unavailable(`the credential file ${file} cannot be read`, 'make it readable for the agent', cause);
  }
}

async function runSecretCommand(command: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], { timeout: commandMillisMax });
    return withoutFinalNewline(stdout);
  } catch {
    // The cause is dropped on purpose: its message carries the command's output.
    throw unavailable('the credential command failed', 'run it by hand as the agent does');
  }
}

const withoutFinalNewline = (text: string) => text.replace(/\r?\n$/, '');

const unavailable = (message: string, next: string, cause?: unknown) =>
  new UserError('HOOP_RESOURCE_UNREACHABLE', message, { next, cause });
