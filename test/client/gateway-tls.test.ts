import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned, type Certificate } from '../support/certificate.ts';
import { Cli } from '../support/cli.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

describe('a gateway whose certificate is by a CA of one’s own', () => {
  const cli = new Cli();
  let certificate: Certificate;
  let gateway: TestGateway;

  beforeAll(async () => {
    certificate = selfSigned('127.0.0.1');
    const tlsKey = join(cli.configDir, 'gateway-key.pem');
    writeFileSync(tlsKey, certificate.key);
    gateway = await startTestGateway({ tls: { tlsCert: certificate.caFile, tlsKey } });
    await gateway.addUser('alice');
  });
  afterAll(async () => {
    await gateway.close();
    certificate.remove();
    cli.remove();
  });

  it('is not trusted just so', async () => {
    const result = await cli.run(['login', '--gateway', gateway.url]);
    expect(result.code).toBe(5);
    expect(result.stderr).toContain('--ca-file');
  });

  it('is trusted with --ca-file, HOOP_CA_FILE or NODE_EXTRA_CA_CERTS, by sign-in and API', async () => {
    const { caFile, cert } = certificate;
    const args = ['--gateway', gateway.url, '--ca-file', caFile];
    expect(await cli.login('alice', password, args, { ca: cert })).toMatchObject({ code: 0 });
    expect(await cli.run(['whoami'])).toMatchObject({ code: 5 });
    expect(await cli.run(['whoami', '--ca-file', caFile])).toMatchObject({ code: 0 });
    expect(await cli.run(['whoami'], { env: { HOOP_CA_FILE: caFile } })).toMatchObject({ code: 0 });
    expect(await cli.run(['whoami'], { env: { NODE_EXTRA_CA_CERTS: caFile } })).toMatchObject({ code: 0 });
  });
});
