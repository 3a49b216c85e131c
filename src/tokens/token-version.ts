// One version of a client token file: read whole, at one moment, within a limit, and distinguished from the next
// version.
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { TokenDocumentError } from "./token-document.js";

/** Some 130,000 clients; a larger file is a mistake, or needs another source. */
const fileMaxBytes = 10 * 1024 * 1024;
/** Tries to read a file that changes while it is read. */
const readTries = 3;

/** A file as it was at one moment. */
export interface Version {
  readonly bytes: Uint8Array;
  /** Of the bytes: the same for the same content. */
  readonly hash: string;
  /** Changes whenever the file does, by whatever way. */
  readonly fingerprint: string;
  readonly mode: number;
}

/** A file that is looked at again and again. */
export interface TokenFile {
  /** Of the version that is there now. Throws what stat throws. */
  fingerprint(): Promise<string>;
  /** The whole file at one moment. Throws TokenDocumentError and what open throws. */
  read(): Promise<Version>;
}

/** The file at a path, whatever is there at each look. */
export function fileAt(path: string): TokenFile {
  return {
    fingerprint: async () => printOf(await stat(path, { bigint: true })),
    read: () => readVersion(path),
  };
}

/** Reads again what changed while it was read. */
async function readVersion(path: string): Promise<Version> {
  for (let attempt = 1; attempt <= readTries; attempt++) {
    // Without blocking: a named pipe would hold up a thread forever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const before = await file.stat({ bigint: true });
      if (!before.isFile()) throw new TokenDocumentError("it is not a regular file");
      if (before.size > fileMaxBytes) throw new TokenDocumentError(`it is larger than ${fileMaxBytes} bytes`);
      const { bytes, hash } = await readWhole(file);
      const after = await file.stat({ bigint: true });
      if (printOf(before) !== printOf(after)) continue;
      return { bytes, hash, fingerprint: printOf(after), mode: Number(after.mode) };
    } finally {
      await file.close();
    }
  }
  throw new TokenDocumentError("it changes all the time");
}

/** Bounded even if the file grows while it is read. */
async function readWhole(file: FileHandle): Promise<Pick<Version, "bytes" | "hash">> {
  // Along the way: all at once it would hold up everybody else.
  const hash = createHash("sha256");
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, total);
    if (bytesRead === 0) return { bytes: Buffer.concat(chunks), hash: hash.digest("base64") };
    const chunk = buffer.subarray(0, bytesRead);
    chunks.push(chunk);
    hash.update(chunk);
    total += bytesRead;
    if (total > fileMaxBytes) throw new TokenDocumentError(`it is larger than ${fileMaxBytes} bytes`);
  }
}

interface Print {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

function printOf({ dev, ino, size, mtimeNs, ctimeNs }: Print): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}
