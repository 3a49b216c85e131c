// Inflates a sequence of pieces: the library's pool inflates the next piece while the thread writes the one before.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Gunzip, InflateRaw } from "node:zlib";

/** The content, piece by piece. What the pieces throw passes through; what the inflater throws becomes `damaged()`. */
export async function* inflated(
  packed: Iterable<Buffer>,
  inflater: InflateRaw | Gunzip,
  damaged: () => Error,
): AsyncGenerator<Buffer> {
  const source = Readable.from(packed, { highWaterMark: 1 });
  const end = pipeline(source, inflater).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  try {
    for await (const piece of inflater) yield piece as Buffer;
  } catch (error) {
    throw isOfZlib(error) ? damaged() : error;
  } finally {
    inflater.destroy();
    await end;
  }
}

function isOfZlib(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code.startsWith("Z_");
}
