/** What can go wrong before a WebSocket stands, in words for the person who waits for it. */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import * as tls from 'node:tls';
import { apiErrorSchema } from '../shared/api.ts';
import { errorCodes, type ErrorCode } from '../shared/error-codes.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';

/** Reads the gateway's refusal: its own code and words where it gave some. */
export async function upgradeRefused(response: IncomingMessage, url: string): Promise<UserError> {
  const body = await readBody(response);
  const refusal = apiErrorSchema.safeParse(body);
  const status = response.statusCode ?? 0;
  if (refusal.success && Object.hasOwn(errorCodes, refusal.data.error.code)) {
    const { code, message, next } = refusal.data.error;
    return new UserError(code as ErrorCode, message, next === undefined ? {} : { next });
  }
  if (status === 401) return new UserError('HOOP_SIGN_IN', 'the gateway wants a sign-in', { next: 'hoop login' });
  if (status === 403)
    return new UserError('HOOP_DENIED', 'the gateway refuses this connection', { next: 'ask its administrator' });
  return new UserError('HOOP_GATEWAY_UNREACHABLE', `${originOf(url)} answered ${status}, not as a hoop gateway does`, {
    next: 'check the gateway’s address, and that a proxy in between passes WebSockets on',
  });
}

async function readBody(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      if (bytes > limits.controlBytesMax) return undefined;
      chunks.push(chunk as Buffer);
    }
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined; // not an answer of ours
  }
}

/** Why nothing answered: the system's or OpenSSL's code tells which next step helps. */
export function unreachable(url: string, cause: Error & { code?: string }): UserError {
  const what = cause.message || cause.code || 'no answer';
  return new UserError('HOOP_GATEWAY_UNREACHABLE', `the gateway at ${originOf(url)} cannot be reached: ${what}`, {
    next: nextStep(cause.code ?? ''),
    cause,
  });
}

function nextStep(code: string): string {
  if (code === 'ECONNREFUSED') return 'start it with `hoop gateway start`, or check host and port';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'check the host name and this machine’s DNS';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'use the host name that the gateway’s certificate names';
  if (code === 'CERT_HAS_EXPIRED') return 'renew the gateway’s certificate';
  if (/CERT|SIGNATURE|ISSUER/.test(code))
    return 'give the CA of the gateway’s certificate with --ca-file or HOOP_CA_FILE';
  if (code === 'EPROTO') return 'check whether the gateway speaks https or http on this port';
  return 'check the address, the network, and that the gateway runs';
}

/** The usual roots and the caller's own; undefined for the usual ones alone. */
export async function trustedCertificates(options: { ca?: string; caFile?: string }): Promise<string[] | undefined> {
  const own = [options.ca, options.caFile === undefined ? undefined : await readCaFile(options.caFile)];
  const given = own.filter((pem) => pem !== undefined);
  if (given.length === 0) return undefined;
  // Node >= 22.15 lists what NODE_EXTRA_CA_CERTS and the system store add; before that only the bundled roots can be had.
  const listed = (tls as { getCACertificates?: (kind: string) => string[] }).getCACertificates?.('default');
  return [...(listed ?? tls.rootCertificates), ...given];
}

async function readCaFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new UserError('HOOP_CONFIG', `the CA file ${path} cannot be read`, {
      next: 'check --ca-file or HOOP_CA_FILE',
      cause,
    });
  }
}

const originOf = (url: string): string => new URL(url).origin.replace(/^ws/, 'http');
