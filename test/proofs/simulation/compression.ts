import { gunzipSync, gzipSync } from 'node:zlib';
import type { Compression } from '../../../src/recording/compression.ts';

/** Without a thread, whose pace no seed decides. */
export const immediateGzip: Compression = {
  compress: async (bytes) => gzipSync(bytes),
  decompress: async (bytes, bytesMax) => gunzipSync(bytes, { maxOutputLength: bytesMax }),
};
