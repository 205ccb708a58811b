/** How much of the JavaScript heap the files of one host take, before any is spent on them: nothing in JavaScript can stop once the heap is full. */

/** What Node.js has as its heap on a machine with enough memory, in bytes: taken where nobody says what there is. */
export const DEFAULT_HEAP_BYTES = 4 * 1024 ** 3;

/** Heap that is set aside for a byte of an export until it is read, in bytes. A choice, not a bound that was proved; XML and JSON take most. */
const HEAP_PER_BYTE = 40;

/** A file as far as its size goes; `bytes` is absent where it could not be read. */
interface SizedFile {
  readonly bytes: Uint8Array | undefined;
}

/**
 * Why the files of a host are not read with so large a heap, as a sentence that names the host; `undefined` where there is room. Decided by
 * their bytes alone, so that the answer is the same on every machine with that heap.
 */
export function filesTooLarge(
  host: string,
  files: readonly SizedFile[],
  heapBytes: number,
): string | undefined {
  const total = files.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  const most = Math.floor(heapBytes / HEAP_PER_BYTE);
  if (total <= most) return undefined;
  const megabytes = (bytes: number) => (bytes / 1024 ** 2).toFixed(1);
  return `the files of ${host} have ${megabytes(total)} MB, more than the ${megabytes(most)} MB that a heap of ${megabytes(heapBytes)} MB is enough for; NODE_OPTIONS=--max-old-space-size=MB sets it`;
}
