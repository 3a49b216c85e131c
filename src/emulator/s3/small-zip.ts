// Small zip archives out of texts, for the inputs of jobs that are written down by hand: names in the order given, dates
// fixed, so that the same files give the same bytes.
import { crc32, deflateRawSync } from "node:zlib";

/** 1 January 2020, in DOS's words. */
const dosDate = ((2020 - 1980) << 9) | (1 << 5) | 1;
/** Regular file, 0644; what ends in a slash is a folder, 0755. */
const fileMode = 0o100_644;
const folderMode = 0o040_755;
const entriesMax = 65_535;

/** A zip of the files by name; a name that ends in a slash is a folder. Throws RangeError for too many. */
export function zipOf(files: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(files);
  if (entries.length > entriesMax) throw new RangeError(`a zip made here has at most ${entriesMax} files`);
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, text] of entries) {
    const content = Buffer.from(text);
    const packed = deflateRawSync(content);
    const encodedName = Buffer.from(name);
    const common = commonHeader(content, packed, encodedName);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, encodedName, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((name.endsWith("/") ? folderMode : fileMode) * 65_536, 6);
    rest.writeUInt32LE(at, 10);
    // Made on Unix, so that the modes count.
    directory.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, rest, encodedName);
    parts.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, central, end]);
}

/** What the local header and the directory's entry have in common: 26 bytes from `version needed` on. */
function commonHeader(content: Buffer, packed: Buffer, name: Buffer): Buffer {
  const header = Buffer.alloc(26);
  header.writeUInt16LE(20, 0);
  // Names are UTF-8.
  header.writeUInt16LE(0x0800, 2);
  header.writeUInt16LE(8, 4);
  header.writeUInt16LE(dosDate, 8);
  header.writeUInt32LE(crc32(content), 10);
  header.writeUInt32LE(packed.length, 14);
  header.writeUInt32LE(content.length, 18);
  header.writeUInt16LE(name.length, 22);
  return header;
}
