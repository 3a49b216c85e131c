// Memory given back at once. The garbage collector sees how much the objects of its own heap take, hardly what lies
// behind them: buffers of 64 KiB pile up to 50 MiB, more than all else of the work takes, before it has a reason to run.

/** Least size of a buffer that Node makes by itself and not from its pool, in bytes. */
export const ownFromBytes = Buffer.poolSize >>> 1;

/** Frees all of the memory behind this piece, if it is no part of Node's pool. Nobody may read any part of it again. */
export function release({ buffer, length }: Buffer): void {
  const isOwn = buffer.byteLength === length || buffer.byteLength !== Buffer.poolSize;
  if (isOwn && buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
