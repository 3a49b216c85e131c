// Cuts a zstd file at the ends of its frames (RFC 8878, 3.1). Node's inflater goes from one frame to the next only
// where a write ends with the first: of a write with parts of two it loses the second part, or never comes back.
import { DamageFound } from "../refusal.js";
import type { GrowingFile } from "./growing-file.js";

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const dictionaryIdBytes = [0, 1, 2, 4];

/** The same bytes, in pieces of which none holds parts of two frames. Throws DamageFound for what is no frame. */
export function* zstdFrames(packed: Iterable<Buffer>): Generator<Buffer> {
  const frames = new FrameEnds();
  for (const piece of packed) {
    for (let from = 0; from < piece.length; ) {
      const to = frames.endIn(piece, from);
      yield piece.subarray(from, to);
      from = to;
    }
  }
}

/** Whether these first bytes of a file are a frame's. */
export function startsLikeZstd(first: Buffer): boolean {
  if (first.length < 8) return false;
  const magic = first.readUInt32LE(0);
  return magic === frameMagic || (magic & ~0xf) === skippableMagic;
}

/** Where the first frame with content begins: pzstd writes one without in front of each. */
export function firstFrame(file: GrowingFile): number {
  let at = 0;
  for (let frames = 0; frames < skippableMax; frames++) {
    const start = file.view(at, 8);
    if (start.length < 8 || (start.readUInt32LE(0) & ~0xf) !== skippableMagic) break;
    at += 8 + start.readUInt32LE(4);
  }
  return at;
}

const skippableMax = 8;

type Part = "magic" | "skippable" | "descriptor" | "header" | "block" | "content" | "checksum";

class FrameEnds {
  #part: Part = "magic";
  /** Bytes of the part still to come. */
  #left = 4;
  /** The results, by the number of the part. */
  #value = 0;
  #shift = 0;
  #isLastBlock = false;
  #hasChecksum = false;

  /** Where, from `from` on, the frame ends, or the piece. */
  endIn(piece: Buffer, from: number): number {
    let at = from;
    while (at < piece.length) {
      if (this.#part === "header" || this.#part === "content" || this.#part === "checksum") {
        const taken = Math.min(this.#left, piece.length - at);
        at += taken;
        this.#left -= taken;
      } else {
        this.#value += (piece[at] ?? 0) * 2 ** this.#shift;
        this.#shift += 8;
        this.#left--;
        at++;
      }
      // A part may be of no bytes.
      while (this.#left === 0) if (this.#next()) return at;
    }
    return at;
  }

  /** Goes on to the next part; true at the end of a frame. */
  #next(): boolean {
    const value = this.#value;
    switch (this.#part) {
      case "magic":
        if (value === frameMagic) return this.#expect("descriptor", 1);
        if (value - (value % 16) === skippableMagic) return this.#expect("skippable", 4);
        throw new DamageFound("its zstd is damaged or was cut off; upload it again");
      case "skippable":
        this.#isLastBlock = true;
        this.#hasChecksum = false;
        return this.#expect("content", value);
      case "descriptor":
        this.#hasChecksum = (value & 4) !== 0;
        return this.#expect("header", headerBytes(value));
      case "header":
        return this.#expect("block", 3);
      case "block":
        this.#isLastBlock = (value & 1) !== 0;
        // A block of one byte that is repeated says how often.
        return this.#expect("content", ((value >> 1) & 3) === 1 ? 1 : value >> 3);
      case "content":
        if (!this.#isLastBlock) return this.#expect("block", 3);
        return this.#expect("checksum", this.#hasChecksum ? 4 : 0);
      case "checksum":
        this.#expect("magic", 4);
        return true;
    }
  }

  #expect(part: Part, bytes: number): false {
    this.#part = part;
    this.#left = bytes;
    this.#value = 0;
    this.#shift = 0;
    return false;
  }
}

/** What follows the descriptor: the window, the dictionary's number and the content's size, each if it is there. */
function headerBytes(descriptor: number): number {
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 ? (isSingle ? 1 : 0) : 2 ** sizeCode;
  return (isSingle ? 0 : 1) + (dictionaryIdBytes[descriptor & 3] ?? 0) + sizeBytes;
}
