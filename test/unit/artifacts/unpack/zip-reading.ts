// Reads a zip file with yauzl, a reader that is not ours: names, modes and bytes as another worker would see them.
import { buffer } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import { type Entry, openPromise } from "yauzl";

export interface ReadEntry {
  readonly name: string;
  readonly mode: number;
  readonly text: string;
  readonly entry: Entry;
}

/** All entries in the order of the central directory. Throws when one's checksum does not fit its bytes. */
export async function readZip(path: string): Promise<readonly ReadEntry[]> {
  const zip = await openPromise(path, { strictFileNames: true });
  const found: ReadEntry[] = [];
  for await (const entry of zip.eachEntry()) {
    const bytes = await buffer(await zip.openReadStreamPromise(entry));
    if (crc32(bytes) !== entry.crc32) throw new Error(`the checksum of ${entry.fileName} does not fit`);
    const mode = entry.externalFileAttributes >>> 16;
    found.push({ name: entry.fileName, mode, text: bytes.toString("utf8"), entry });
  }
  return found;
}
