// Inflates a sequence of pieces: the library's pool inflates the next one while the thread writes the one before.
// Gives memory back at once: a thread that makes little else gives the garbage collector no reason to run.
import type { Transform } from "node:stream";
import { codeOf } from "../../std/errors.js";
import { release } from "../release.js";

/**
 * The content, piece by piece, each valid until the next is asked for; each of `packed` is used up before the next is
 * asked for, too. What `packed` throws passes through; what the inflater throws becomes `damaged(code)`.
 */
export async function* inflated(
  packed: Iterable<Buffer>,
  inflater: Transform,
  damaged: (code: string) => Error,
): AsyncGenerator<Buffer> {
  let cause: { readonly error: unknown } | undefined;
  const fed = feed(packed, inflater).catch((error: unknown) => {
    cause = { error };
    inflater.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const piece of inflater) {
      yield piece as Buffer;
      releaseLast(piece as Buffer);
    }
  } catch (error) {
    const first = cause?.error ?? error;
    const code = codeOf(first) ?? "";
    throw code.startsWith("Z_") || code.startsWith("ZSTD_") ? damaged(code) : first;
  } finally {
    inflater.destroy();
    await fed;
  }
}

async function feed(packed: Iterable<Buffer>, inflater: Transform): Promise<void> {
  for (const piece of packed) {
    await new Promise<void>((resolve) => {
      // An inflater that fails in the middle of a piece closes and never calls back for it.
      const done = () => {
        inflater.off("close", done);
        resolve();
      };
      inflater.once("close", done);
      inflater.write(piece, done);
    });
    // Any error is reported to the reader.
    if (inflater.destroyed) return;
  }
  inflater.end();
}

/** The inflater fills a buffer piece by piece: with the last one, all of it has been read. */
function releaseLast(piece: Buffer): void {
  if (piece.byteOffset + piece.length === piece.buffer.byteLength) release(piece);
}
