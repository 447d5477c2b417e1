import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

/** How members of a sealed recording are made and read; an argument, because a thread's pace is nothing that a simulation can repeat. */
export interface Compression {
  compress(bytes: Uint8Array): Promise<Buffer>;
  /** Rejects where the bytes are not what `compress` gives, or are more than `bytesMax`. */
  decompress(bytes: Uint8Array, bytesMax: number): Promise<Buffer>;
}

const [gzipped, gunzipped] = [promisify(gzip), promisify(gunzip)];

export const threadedGzip: Compression = {
  compress: (bytes) => gzipped(bytes),
  decompress: (bytes, bytesMax) => gunzipped(bytes, { maxOutputLength: bytesMax }),
};
