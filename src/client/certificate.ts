/**
 * A self-signed X.509 certificate (RFC 5280) for 127.0.0.1 and localhost, in DER: Node makes keys and signatures, but no certificates.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export interface KeyAndCertificate {
  key: string;
  cert: string;
}

const tag = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
};
/** Object identifiers, encoded: RFC 5758 (signature), RFC 5280 (names and extensions). */
const oid = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
};
const dayMillis = 86_400_000;
/** Longer than any process lives, shorter than what some clients refuse (825 days). */
const validDays = 397;

/** Made anew for each process; the key is never written anywhere. */
export function selfSignedCertificate(nowMillis: number): KeyAndCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(tag.sequence, object(oid.ecdsaWithSha256));
  const name = der(
    tag.sequence,
    der(tag.set, der(tag.sequence, object(oid.commonName), der(tag.utf8, Buffer.from('hoop local port')))),
  );
  // A day back, for clocks that differ.
  const validity = der(tag.sequence, time(nowMillis - dayMillis), time(nowMillis + validDays * dayMillis));
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40; // positive, and no leading zero
  const toBeSigned = der(
    tag.sequence,
    der(0xa0, der(tag.integer, Buffer.of(2))), // version 3
    der(tag.integer, serial),
    algorithm,
    name, // issuer
    validity,
    name, // subject
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(tag.sequence, alternativeNames(), usage())),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const bytes = der(tag.sequence, toBeSigned, algorithm, der(tag.bits, Buffer.concat([Buffer.of(0), signature])));
  const lines = bytes.toString('base64').replaceAll(/.{1,64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`,
  };
}

/** GeneralName: [2] is a DNS name, [7] an address. */
const alternativeNames = (): Buffer =>
  extension(
    oid.subjectAltName,
    der(tag.sequence, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.of(127, 0, 0, 1))),
  );

const usage = (): Buffer => extension(oid.extendedKeyUsage, der(tag.sequence, object(oid.serverAuth)));

const extension = (id: string, value: Buffer): Buffer => der(tag.sequence, object(id), der(tag.octets, value));
const object = (id: string): Buffer => der(tag.oid, Buffer.from(id, 'hex'));

/** YYMMDDhhmmssZ: good until 2049. */
const time = (millis: number): Buffer =>
  der(tag.utcTime, Buffer.from(`${new Date(millis).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`));

function der(type: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const head =
    length < 0x80 ? [type, length] : length < 0x100 ? [type, 0x81, length] : [type, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), value]);
}
