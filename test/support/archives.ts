// Writes zips and tars byte by byte, with every field free to lie: what no honest program would write.
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipPart {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** 0 stored, 8 deflated (the default). */
  readonly method?: number;
  readonly flags?: number;
  /** Unix mode with its type bits; 0 leaves it out. */
  readonly mode?: number;
  /** What stands in place of the truth, in both headers. */
  readonly crc?: number;
  readonly bytes?: number;
  readonly packedBytes?: number;
  /** The content as packed, whatever the method says. */
  readonly packed?: Buffer;
  readonly extra?: Buffer;
  /** What the local header says differently. */
  readonly local?: Partial<
    Pick<ZipPart, "name" | "method" | "flags" | "crc" | "bytes" | "packedBytes" | "extra"> & { signature: number }
  >;
  /** Sizes and checksum after the content, zeros in front. */
  readonly hasDescriptor?: boolean;
  /** Sizes in the 64-bit field. */
  readonly isZip64?: boolean;
  /** Where the directory says that it lies; by default where it lies. */
  readonly offset?: number;
  /** Bytes between the entry before and this one. */
  readonly before?: Buffer;
  readonly disk?: number;
  /** The system that it says it was made on; Unix by default. */
  readonly host?: number;
}

export interface ZipOptions {
  /** Bytes before everything; offsets do not count them unless `countsPrefix`. */
  readonly prefix?: Buffer;
  readonly countsPrefix?: boolean;
  readonly comment?: Buffer;
  readonly isZip64?: boolean;
  /** Lies of the end record. */
  readonly entries?: number;
  readonly directoryBytes?: number;
  readonly directoryOffset?: number;
  readonly disk?: number;
  /** What the plain end says beside a 64-bit one, instead of that it is there. */
  readonly beside64?: { readonly entries: number; readonly bytes: number; readonly offset: number };
  /** Where the locator says that the 64-bit end lies. */
  readonly locatorOffset?: number;
  /** Between the directory and its end record. */
  readonly afterDirectory?: Buffer;
  /** Order of the directory, as positions of the parts. */
  readonly order?: readonly number[];
}

export function zip(parts: readonly ZipPart[], options: ZipOptions = {}): Buffer {
  const prefix = options.prefix ?? Buffer.alloc(0);
  const body: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = options.countsPrefix ? prefix.length : 0;
  const push = (bytes: Buffer) => {
    body.push(bytes);
    at += bytes.length;
  };
  for (const part of parts) {
    if (part.before) push(part.before);
    const content = Buffer.from(part.content ?? "");
    const method = part.method ?? 8;
    const packed = part.packed ?? (method === 8 ? deflateRawSync(content) : content);
    const truth = {
      flags: (part.flags ?? 0) | (part.hasDescriptor ? 8 : 0),
      crc: part.crc ?? crc32(content),
      bytes: part.bytes ?? content.length,
      packedBytes: part.packedBytes ?? packed.length,
    };
    directory.push(directoryRecord(part, method, truth, part.offset ?? at));
    push(localHeader(part, method, truth));
    push(packed);
    if (part.hasDescriptor) push(le(0x08074b50, 4, truth.crc, 4, truth.packedBytes, 4, truth.bytes, 4));
  }
  const ordered = (options.order ?? directory.map((_, n) => n)).map((n) => directory[n] ?? Buffer.alloc(0));
  const records = Buffer.concat(ordered);
  const end = {
    entries: options.entries ?? ordered.length,
    bytes: options.directoryBytes ?? records.length,
    offset: options.directoryOffset ?? at,
    disk: options.disk ?? 0,
  };
  const after = options.afterDirectory ?? Buffer.alloc(0);
  const end64At = options.locatorOffset ?? at + records.length + after.length;
  const tail = options.isZip64 ? end64(end, end64At) : [];
  return Buffer.concat([prefix, ...body, records, after, ...tail, endRecord(end, options)]);
}

interface Truth {
  readonly flags: number;
  readonly crc: number;
  readonly bytes: number;
  readonly packedBytes: number;
}

function localHeader(part: ZipPart, method: number, truth: Truth): Buffer {
  const { local = {} } = part;
  const name = Buffer.from(local.name ?? part.name);
  const zero = part.hasDescriptor ? 0 : undefined;
  const sizes = [local.packedBytes ?? zero ?? truth.packedBytes, local.bytes ?? zero ?? truth.bytes];
  const own = local.extra ?? part.extra ?? Buffer.alloc(0);
  const extra = part.isZip64 ? Buffer.concat([le(1, 2, 16, 2, truth.bytes, 8, truth.packedBytes, 8), own]) : own;
  const [packedBytes = 0, bytes = 0] = part.isZip64 ? [0xffffffff, 0xffffffff] : sizes;
  const fixed = [le(local.signature ?? 0x04034b50, 4, 45, 2, local.flags ?? truth.flags, 2, local.method ?? method, 2)];
  fixed.push(le(0, 2, 0x21, 2, local.crc ?? zero ?? truth.crc, 4, packedBytes, 4, bytes, 4));
  fixed.push(le(name.length, 2, extra.length, 2), name, extra);
  return Buffer.concat(fixed);
}

function directoryRecord(part: ZipPart, method: number, truth: Truth, offset: number): Buffer {
  const name = Buffer.from(part.name);
  const own = part.extra ?? Buffer.alloc(0);
  const big = le(1, 2, 24, 2, truth.bytes, 8, truth.packedBytes, 8, offset, 8);
  const extra = part.isZip64 ? Buffer.concat([big, own]) : own;
  const [packedBytes, bytes, at] = part.isZip64
    ? [0xffffffff, 0xffffffff, 0xffffffff]
    : [truth.packedBytes, truth.bytes, offset];
  return Buffer.concat([
    le(0x02014b50, 4, 45, 1, part.host ?? 3, 1, 45, 2, truth.flags, 2, method, 2, 0, 2, 0x21, 2, truth.crc, 4),
    le(packedBytes, 4, bytes, 4, name.length, 2, extra.length, 2, 0, 2, part.disk ?? 0, 2, 0, 2),
    le((part.mode ?? 0o100644) * 0x10000, 4, at, 4),
    name,
    extra,
  ]);
}

interface End {
  readonly entries: number;
  readonly bytes: number;
  readonly offset: number;
  readonly disk: number;
}

function end64(end: End, at: number): Buffer[] {
  return [
    le(0x06064b50, 4, 44, 8, 45, 2, 45, 2, end.disk, 4, end.disk, 4, end.entries, 8, end.entries, 8),
    le(end.bytes, 8, end.offset, 8),
    le(0x07064b50, 4, 0, 4, at, 8, 1, 4),
  ];
}

function endRecord(end: End, { isZip64 = false, beside64, comment = Buffer.alloc(0) }: ZipOptions): Buffer {
  const in64 = beside64 ?? { entries: 0xffff, bytes: 0xffffffff, offset: 0xffffffff };
  const { entries, bytes, offset } = isZip64 ? in64 : end;
  const head = le(0x06054b50, 4, end.disk, 2, end.disk, 2, entries, 2, entries, 2, bytes, 4, offset, 4);
  return Buffer.concat([head, le(comment.length, 2), comment]);
}

/** Little-endian numbers, each followed by its width in bytes. */
export function le(...pairs: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let n = 0; n < pairs.length; n += 2) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(pairs[n] ?? 0)));
    parts.push(bytes.subarray(0, pairs[n + 1]));
  }
  return Buffer.concat(parts);
}

export interface TarPart {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  readonly linkTarget?: string;
  readonly prefix?: string;
  /** What stands in the size field, if it lies. */
  readonly size?: string | Buffer;
  /** `posix`, `gnu`, or none for v7. */
  readonly magic?: "posix" | "gnu" | "v7";
  readonly checksum?: number;
}

export function tar(parts: readonly TarPart[], options: { readonly end?: Buffer } = {}): Buffer {
  return Buffer.concat([...parts.map(tarPart), options.end ?? Buffer.alloc(1_024)]);
}

/** A pax header for the next entry; `type` "g" for all. */
export function pax(records: Readonly<Record<string, string>>, type = "x"): TarPart {
  const content = Object.entries(records).map(([key, value]) => {
    const body = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(body) + 1;
    while (length < Buffer.byteLength(body) + String(length).length) length++;
    return `${length}${body}`;
  });
  return { name: "PaxHeader", type, content: content.join("") };
}

function tarPart(part: TarPart): Buffer {
  const content = Buffer.from(part.content ?? "");
  const block = Buffer.alloc(512);
  Buffer.from(part.name).copy(block, 0, 0, 100);
  block.write(`${(part.mode ?? 0o644).toString(8).padStart(7, "0")}\0`, 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  Buffer.from(part.size ?? `${content.length.toString(8).padStart(11, "0")}\0`).copy(block, 124, 0, 12);
  block.write("00000000000\0", 136);
  block.write(part.type ?? "0", 156);
  block.write(part.linkTarget ?? "", 157, 100);
  const magics = { posix: "ustar\u000000", gnu: "ustar  \0", v7: "" };
  block.write(magics[part.magic ?? "posix"], 257, "latin1");
  block.write(part.prefix ?? "", 345, 155);
  block.fill(" ", 148, 156);
  const sum = part.checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
