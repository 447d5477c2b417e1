import { entryHash, headerBytes } from './entry-codec.ts';
import { footerBytes, preambleBytes, type SealedKind } from './sealed-format.ts';
import { openSealed, readSealed, type PositionalReader, type SealedFile } from './sealed-reader.ts';
import { CutOff } from './verify-session.ts';

/**
 * The entries of a sealed recording for a verifier, stricter than a reader has to be: nothing stands in the files that is not part of
 * the recording. Throws CutOff where a file lost its end, RangeError for anything else that the writer would not have written.
 */
export async function* strictEntries(readers: Record<SealedKind, PositionalReader>): AsyncGenerator<Buffer> {
  await expectEnd(readers.chain, 'chain');
  await expectEnd(readers.payload, 'payload');
  const files = await openSealed(readers);
  await expectNothingElse(files.chain, readers.chain);
  await expectNothingElse(files.payload, readers.payload);
  if (files.chain.footer.uncompressed !== files.chain.footer.entries * headerBytes)
    throw new RangeError('the chain file has another length than its entries');
  let [payloadBytes, head]: [number, Buffer | undefined] = [0, undefined];
  for await (const entry of readSealed(files)) {
    const isErased = entry.length === headerBytes;
    payloadBytes += lengthBytes + (isErased ? 0 : entry.length - headerBytes);
    head = entryHash(entry);
    yield entry;
  }
  if (head && (!head.equals(files.chain.footer.head) || payloadBytes !== files.payload.footer.uncompressed))
    throw new RangeError('the footer is another recording’s');
}

/** Before each payload in the payload file. */
const lengthBytes = 4;

const endMagic = 'hoopend\n';

async function expectEnd({ size, read }: PositionalReader, kind: SealedKind): Promise<void> {
  const isWhole =
    size >= preambleBytes + footerBytes && Buffer.from(await read(size - 8, 8)).toString('latin1') === endMagic;
  if (!isWhole) throw new CutOff(`the ${kind} file has lost its end`);
}

/** gzip's header as the writer makes it, up to the byte that names the operating system. */
const gzipHeader = '1f8b08000000000000';

async function expectNothingElse({ members, footer }: SealedFile, { read }: PositionalReader): Promise<void> {
  const reserved = Buffer.from(await read(10, 6));
  if (reserved.some((byte) => byte !== 0)) throw new RangeError('the preamble has unknown flags');
  let [at, uncompressed] = [preambleBytes, 0];
  for (const member of members) {
    if (member.offset !== at) throw new RangeError(`there is something else at byte ${at}`);
    if (Buffer.from(await read(at, 9)).toString('hex') !== gzipHeader)
      throw new RangeError(`the member at byte ${at} has another header`);
    at += member.compressed;
    uncompressed += member.uncompressed;
  }
  if (at !== footer.indexOffset || uncompressed !== footer.uncompressed)
    throw new RangeError('the members are not those that the footer counts');
}
