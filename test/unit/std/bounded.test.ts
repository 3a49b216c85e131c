// Whatever the pieces, nothing beyond the limit is kept, and a body within it comes out as it came in.
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { BoundedBytes, readBounded } from "../../../src/std/bounded.js";

it("keeps what fits of any pieces, and says from when on it does not", async () => {
  await fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9 })), fc.nat({ max: 30 }), (pieces, max) => {
      const bytes = new BoundedBytes(max);
      const all = Buffer.concat(pieces);
      let total = 0;
      for (const piece of pieces) {
        total += piece.length;
        expect(bytes.add(piece)).toBe(total <= max);
      }
      expect(bytes.total).toBe(all.length);
      expect(bytes.whole().equals(all.subarray(0, max))).toBe(true);
    }),
  );
});

it("does not copy a body that came in one piece", () => {
  const bytes = new BoundedBytes(10);
  const piece = Buffer.from("body");
  bytes.add(piece);
  expect([bytes.whole().buffer === piece.buffer, bytes.whole().toString()]).toEqual([true, "body"]);
});

it.each([
  [0, true],
  [65_536, true],
  [99_999, true],
  [100_000, true],
  [100_001, false],
])("reads a file of %i bytes within 100000: %s", async (size, fits) => {
  const folder = await mkdtemp(join(tmpdir(), "partnerd-bounded-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const content = Buffer.alloc(size, "0123456789");
  await writeFile(join(folder, "file"), content);
  const file = await open(join(folder, "file"));
  onTestFinished(() => file.close());
  const bytes = await readBounded(file, 100_000);
  expect(bytes === undefined ? "too long" : bytes.equals(content)).toBe(fits ? true : "too long");
});
