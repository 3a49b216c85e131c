// The records of files beyond 4 GiB, which no test writes in full, read by yauzl.

import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { type Entry, fromBufferPromise, fromRandomAccessReaderPromise, RandomAccessReader } from "yauzl";
import { centralHeader, endRecords, localHeader, type ZipEntry } from "../../../../src/artifacts/pack/zip-records.js";

const gib = 2 ** 30;
const plain: ZipEntry = {
  name: Buffer.from("a.bin"),
  mode: 0o100_644,
  isFolder: false,
  mtimeMs: Date.UTC(2026, 5, 1, 12, 30, 41),
  method: "deflated",
  crc: 0x1234_5678,
  packedBytes: 1_000,
  plainBytes: 5_000,
  offset: 0,
  isLarge: false,
};

/** A file that is zeros but for what lies at its end. */
class MostlyZeros extends RandomAccessReader {
  readonly #tail: Buffer;
  readonly #tailAt: number;

  constructor(tail: Buffer, tailAt: number) {
    super();
    this.#tail = tail;
    this.#tailAt = tailAt;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    const bytes = Buffer.alloc(end - start);
    const from = Math.max(start - this.#tailAt, 0);
    if (end > this.#tailAt) this.#tail.copy(bytes, Math.max(this.#tailAt - start, 0), from, end - this.#tailAt);
    return Readable.from([bytes]);
  }
}

async function read(entries: readonly ZipEntry[], offset: number): Promise<readonly Entry[]> {
  const central = Buffer.concat(entries.map(centralHeader));
  const tail = Buffer.concat([central, endRecords({ entries: entries.length, bytes: central.length, offset })]);
  // A reader that is asked for each piece takes seconds for many entries.
  const zip =
    offset === 0
      ? await fromBufferPromise(tail, {})
      : await fromRandomAccessReaderPromise(new MostlyZeros(tail, offset), offset + tail.length, {});
  const found: Entry[] = [];
  for await (const entry of zip.eachEntry()) found.push(entry);
  return found;
}

test("says sizes and places beyond 4 GiB in 64 bits", async () => {
  const large = { ...plain, plainBytes: 9 * gib, packedBytes: 5 * gib, isLarge: true };
  const [first, second, third] = await read(
    [large, { ...plain, offset: 5 * gib }, { ...plain, plainBytes: 4 * gib - 1, isLarge: true }],
    6 * gib,
  );
  expect(first).toMatchObject({ uncompressedSize: 9 * gib, compressedSize: 5 * gib, relativeOffsetOfLocalHeader: 0 });
  expect(second).toMatchObject({
    uncompressedSize: 5_000,
    compressedSize: 1_000,
    relativeOffsetOfLocalHeader: 5 * gib,
  });
  expect(third).toMatchObject({ uncompressedSize: 4 * gib - 1, compressedSize: 1_000 });
});

test("counts more entries than 16 bits hold", async () => {
  const found = await read(
    Array.from({ length: 65_600 }, () => plain),
    0,
  );
  expect(found.length).toBe(65_600);
});

test("gives a large file's local header room for 64-bit sizes, so that it can be patched in place", () => {
  const before = localHeader({ ...plain, isLarge: true, packedBytes: 0, plainBytes: 0 });
  const after = localHeader({ ...plain, isLarge: true, packedBytes: 5 * gib, plainBytes: 9 * gib });
  expect(after.length).toBe(before.length);
  expect(after.readUInt32LE(18)).toBe(0xffff_ffff);
  expect(after.readBigUInt64LE(after.length - 16)).toBe(BigInt(9 * gib));
  expect(after.readBigUInt64LE(after.length - 8)).toBe(BigInt(5 * gib));
});

test("keeps times to the second in UTC, and clamps those that MS-DOS does not know", async () => {
  const dates = [plain.mtimeMs, Date.UTC(1970, 0, 1), Date.UTC(1901, 0, 1)];
  const found = await read(
    dates.map((mtimeMs) => ({ ...plain, mtimeMs })),
    0,
  );
  expect(found.map((entry) => entry.getLastModDate({ timezone: "UTC" }).toISOString())).toEqual([
    "2026-06-01T12:30:41.000Z",
    "1970-01-01T00:00:00.000Z",
    "1980-01-01T00:00:00.000Z",
  ]);
});

test("marks what was made on Unix, and folders for readers that know none of its modes", async () => {
  const [folder] = await read([{ ...plain, name: Buffer.from("d/"), isFolder: true, mode: 0o040_755 }], 0);
  expect(folder?.versionMadeBy).toBe((3 << 8) | 20);
  expect(folder?.externalFileAttributes).toBe(((0o040_755 << 16) | 0x10) >>> 0);
});
