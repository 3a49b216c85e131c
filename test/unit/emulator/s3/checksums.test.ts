// The checksums against their published check values, and against one another over any split of the bytes.
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checksumBytes, checksumNames, createDigest } from "../../../../src/emulator/s3/checksums.js";

// The check value of a CRC is its value for these nine bytes.
const nine = Buffer.from("123456789");
const published = {
  crc32: "cbf43926",
  crc32c: "e3069283",
  crc64nvme: "ae8b14860a799888",
  sha1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
  sha256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
} as const;

test.each(checksumNames)("%s has its published value", (name) => {
  const digest = createDigest(name);
  digest.update(nine);
  expect(digest.digest().toString("hex")).toBe(published[name]);
});

test.each(checksumNames)("%s is the same however the bytes come", (name) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (pieces) => {
      const [whole, split] = [createDigest(name), createDigest(name)];
      for (const piece of pieces) split.update(Buffer.from(piece));
      whole.update(Buffer.concat(pieces));
      const digest = whole.digest();
      expect(digest).toHaveLength(checksumBytes(name));
      expect(split.digest()).toEqual(digest);
    }),
  );
});

test.each(["crc32c", "crc64nvme"] as const)("%s is what bit by bit gives", (name) => {
  const bytes = randomBytes(1_000);
  const digest = createDigest(name);
  digest.update(bytes);
  const [polynomial, width] = name === "crc32c" ? [0x82f63b78n, 32n] : [0x9a6c9329ac4bc9b5n, 64n];
  let value = (1n << width) - 1n;
  for (const byte of bytes) {
    value ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
  }
  const expected = value ^ ((1n << width) - 1n);
  expect(BigInt(`0x${digest.digest().toString("hex")}`)).toBe(expected);
});
