// HashedText: never misses a piece that is there.
import fc from "fast-check";
import { expect, it } from "vitest";
import { HashedText, hashOf } from "../../../src/std/hashed-text.js";

it("finds every piece of a text where it stands, and (by all chance) no other", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(), fc.nat(), fc.string({ minLength: 1 }), (text, a, b, other) => {
      const [from, to] = [a % (text.length + 1), b % (text.length + 1)].sort((x, y) => x - y) as [number, number];
      const hashed = new HashedText(text);
      expect(hashed.has(hashOf(text.slice(from, to)), from, to)).toBe(true);
      expect(hashed.has(hashOf(other), from, to)).toBe(text.slice(from, to) === other);
    }),
  );
});
