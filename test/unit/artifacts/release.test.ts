import { describe, expect, it } from "vitest";
import { ownFromBytes, release, releaseWhole } from "../../../src/artifacts/release.js";

const isFreed = (piece: Buffer) => piece.buffer.byteLength === 0;

describe("release", () => {
  it("frees the memory behind a piece that has it for itself", () => {
    // One of the pool's size, too: that is how the bytes of a connection come.
    for (const bytes of [1, ownFromBytes, Buffer.poolSize, 1_000_000]) {
      const piece = Buffer.allocUnsafeSlow(bytes);
      release(piece);
      expect(isFreed(piece), `${bytes} bytes`).toBe(true);
    }
  });

  it("frees a buffer of which the piece is only a part", () => {
    const whole = Buffer.allocUnsafe(ownFromBytes);
    release(whole.subarray(0, 10));
    expect(isFreed(whole)).toBe(true);
  });

  it("leaves the pool to those who share it", () => {
    const neighbour = Buffer.from("a neighbour");
    for (const piece of [Buffer.from("small"), Buffer.allocUnsafe(ownFromBytes - 1)]) {
      release(piece);
      expect(isFreed(piece)).toBe(false);
    }
    expect(neighbour.toString()).toBe("a neighbour");
  });

  it("takes an empty piece, and one that was freed before", () => {
    const piece = Buffer.allocUnsafeSlow(1);
    release(piece);
    release(piece);
    release(Buffer.alloc(0));
    expect(Buffer.alloc(0)).toHaveLength(0);
  });
});

describe("releaseWhole", () => {
  it("frees the memory behind a piece that has it for itself", () => {
    for (const bytes of [1, ownFromBytes, Buffer.poolSize, 1_000_000]) {
      const piece = Buffer.allocUnsafeSlow(bytes);
      releaseWhole(piece);
      expect(isFreed(piece), `${bytes} bytes`).toBe(true);
    }
  });

  it("leaves the pool to those who share it, though a handler set another size for pools", () => {
    const { poolSize } = Buffer;
    const small = Buffer.from("small");
    try {
      Buffer.poolSize = 2 * poolSize;
      releaseWhole(small);
    } finally {
      Buffer.poolSize = poolSize;
    }
    expect(small.toString()).toBe("small");
    expect(Buffer.from("a neighbour").toString()).toBe("a neighbour");
  });
});
