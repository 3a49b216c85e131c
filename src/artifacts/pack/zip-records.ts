// The records of a zip file (APPNOTE.TXT 6.3) as bytes. Pure: it knows no file and no clock.

/** What a zip file says of one entry. */
export interface ZipEntry {
  /** UTF-8, folders with a slash at the end. */
  readonly name: Buffer;
  /** Unix's file type and permissions. */
  readonly mode: number;
  readonly isFolder: boolean;
  readonly mtimeMs: number;
  readonly method: "stored" | "deflated";
  readonly crc: number;
  readonly packedBytes: number;
  readonly plainBytes: number;
  /** Where its local header begins. */
  readonly offset: number;
  /** The local header has 64-bit sizes, whatever they turned out to be. */
  readonly isLarge: boolean;
}

const max16 = 0xffff;
const max32 = 0xffffffff;
const versionPlain = 20;
const versionZip64 = 45;
const madeOnUnix = 3 << 8;
const utf8Flag = 1 << 11;
const extendedTime = 0x5455;
const extraZip64 = 0x0001;
const dosFolder = 0x10;

/** From this size on a file might be larger than 4 GiB when it is deflated: deflate adds 5 bytes to 16 KiB at worst. */
export const largeFromBytes = max32 - 2 ** 24;

/** The record before an entry's bytes. */
export function localHeader(entry: ZipEntry): Buffer {
  const extra = Buffer.concat([
    timeExtra(entry.mtimeMs),
    entry.isLarge ? zip64Extra([entry.plainBytes, entry.packedBytes]) : none,
  ]);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(versionNeeded(entry), 4);
  writeCommon(header, entry, 6);
  header.writeUInt32LE(entry.isLarge ? max32 : entry.packedBytes, 18);
  header.writeUInt32LE(entry.isLarge ? max32 : entry.plainBytes, 22);
  header.writeUInt16LE(entry.name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, entry.name, extra]);
}

/** The entry's record in the central directory. */
export function centralHeader(entry: ZipEntry): Buffer {
  const { packedBytes, plainBytes, offset } = entry;
  const wide = [plainBytes, packedBytes, offset].filter((value) => value >= max32);
  const extra = Buffer.concat([timeExtra(entry.mtimeMs), wide.length > 0 ? zip64Extra(wide) : none]);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(madeOnUnix | versionNeeded(entry), 4);
  header.writeUInt16LE(versionNeeded(entry), 6);
  writeCommon(header, entry, 8);
  header.writeUInt32LE(Math.min(packedBytes, max32), 20);
  header.writeUInt32LE(Math.min(plainBytes, max32), 24);
  header.writeUInt16LE(entry.name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(((entry.mode << 16) | (entry.isFolder ? dosFolder : 0)) >>> 0, 38);
  header.writeUInt32LE(Math.min(offset, max32), 42);
  return Buffer.concat([header, entry.name, extra]);
}

/** The end of the zip file: with 64 bits where 32 or, for entries, 16 do not do. */
export function endRecords(central: {
  readonly entries: number;
  readonly bytes: number;
  readonly offset: number;
}): Buffer {
  const { entries, bytes, offset } = central;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, max16), 8);
  end.writeUInt16LE(Math.min(entries, max16), 10);
  end.writeUInt32LE(Math.min(bytes, max32), 12);
  end.writeUInt32LE(Math.min(offset, max32), 16);
  if (entries < max16 && bytes < max32 && offset < max32) return end;
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  // The size of what follows this field.
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(madeOnUnix | versionZip64, 12);
  end64.writeUInt16LE(versionZip64, 14);
  end64.writeBigUInt64LE(BigInt(entries), 24);
  end64.writeBigUInt64LE(BigInt(entries), 32);
  end64.writeBigUInt64LE(BigInt(bytes), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}

const none = Buffer.alloc(0);

function versionNeeded({ isLarge, offset }: ZipEntry): number {
  return isLarge || offset >= max32 ? versionZip64 : versionPlain;
}

/** Flags, method, time and checksum: in both headers in a row. */
function writeCommon(header: Buffer, entry: ZipEntry, at: number): void {
  header.writeUInt16LE(entry.name.some((byte) => byte > 0x7f) ? utf8Flag : 0, at);
  header.writeUInt16LE(entry.method === "deflated" ? 8 : 0, at + 2);
  header.writeUInt32LE(dosTime(entry.mtimeMs), at + 4);
  header.writeUInt32LE(entry.crc, at + 8);
}

/** Seconds in UTC. Readers that know it (unzip, 7-Zip, Python) need not guess the zone of the old field. */
function timeExtra(mtimeMs: number): Buffer {
  const seconds = Math.floor(mtimeMs / 1_000);
  if (Math.abs(seconds) >= 2 ** 31) return none;
  const extra = Buffer.alloc(9);
  extra.writeUInt16LE(extendedTime, 0);
  extra.writeUInt16LE(5, 2);
  // Of the three times only the modification is given.
  extra.writeUInt8(1, 4);
  extra.writeInt32LE(seconds, 5);
  return extra;
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + values.length * 8);
  extra.writeUInt16LE(extraZip64, 0);
  extra.writeUInt16LE(values.length * 8, 2);
  values.forEach((value, index) => {
    extra.writeBigUInt64LE(BigInt(value), 4 + index * 8);
  });
  return extra;
}

/** MS-DOS's date and time, which knows the years 1980 to 2107 and every second second; in UTC. */
function dosTime(mtimeMs: number): number {
  const date = new Date(Math.min(Math.max(mtimeMs, Date.UTC(1980, 0, 1)), Date.UTC(2107, 11, 31, 23, 59, 58)));
  const day = ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}
