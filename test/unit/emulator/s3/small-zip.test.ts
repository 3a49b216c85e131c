// The small zips that jobs written by hand bring along, read by a library that others wrote.
import { expect, test } from "vitest";
import { fromBuffer } from "yauzl";
import { zipOf } from "../../../../src/emulator/s3/small-zip.js";

async function entriesOf(zip: Buffer): Promise<Record<string, { readonly text: string; readonly mode: number }>> {
  const found: Record<string, { text: string; mode: number }> = {};
  await new Promise<void>((resolve, reject) => {
    fromBuffer(zip, { lazyEntries: true, strictFileNames: true }, (error, archive) => {
      if (error) return reject(error);
      archive.on("error", reject);
      archive.on("end", () => resolve());
      archive.on("entry", (entry) => {
        archive.openReadStream(entry, async (failure, stream) => {
          if (failure) return reject(failure);
          const pieces: Buffer[] = [];
          for await (const piece of stream) pieces.push(piece as Buffer);
          const mode = entry.externalFileAttributes >>> 16;
          found[entry.fileName] = { text: Buffer.concat(pieces).toString("utf8"), mode };
          archive.readEntry();
        });
      });
      archive.readEntry();
    });
  });
  return found;
}

test("holds the files with their names, texts and modes", async () => {
  const files = { "README.md": "hello\n".repeat(1_000), "src/größe.js": "", "empty/": "" };
  expect(await entriesOf(zipOf(files))).toEqual({
    "README.md": { text: "hello\n".repeat(1_000), mode: 0o100_644 },
    "src/größe.js": { text: "", mode: 0o100_644 },
    "empty/": { text: "", mode: 0o040_755 },
  });
});

test("is the same bytes for the same files", () => {
  expect(zipOf({ a: "1", b: "2" })).toEqual(zipOf({ a: "1", b: "2" }));
});
