import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  key: string;
  cert: string;
  /** The certificate as a file, to be trusted. */
  caFile: string;
  keyFile: string;
  remove(): void;
}

/** A self-signed certificate for one name or address, by the machine's openssl; its signature's hash is SHA-256 unless named. */
export function selfSigned(name: string, digest = 'sha256'): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-tls-'));
  const [keyFile, caFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const alternative = /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`;
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = [`-${digest}`, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${alternative}`];
  execFileSync('openssl', [...request, ...names, '-keyout', keyFile, '-out', caFile], { stdio: 'ignore' });
  return {
    key: readFileSync(keyFile, 'utf8'),
    cert: readFileSync(caFile, 'utf8'),
    caFile,
    keyFile,
    remove: () => rmSync(folder, { recursive: true }),
  };
}
