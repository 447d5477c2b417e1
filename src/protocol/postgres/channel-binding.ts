import { createHash } from 'node:crypto';

/** Signature algorithms whose hash is not SHA-256, by their DER-encoded object identifiers. RFC 5929 section 4.1. */
const otherHashes: [string, string][] = [
  ['2a864886f70d01010c', 'sha384'], // sha384WithRSAEncryption
  ['2a864886f70d01010d', 'sha512'], // sha512WithRSAEncryption
  ['2a8648ce3d040303', 'sha384'], // ecdsa-with-SHA384
  ['2a8648ce3d040304', 'sha512'], // ecdsa-with-SHA512
];
/** No hash is defined for these: no channel binding. */
const unbindable = ['2b6570', '2b6571', '2a864886f70d01010a']; // Ed25519, Ed448, RSASSA-PSS

/**
 * `tls-server-end-point`: the hash of the server's certificate (DER) with its signature's hash; MD5 and SHA-1 count as SHA-256. The
 * signature algorithm is read where it first stands, near the front of the certificate. Undefined where none is defined.
 */
export function certificateBinding(certificate: Uint8Array): Uint8Array | undefined {
  const algorithm = signatureAlgorithm(certificate);
  if (algorithm === undefined || unbindable.includes(algorithm)) return undefined;
  const hash = otherHashes.find(([oid]) => oid === algorithm)?.[1] ?? 'sha256';
  return createHash(hash).update(certificate).digest();
}

/** Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, … }, … } */
function signatureAlgorithm(der: Uint8Array): string | undefined {
  const outer = element(der, 0);
  const tbs = outer && element(der, outer.start);
  const algorithm = tbs && element(der, tbs.end);
  const oid = algorithm && element(der, algorithm.start);
  if (!oid || der[algorithm.start] !== 0x06) return undefined;
  return Buffer.from(der.subarray(oid.start, oid.end)).toString('hex');
}

/** Where the contents of the DER element at an offset start and end. */
function element(der: Uint8Array, at: number): { start: number; end: number } | undefined {
  const first = der[at + 1];
  if (first === undefined) return undefined;
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const count = first & 0x7f;
  if (count === 0 || count > 4) return undefined;
  let length = 0;
  for (let index = 0; index < count; index++) length = length * 256 + (der[at + 2 + index] ?? 0);
  return { start: at + 2 + count, end: at + 2 + count + length };
}
