// Memory given back at once. The garbage collector sees how much the objects of its own heap take, hardly what is
// behind them: buffers of 64 KiB pile up to 50 MiB, more than all else of the work takes, before it has a reason to run.

/** Least size of a buffer that Node makes by itself and not from its pool, in bytes. */
export const ownFromBytes = Buffer.poolSize >>> 1;

/**
 * Frees the memory behind a piece that has it for itself, as nearly all from a connection do; leaves any other alone.
 * For the main thread: a module handler there may set `Buffer.poolSize`, and then an older pool can no longer be
 * recognized by its size. Node does not allow a pool to be freed, and the error would be the download's.
 */
export function releaseWhole(piece: Buffer): void {
  if (piece.buffer.byteLength === piece.length) release(piece);
}

/**
 * Frees all of the memory behind this piece, if it is no part of Node's pool. No part of it may be read again.
 * For threads of our own only.
 */
export function release({ buffer, length }: Buffer): void {
  const isOwn = buffer.byteLength === length || buffer.byteLength !== Buffer.poolSize;
  if (isOwn && buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
