/** Writes and waits while the reader is slower than we are, so that a long recording does not pile up in memory. */
export async function writeTo(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (stream.write(text)) return;
  await new Promise<void>((resolve) => stream.once('drain', resolve));
}
