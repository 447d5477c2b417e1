/**
 * What the record asks of a file system, as an argument, so that a test can be the disk: one that tears, fails, stalls and forgets.
 * The system's own is `systemDisk` in durable.ts. Errors are the system's (`code: 'ENOENT'` …).
 */
export interface Disk {
  /** For how long it takes; monotonic. */
  nowMillis(): number;
  /** The same without the time for which this thread had to wait for a processor: that is no fault of the disk. */
  runningMillis(): number;
  /** `wx`: made anew, and it must not be there. */
  open(path: string, flags: 'r' | 'wx'): Promise<OpenFile>;
  readFile(path: string): Promise<Buffer>;
  /** Names in a directory. */
  list(directory: string): Promise<string[]>;
  /** Undefined where there is no such file. */
  sizeOf(path: string): Promise<number | undefined>;
  /** Makes the directory and its parents; the first that was not there. */
  makeDirectory(path: string): Promise<string | undefined>;
  /** The names in it are durable on return. */
  syncDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Of a file that need not be there. */
  remove(path: string): Promise<void>;
}

/** Nothing that was written is durable before a sync has returned. */
export interface OpenFile {
  /** Takes what it can of the buffers; how many bytes that was. */
  write(buffers: Buffer[], offset: number): Promise<number>;
  /** As `write`, while the event loop stands still. */
  writeNow(buffers: Buffer[], offset: number): number;
  /** Content, and what of its metadata is needed to read it. */
  syncContent(): Promise<void>;
  syncContentNow(): void;
  sync(): Promise<void>;
  /** Fewer bytes than there is room for only at the end of the file. */
  read(into: Buffer, position: number): Promise<number>;
  size(): Promise<number>;
  close(): Promise<void>;
}
